/** The line under the answer, with the outcome of the request. */
import { useGraphiQL } from "@graphiql/react";
import { duration, isOk, size, status, type Exchange } from "./exchange";

/** The outcome of a request, and the text of its answer. */
export interface Answered {
  exchange: Exchange;
  text: string;
}

interface StatusLineProps {
  /** The last answer of each tab, by the tab's id. */
  answered: Record<string, Answered>;
  /** Another message to show. */
  said: string;
}

export function StatusLine({ answered, said }: StatusLineProps) {
  const tab = useGraphiQL((state) => state.tabs[state.activeTabIndex]);
  const last = answered[tab?.id ?? ""];
  // The last answer is not the one shown while the next is pending or if that was not sent.
  const exchange = last?.text === tab?.response ? last?.exchange : undefined;
  return (
    <div className="exchange">
      <p role="status">
        {exchange && <Summary exchange={exchange} />}
        {said && <span>{said}</span>}
      </p>
      {exchange?.reply?.requestId && (
        <p>
          Request <code>{exchange.reply.requestId}</code>
        </p>
      )}
    </div>
  );
}

function Summary({ exchange }: { exchange: Exchange }) {
  return (
    <>
      <strong className={isOk(exchange) ? "ok" : "failed"}>{status(exchange)}</strong>
      <span>{duration(exchange)}</span>
      {exchange.reply && <span>{size(exchange.reply.size)}</span>}
    </>
  );
}

/** The line under the answer: how the request went. */
import { useGraphiQL } from "@graphiql/react";
import { duration, isOk, size, status, type Exchange } from "./exchange";

/** An exchange, and the text of its answer. */
export interface Answered {
  exchange: Exchange;
  text: string;
}

interface StatusLineProps {
  /** The last of each tab, by its id. */
  answered: Record<string, Answered>;
  /** What else there is to say. */
  said: string;
}

export function StatusLine({ answered, said }: StatusLineProps) {
  const tab = useGraphiQL((state) => state.tabs[state.activeTabIndex]);
  const last = answered[tab?.id ?? ""];
  // Not what is shown, while the next is waited for, or where it could not be sent.
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

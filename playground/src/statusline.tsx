/** The line under the answer: how the request went. */
import { useGraphiQL } from "@graphiql/react";
import { duration, isOk, size, status, type Exchange } from "./exchange";

interface StatusLineProps {
  /** The last of each tab, by its id. */
  exchanges: Record<string, Exchange>;
  /** What else there is to say. */
  said: string;
}

export function StatusLine({ exchanges, said }: StatusLineProps) {
  const tab = useGraphiQL((state) => state.tabs[state.activeTabIndex]);
  // There is no answer while one is waited for, nor once nobody waits for it any more.
  const exchange = tab?.response ? exchanges[tab.id] : undefined;
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

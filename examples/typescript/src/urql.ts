/** urql with the session: its authExchange sends the token and refreshes it. */
import { Client, fetchExchange, makeOperation, mapExchange, type Operation } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { fetchWithRetry } from "./retry";
import { reasonOf, Session, type Keep } from "./session";

export interface Api {
  client: Client;
  session: Session;
}

/** Connect to the API at an address. A cache can't be emptied: make another client after it. */
export function createApi(url: string, keep: Keep): Api {
  const session = new Session(url, keep);
  const exchanges = [heeding(session), authorising(session), fetchExchange];
  return { client: new Client({ url, exchanges, fetch: fetchWithRetry }), session };
}

/** Report every final refusal to the session, including that of a retry. */
function heeding(session: Session) {
  return mapExchange({
    onError: (error, operation) => session.heed(reasonOf(error.graphQLErrors), sentWith(operation)),
  });
}

/** Send each operation with the token; operations wait while an expired one is refreshed. */
function authorising(session: Session) {
  let refused: string | null = null;
  return authExchange(async ({ appendHeaders }) => ({
    addAuthToOperation(operation) {
      const { token } = session;
      if (token === null) return operation;
      const context = { ...operation.context, token };
      const noted = makeOperation(operation.kind, operation, context);
      return appendHeaders(noted, { Authorization: `Bearer ${token}` });
    },
    willAuthError() {
      if (session.hasExpired) refused = session.token;
      return session.hasExpired;
    },
    didAuthError(error, operation) {
      const hasExpired = reasonOf(error.graphQLErrors) === "TOKEN_EXPIRED";
      if (hasExpired) refused = sentWith(operation);
      return hasExpired;
    },
    async refreshAuth() {
      await session.renew(refused);
    },
  }));
}

function sentWith(operation: Operation): string | null {
  const { token } = operation.context;
  return typeof token === "string" ? token : null;
}

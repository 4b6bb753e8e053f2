/** urql that refreshes its tokens, with authExchange. */
import { Client, fetchExchange, makeOperation, mapExchange, type Operation } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { fetchWithRetry } from "./retry";
import { reasonOf, Session, SignedOut, type Keep } from "./session";

export interface Api {
  client: Client;
  session: Session;
}

/**
 * Connect to the API at a URL. At each `onSignedOut`, create a new client: equal queries share an
 * answer, and a cache can't be cleared.
 */
export function createApi(url: string, keep: Keep): Api {
  const session = new Session(url, keep);
  const exchanges = [heeding(session), authorising(session), fetchExchange];
  return { client: new Client({ url, exchanges, fetch: fetchWithRetry }), session };
}

/** Note the session of each operation, and report every remaining refusal to it. */
function heeding(session: Session) {
  return mapExchange({
    onOperation: (operation) => withToken(operation, session.token),
    onError: (error, operation) => session.heed(reasonOf(error.graphQLErrors), sentWith(operation)),
  });
}

/** Send each operation with its session's token; others wait while an expired one is refreshed. */
function authorising(session: Session) {
  let refused: string | null = null;
  return authExchange(async ({ appendHeaders }) => ({
    addAuthToOperation(operation) {
      const before = sentWith(operation);
      const token = session.holds(before) ? session.token : before;
      if (token === null) return operation;
      return appendHeaders(withToken(operation, token), { Authorization: `Bearer ${token}` });
    },
    willAuthError() {
      if (session.hasExpired) refused = session.token;
      return session.hasExpired;
    },
    didAuthError(error, operation) {
      refused = sentWith(operation);
      return session.holds(refused) && reasonOf(error.graphQLErrors) === "TOKEN_EXPIRED";
    },
    async refreshAuth() {
      try {
        await session.renew(refused);
      } catch (error) {
        // If somebody else has signed in, some of the waiting operations are theirs.
        if (session.token === null || !(error instanceof SignedOut)) throw error;
      }
    },
  }));
}

function withToken(operation: Operation, token: string | null): Operation {
  return makeOperation(operation.kind, operation, { ...operation.context, token });
}

function sentWith(operation: Operation): string | null {
  const { token } = operation.context;
  return typeof token === "string" ? token : null;
}

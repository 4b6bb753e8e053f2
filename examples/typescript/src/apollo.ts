/** Apollo Client 4 with the session: it sends the token and refreshes it. */
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { from, switchMap, tap } from "rxjs";
import { fetchWithRetry } from "./retry";
import { reasonOf, Session, SignedOut, type Keep } from "./session";

export interface Api {
  client: ApolloClient;
  session: Session;
}

/** Connect to the API at an address. */
export function createApi(url: string, keep: Keep): Api {
  const cache = new InMemoryCache();
  let ended = 0;
  const session = new Session(url, {
    load: () => keep.load(),
    save: (tokens) => keep.save(tokens),
    onSignedOut: () => {
      ended += 1;
      void cache.reset(); // what this customer could see, the next one may not
      keep.onSignedOut();
    },
  });
  const link = ApolloLink.from([
    dropping(() => ended),
    retrying(session),
    heeding(session),
    authorising(session),
    new HttpLink({ uri: url, fetch: fetchWithRetry }),
  ]);
  return { client: new ApolloClient({ cache, link }), session };
}

/** Throw SignedOut for answers after the session's end: the cache may be the next customer's. */
function dropping(ended: () => number): ApolloLink {
  return new ApolloLink((operation, forward) => {
    const before = ended();
    const check = () => {
      if (ended() !== before) throw new SignedOut();
    };
    return forward(operation).pipe(tap(check));
  });
}

/** Retry an operation once with a new token if its token had expired. */
function retrying(session: Session): ApolloLink {
  return new ErrorLink(({ error, operation, forward }) => {
    if (reasonIn(error) !== "TOKEN_EXPIRED") return;
    return from(session.renew(sentWith(operation))).pipe(switchMap(() => forward(operation)));
  });
}

/** Report every refusal to the session, including that of a retry. */
function heeding(session: Session): ApolloLink {
  return new ErrorLink(({ error, operation }) => {
    session.heed(reasonIn(error), sentWith(operation));
  });
}

function authorising(session: Session): ApolloLink {
  return new SetContextLink(async ({ headers }) => {
    const token = session.hasExpired ? await session.renew(session.token) : session.token;
    return token === null
      ? {}
      : { token, headers: { ...headers, authorization: `Bearer ${token}` } };
  });
}

function reasonIn(error: unknown): string | null {
  return CombinedGraphQLErrors.is(error) ? reasonOf(error.errors) : null;
}

function sentWith(operation: ApolloLink.Operation): string | null {
  const { token } = operation.getContext();
  return typeof token === "string" ? token : null;
}

/** Apollo Client 4 that refreshes its tokens. */
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { from, map, shareReplay, Subject, switchMap, takeUntil } from "rxjs";
import { fetchWithRetry } from "./retry";
import { reasonOf, Session, SignedOut, type Keep } from "./session";

export interface Api {
  client: ApolloClient;
  session: Session;
}

/** Connect to the API at a URL. */
export function createApi(url: string, keep: Keep): Api {
  const cache = new InMemoryCache();
  const ended = new Subject<void>();
  const session = new Session(url, {
    load: () => keep.load(),
    save: (tokens) => keep.save(tokens),
    onSignedOut: () => {
      ended.next();
      void cache.reset(); // what this customer could see, the next one may not
      keep.onSignedOut();
    },
  });
  const link = ApolloLink.from([
    dropping(ended),
    retrying(session),
    heeding(session),
    authorising(session),
    new HttpLink({ uri: url, fetch: fetchWithRetry }),
  ]);
  return { client: new ApolloClient({ cache, link }), session };
}

/**
 * Throw SignedOut for requests under way at sign-out: by then, the cache is the next customer's,
 * and an equal query must not share their answer. They are not aborted, as mutations may count.
 */
function dropping(ended: Subject<void>): ApolloLink {
  const signedOut = ended.pipe(
    map(() => {
      throw new SignedOut();
    }),
  );
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(shareReplay(1), takeUntil(signedOut)),
  );
}

/** Retry requests with an expired token once, with the new token. */
function retrying(session: Session): ApolloLink {
  return new ErrorLink(({ error, operation, forward }) => {
    if (reasonIn(error) !== "TOKEN_EXPIRED") return;
    return from(session.renew(sentWith(operation))).pipe(switchMap(() => forward(operation)));
  });
}

/** Report every refusal to the session, also that of a retry. */
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

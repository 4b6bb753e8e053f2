/** React: Apollo Client and the session for all components below a provider. */
import { ApolloProvider } from "@apollo/client/react";
import { createContext, useContext, useState, type ReactNode } from "react";
import { createApi } from "./apollo";
import type { Session, Tokens } from "./session";

interface Held {
  session: Session;
  isSignedIn: boolean;
}

const SessionContext = createContext<Held | null>(null);

/**
 * Connect the components below to the API at a URL; tokens are kept in memory. The end of a session
 * mounts them anew, so that none keeps what it showed to the previous customer.
 */
export function ApiProvider({ url, children }: { url: string; children: ReactNode }) {
  const [isSignedIn, setIsSignedIn] = useState(false);
  const [ends, setEnds] = useState(0);
  const [{ client, session }] = useState(() => {
    let held: Tokens | null = null;
    return createApi(url, {
      load: () => held,
      save: (tokens) => {
        held = tokens;
        setIsSignedIn(tokens !== null);
      },
      onSignedOut: () => setEnds((before) => before + 1),
    });
  });
  return (
    <SessionContext key={ends} value={{ session, isSignedIn }}>
      <ApolloProvider client={client}>{children}</ApolloProvider>
    </SessionContext>
  );
}

/** Return the session, and whether it is signed in; the component re-renders on changes. */
export function useSession(): Held {
  const held = useContext(SessionContext);
  if (held === null) throw new Error("useSession is for components below ApiProvider.");
  return held;
}

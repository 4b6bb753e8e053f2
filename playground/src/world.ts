/** The keeper's state, the messages between tabs, and the keeper's dependencies. */
import type { Json } from "./answer";
import type { Session } from "./held";
import type { Notice } from "./notice";
import type { Challenge } from "./payload";
import type { Post } from "./post";

/** The state that the bar shows. */
export interface State {
  held: Session | null;
  notice: Notice | null;
  busy: boolean;
  /** The pending sign-in, which needs a second factor. */
  challenge: Challenge | null;
  /** The methods of reauthentication to offer; null unless an operation requires it. */
  proofs: string[] | null;
}

/** A proof of identity. */
export type Proof = { password: string } | { code: string } | { passkey: Json };

/** A message to other tabs with this token: the session that replaces it, or null at its end. */
export interface TabMessage {
  token: string;
  held: Session | null;
}

/** The credentials that a request was sent with. */
export interface SentWith {
  /** Whether it had an Authorization header from the Headers tab. */
  own: boolean;
  /** The bar's token, if that was sent. */
  token: string | null;
}

/** The input of the form that creates an account. */
export interface Applicant {
  name: string;
  email: string;
  password: string;
}

/** The keeper's dependencies, which tests replace. */
export interface World {
  post: Post;
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  now: () => number;
  broadcast: (message: TabMessage) => void;
  /** Run some work under a lock that all tabs share, where the browser has locks. */
  withLock: <T>(work: () => Promise<T>) => Promise<T>;
}

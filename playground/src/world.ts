/** What the keeper shows, what it tells, and what it needs of the world. */
import type { Json } from "./answer";
import type { Held } from "./held";
import type { Notice } from "./notice";
import type { Challenge } from "./payload";
import type { Post } from "./post";

/** All that the bar shows. */
export interface Seen {
  held: Held | null;
  notice: Notice | null;
  busy: boolean;
  /** The sign-in that waits for a second factor. */
  challenge: Challenge | null;
  /** By what whoever is signed in can prove again who they are, where that is wanted. */
  proofs: string[] | null;
}

/** What proves who somebody is. */
export type Proof = { password: string } | { code: string } | { passkey: Json };

/** What one tab tells those that hold the same tokens: what is held instead, null when it is over. */
export interface Word {
  token: string;
  held: Held | null;
}

/** What a request was sent with. */
export interface SentWith {
  /** Whether it had an Authorization header out of the Headers tab. */
  own: boolean;
  /** The bar's token, if that was sent. */
  token: string | null;
}

/** What is typed to create an account. */
export interface Applicant {
  name: string;
  email: string;
  password: string;
}

/** What the keeper needs of the world. */
export interface World {
  post: Post;
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  now: () => number;
  tell: (word: Word) => void;
  /** Do something while no other tab does, where the browser can see to that. */
  alone: <T>(work: () => Promise<T>) => Promise<T>;
}

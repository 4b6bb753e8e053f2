/** What a refusal means, and the way out of it. */
import type { Refusal } from "./answer";

export type WayOut = "sign in" | "refresh" | null;

export interface Notice {
  words: string;
  wayOut: WayOut;
  /** Whether it is good news. */
  good?: boolean;
  /** The fields of the form that are to be mended. */
  fields?: string[];
}

/** What was sent with the request that was refused, and what is at hand now. */
export interface Circumstances {
  /** Whether the request had an Authorization header out of the Headers tab. */
  own: boolean;
  /** Whether there is a refresh token. */
  canRefresh: boolean;
}

export const UNREACHABLE = "The server can't be reached.";

const MEANINGS: Record<string, string> = {
  TOKEN_MISSING: "Nobody is signed in, and this is for those who are.",
  TOKEN_MALFORMED: "What was sent is no bearer token at all.",
  TOKEN_INVALID: "The token is not one of this server's, or somebody changed it.",
  TOKEN_EXPIRED: "The token has expired.",
  TOKEN_REVOKED: "The session has ended: signed out, or the account is no longer active.",
  ADMIN_REQUIRED: "This is for admins, and whoever is signed in is none.",
  PERMISSION_REQUIRED: "Whoever is signed in lacks the permission for this.",
};
/** Reasons for which a token is never good again. */
const FATAL = ["TOKEN_MALFORMED", "TOKEN_INVALID", "TOKEN_REVOKED"];

/** Put the first refusal for want of a token or of rights into words; null if there is none. */
export function explain(refusals: Refusal[], circumstances: Circumstances): Notice | null {
  const refusal = refusals.find((each) =>
    ["UNAUTHENTICATED", "FORBIDDEN"].includes(each.extensions?.code ?? ""),
  );
  if (!refusal) return null;
  const { reason = "" } = refusal.extensions ?? {};
  const meaning = MEANINGS[reason] ?? refusal.message;
  if (circumstances.own && refusal.extensions?.code === "UNAUTHENTICATED") {
    const words = `${meaning} It came from the Headers tab; without it, the bar's own is sent.`;
    return { words, wayOut: null };
  }
  const refreshes = reason === "TOKEN_EXPIRED" && circumstances.canRefresh;
  return { words: meaning, wayOut: refreshes ? "refresh" : "sign in" };
}

/** Tell whether refusals say that the token which was sent is never good again. */
export function isOver(refusals: Refusal[]): boolean {
  return refusals.some((each) => FATAL.includes(each.extensions?.reason ?? ""));
}

/** What a refusal means, and the way out of it. */
import type { Refusal } from "./answer";

export type WayOut = "sign in" | "refresh" | "set up" | null;

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
  REAUTHENTICATION_REQUIRED: "This needs a fresh proof that it is you.",
  SECOND_FACTOR_ENROLMENT_REQUIRED: "Your account needs a second factor before anything else.",
};
/** By what a form proves who somebody is. */
const PROOFS = ["PASSWORD", "CODE", "RECOVERY_CODE", "PASSKEY"];
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
  return { words: meaning, wayOut: wayOut(refusal, reason, circumstances) };
}

/** Choose what leads out of a refusal. */
function wayOut(refusal: Refusal, reason: string, { canRefresh, own }: Circumstances): WayOut {
  if (reason === "TOKEN_EXPIRED" && canRefresh) return "refresh";
  // The bar's forms are for its own session.
  if (reason === "SECOND_FACTOR_ENROLMENT_REQUIRED") return own ? null : "set up";
  return proofs([refusal]) ? null : "sign in";
}

/** Name by what the forms can prove who somebody is, if a refusal wants it; null if none does. */
export function proofs(refusals: Refusal[]): string[] | null {
  const methods = refusals.flatMap(({ extensions }) => extensions?.methods ?? []);
  const known = methods.filter((each) => PROOFS.includes(each));
  return known.length > 0 ? [...new Set(known)] : null;
}

/** Tell whether refusals say that the token which was sent is never good again. */
export function isOver(refusals: Refusal[]): boolean {
  return refusals.some((each) => FATAL.includes(each.extensions?.reason ?? ""));
}

/** What a refusal means, and the action that resolves it. */
import type { Refusal } from "./answer";

export type Action = "sign in" | "refresh" | "set up" | null;

export interface Notice {
  words: string;
  action: Action;
  /** Whether it reports a success. */
  good?: boolean;
  /** The form's fields that have to be corrected. */
  fields?: string[];
}

/** The credentials of the refused request, and those that remain. */
export interface Context {
  /** Whether the request had an Authorization header from the Headers tab. */
  own: boolean;
  /** Whether there is a refresh token. */
  canRefresh: boolean;
}

export const UNREACHABLE = "The server can't be reached.";

const MEANINGS: Record<string, string> = {
  TOKEN_MISSING: "Nobody is signed in, and this needs a signed-in account.",
  TOKEN_MALFORMED: "The Authorization header holds no bearer token.",
  TOKEN_INVALID: "The token was not issued for this API, or was changed.",
  TOKEN_EXPIRED: "The token has expired.",
  TOKEN_REVOKED: "The session has ended: signed out, or the account is no longer active.",
  ADMIN_REQUIRED: "This is for admins, and the signed-in account is not one.",
  PERMISSION_REQUIRED: "The signed-in account lacks the permission for this.",
  REAUTHENTICATION_REQUIRED: "This needs a fresh proof that it is you.",
  SECOND_FACTOR_ENROLMENT_REQUIRED: "Your account needs a second factor before anything else.",
};
/** The methods of reauthentication that the forms support. */
const PROOFS = ["PASSWORD", "CODE", "RECOVERY_CODE", "PASSKEY"];
/** Reasons that end the session: a token refused for one of them never becomes valid again. */
const FATAL = ["TOKEN_MALFORMED", "TOKEN_INVALID", "TOKEN_REVOKED"];

/** Return a notice for the first UNAUTHENTICATED or FORBIDDEN error; null if there is none. */
export function explain(refusals: Refusal[], context: Context): Notice | null {
  const refusal = refusals.find((each) =>
    ["UNAUTHENTICATED", "FORBIDDEN"].includes(each.extensions?.code ?? ""),
  );
  if (!refusal) return null;
  const { reason = "" } = refusal.extensions ?? {};
  const meaning = MEANINGS[reason] ?? refusal.message;
  if (context.own && refusal.extensions?.code === "UNAUTHENTICATED") {
    const words = `${meaning} It came from the Headers tab; without it, the bar's token is sent.`;
    return { words, action: null };
  }
  return { words: meaning, action: action(refusal, reason, context) };
}

/** Return the action that resolves a refusal. */
function action(refusal: Refusal, reason: string, { canRefresh, own }: Context): Action {
  if (reason === "TOKEN_EXPIRED" && canRefresh) return "refresh";
  // The bar's forms act on its own session, not on that of a typed token.
  if (reason === "SECOND_FACTOR_ENROLMENT_REQUIRED") return own ? null : "set up";
  return proofs([refusal]) ? null : "sign in";
}

/** Return the required reauthentication methods that the forms support; null if there are none. */
export function proofs(refusals: Refusal[]): string[] | null {
  const methods = refusals.flatMap(({ extensions }) => extensions?.methods ?? []);
  const known = methods.filter((each) => PROOFS.includes(each));
  return known.length > 0 ? [...new Set(known)] : null;
}

/** Return whether refusals say that the token never becomes valid again. */
export function isOver(refusals: Refusal[]): boolean {
  return refusals.some((each) => FATAL.includes(each.extensions?.reason ?? ""));
}

/** Payloads of mutations: their status, their messages and their challenges. */
import { isObject, type Json } from "./answer";
import type { Notice } from "./notice";

/** A pending sign-in that needs a second factor. */
export interface Challenge {
  token: string;
  /** The second factors that it accepts: CODE, RECOVERY_CODE, PASSKEY. */
  methods: string[];
  /** The WebAuthn options for the browser; null if passkeys are not accepted. */
  passkeyOptions: Json | null;
}

/** Return the challenge of a sign-in that needs a second factor; null if there is none. */
export function challengeOf(payload: Json): Challenge | null {
  const { secondFactor } = payload;
  if (!isObject(secondFactor) || typeof secondFactor.challenge !== "string") return null;
  const { challenge: token, methods, passkeyOptions } = secondFactor;
  return {
    token,
    methods: Array.isArray(methods) ? methods.map(String) : ["CODE", "RECOVERY_CODE"],
    passkeyOptions: isObject(passkeyOptions) ? passkeyOptions : null,
  };
}

/** Return whether a payload's mutation succeeded. */
export function isDone(payload: Json): boolean {
  return payload.status === "SUCCESS";
}

/** Return a notice with the message and the faulty fields of a payload without tokens. */
export function outcome(payload: Json): Notice {
  const fields = errors(payload).map((each) =>
    each.code === "INVALID_CREDENTIALS" ? "password" : String(each.field ?? ""),
  );
  return { words: words(payload), action: null, good: isDone(payload), fields };
}

export function words(payload: Json): string {
  return typeof payload.message === "string" ? payload.message : "The server gave no answer.";
}

/** Return whether the token that was sent is no longer valid. */
export function isSpent(payload: Json): boolean {
  return errors(payload).some((each) => String(each.code).startsWith("TOKEN_"));
}

function errors(payload: Json): Json[] {
  return Array.isArray(payload.errors) ? payload.errors.filter(isObject) : [];
}

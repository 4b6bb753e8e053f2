/** Payloads of mutations: what they say, and what somebody can do about it. */
import { isObject, type Json } from "./answer";
import type { Notice } from "./notice";

/** A sign-in that waits for a second factor. */
export interface Challenge {
  token: string;
  /** By what it can go on: CODE, RECOVERY_CODE, PASSKEY. */
  methods: string[];
  /** What the browser is asked for a passkey with; null where that is no way. */
  passkeyOptions: Json | null;
}

/** Read what a sign-in waits for; null if it doesn't. */
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

/** Tell whether a payload's mutation did what it is for. */
export function isDone(payload: Json): boolean {
  return payload.status === "SUCCESS";
}

/** Put a payload without tokens into words, and name the fields that it is about. */
export function outcome(payload: Json): Notice {
  const fields = errors(payload).map((each) =>
    each.code === "INVALID_CREDENTIALS" ? "password" : String(each.field ?? ""),
  );
  return { words: words(payload), wayOut: null, good: isDone(payload), fields };
}

export function words(payload: Json): string {
  return typeof payload.message === "string" ? payload.message : "The server gave no answer.";
}

/** Tell whether the token that was sent is good no more. */
export function isSpent(payload: Json): boolean {
  return errors(payload).some((each) => String(each.code).startsWith("TOKEN_"));
}

function errors(payload: Json): Json[] {
  return Array.isArray(payload.errors) ? payload.errors.filter(isObject) : [];
}

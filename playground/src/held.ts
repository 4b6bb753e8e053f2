/** What somebody who is signed in holds: tokens, for how long, and whose they are. */
import { isObject, type Json } from "./answer";

/** Milliseconds before expiry at which a token is traded for the next one. */
export const MARGIN = 15_000;

/** Whom an account is of; null is what nobody has told yet. */
export interface Person {
  name: string | null;
  email: string | null;
  isAdmin: boolean | null;
}

export interface Held extends Person {
  token: string;
  /** Milliseconds since 1970 by this machine's clock, right or wrong; null if nobody knows. */
  expiresAt: number | null;
  /** Milliseconds that the token was given to live. */
  life: number | null;
  refreshToken: string | null;
}

/** Take what a payload of login, refresh, register or changePassword gives; null without a token. */
export function fromPayload(payload: Json, now: number): Held | null {
  const { token } = payload;
  if (typeof token !== "string") return null;
  const life = lifeOf(token) ?? untilThen(payload.expiresAt, now);
  return {
    token,
    expiresAt: life === null ? null : now + life,
    life,
    refreshToken: text(payload.refreshToken),
    ...person(payload.customer),
  };
}

/** Read whom a customer of the schema is. */
export function person(customer: unknown): Person {
  const told = isObject(customer) ? customer : {};
  return {
    name: text(told.name),
    email: text(told.email),
    isAdmin: typeof told.isAdmin === "boolean" ? told.isAdmin : null,
  };
}

/** Tell how many milliseconds a token has left, 0 once it has expired, null if nobody knows. */
export function left(held: Held, now: number): number | null {
  return held.expiresAt === null ? null : Math.max(0, held.expiresAt - now);
}

/** Tell whether it is time for a new token; one of a few seconds waits for its last fifth. */
export function isDue(held: Held, now: number): boolean {
  const rest = left(held, now);
  return rest !== null && rest <= Math.min(MARGIN, (held.life ?? Infinity) / 5);
}

/** Read what was written into the session's storage, if it is what we write there. */
export function read(written: string | null): Held | null {
  try {
    const held: unknown = JSON.parse(written ?? "null");
    return isObject(held) && typeof held.token === "string" ? (held as unknown as Held) : null;
  } catch {
    return null;
  }
}

/**
 * Tell from its own dates how many milliseconds a JWT lives (RFC 7519 section 4.1).
 *
 * Counted from its arrival, it expires at the right moment even if this clock is wrong.
 */
function lifeOf(token: string): number | null {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const claims: unknown = JSON.parse(atob(part));
    if (!isObject(claims)) return null;
    const { iat, exp } = claims;
    return typeof iat === "number" && typeof exp === "number" ? (exp - iat) * 1000 : null;
  } catch {
    return null;
  }
}

function untilThen(moment: unknown, now: number): number | null {
  const then = typeof moment === "string" ? Date.parse(moment) : NaN;
  return Number.isNaN(then) ? null : then - now;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

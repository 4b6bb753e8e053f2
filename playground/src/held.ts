/** The session of a signed-in account: its tokens, their lifetime, and whose they are. */
import { isObject, type Json } from "./answer";

/** Milliseconds before its expiry at which a token is refreshed. */
export const REFRESH_MARGIN = 15_000;

/** The account of a session; fields that no answer had yet are null. */
export interface Person {
  name: string | null;
  email: string | null;
  isAdmin: boolean | null;
}

export interface Session extends Person {
  token: string;
  /** Milliseconds since 1970 by this machine's clock, right or wrong; null if unknown. */
  expiresAt: number | null;
  /** The token's lifetime in milliseconds, null if unknown. */
  life: number | null;
  refreshToken: string | null;
}

/** Return the session in a payload of login, refresh or the like; null without a token. */
export function fromPayload(payload: Json, now: number): Session | null {
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

/** Read the account from a Customer of the schema. */
export function person(customer: unknown): Person {
  const told = isObject(customer) ? customer : {};
  return {
    name: text(told.name),
    email: text(told.email),
    isAdmin: typeof told.isAdmin === "boolean" ? told.isAdmin : null,
  };
}

/** Return the milliseconds until a token expires, 0 once it has, null if unknown. */
export function timeLeft(held: Session, now: number): number | null {
  return held.expiresAt === null ? null : Math.max(0, held.expiresAt - now);
}

/** Return whether a refresh is due: in REFRESH_MARGIN, or a short lifetime's last fifth. */
export function isDue(held: Session, now: number): boolean {
  const rest = timeLeft(held, now);
  return rest !== null && rest <= Math.min(REFRESH_MARGIN, (held.life ?? Infinity) / 5);
}

/** Read a session from what was stored; null if it is no session. */
export function read(written: string | null): Session | null {
  try {
    const held: unknown = JSON.parse(written ?? "null");
    return isObject(held) && typeof held.token === "string" ? (held as unknown as Session) : null;
  } catch {
    return null;
  }
}

/** Return whether two tokens are of one session, by their sid claims: a refresh keeps it. */
export function areOfOneSession(one: string, other: string): boolean {
  const { sid } = claimsOf(one);
  return one === other || (sid !== undefined && sid === claimsOf(other).sid);
}

/**
 * Return a JWT's lifetime in milliseconds, by its iat and exp claims (RFC 7519 section 4.1).
 *
 * Counted from the token's arrival, it is right even if this machine's clock is wrong.
 */
function lifeOf(token: string): number | null {
  const { iat, exp } = claimsOf(token);
  return typeof iat === "number" && typeof exp === "number" ? (exp - iat) * 1000 : null;
}

/** Return the claims of a JWT; none of anything else. */
function claimsOf(token: string): Json {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const claims: unknown = JSON.parse(atob(part));
    return isObject(claims) ? claims : {};
  } catch {
    return {};
  }
}

function untilThen(moment: unknown, now: number): number | null {
  const then = typeof moment === "string" ? Date.parse(moment) : NaN;
  return Number.isNaN(then) ? null : then - now;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

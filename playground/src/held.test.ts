import { expect, test } from "vitest";
import { fromPayload, isDue, read, timeLeft, type Session } from "./held";
import { ADA, jwt, payload } from "./testing";

const NOW = 5_000_000;

function held(life: number): Session {
  return fromPayload(payload(1, life), NOW)!;
}

test("a session has a payload's tokens and its account", () => {
  expect(fromPayload(payload(1, 60), NOW)).toEqual({
    ...ADA,
    token: jwt(60, 1_000_001),
    expiresAt: NOW + 60_000,
    life: 60_000,
    refreshToken: "gar_1",
  });
});

test("a token's lifetime counts from its arrival, even if this machine's clock is wrong", () => {
  const expiresAt = "1999-01-01T00:00:00Z";
  expect(fromPayload({ token: jwt(60), expiresAt }, NOW)?.expiresAt).toBe(NOW + 60_000);
});

test.each([
  ["opaque", "2030-01-01T00:01:00Z", 60_000],
  ["a.bm90IEpTT04.c", "2030-01-01T00:01:00Z", 60_000],
  [`a.${btoa("[]")}.c`, "2030-01-01T00:01:00Z", 60_000],
  [`a.${btoa('{"iat": 1}')}.c`, "2030-01-01T00:01:00Z", 60_000],
  ["opaque", "nonsense", null],
  ["opaque", undefined, null],
])("the token %s that expires at %s has a lifetime of %s", (token, expiresAt, life) => {
  const now = Date.parse("2030-01-01T00:00:00Z");
  const found = fromPayload({ token, expiresAt }, now);
  expect([found?.life, found && timeLeft(found, now)]).toEqual([life, life]);
  expect(found && isDue(found, now)).toBe(false);
});

test.each([{ status: "ERROR", token: null }, {}, { token: 1 }])("%o holds nothing", (payload) => {
  expect(fromPayload(payload, NOW)).toBeNull();
});

test("fields that were not selected are null", () => {
  const { refreshToken, name, email, isAdmin } = fromPayload({ token: "t" }, NOW)!;
  expect([refreshToken, name, email, isAdmin]).toEqual([null, null, null, null]);
});

test.each([
  [3600, 15.001, false],
  [3600, 15, true],
  [3600, -1, true],
  [10, 2.001, false],
  [10, 2, true],
])("a token of %d seconds with %d left is due: %o", (life, rest, due) => {
  expect(isDue(held(life), NOW + (life - rest) * 1000)).toBe(due);
});

test("an expired token has no time left", () => {
  expect(timeLeft(held(60), NOW + 61_000)).toBe(0);
});

test.each([null, "", "nonsense", "[]", "7", '{"token": 7}'])("%j holds nothing", (written) => {
  expect(read(written)).toBeNull();
});

test("a stored session is read back", () => {
  expect(read(JSON.stringify(held(60)))).toEqual(held(60));
});

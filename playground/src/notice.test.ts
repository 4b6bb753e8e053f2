import { expect, test } from "vitest";
import { explain } from "./notice";
import { refused } from "./testing";

const AT_HAND = { own: false, canRefresh: true };

test.each([
  ["TOKEN_MISSING", "Nobody is signed in", "sign in"],
  ["TOKEN_MALFORMED", "no bearer token", "sign in"],
  ["TOKEN_INVALID", "not one of this server's", "sign in"],
  ["TOKEN_EXPIRED", "has expired", "refresh"],
  ["TOKEN_REVOKED", "session has ended", "sign in"],
])("%s is put into words, with a way out", (reason, words, wayOut) => {
  const notice = explain(refused(reason).errors!, AT_HAND);
  expect(notice).toEqual({ words: expect.stringContaining(words), wayOut });
});

test("whoever is no admin may sign in as one", () => {
  const notice = explain(refused("ADMIN_REQUIRED", "FORBIDDEN").errors!, AT_HAND);
  expect(notice).toEqual({ words: expect.stringContaining("for admins"), wayOut: "sign in" });
});

test("without a refresh token, what has expired is signed in again", () => {
  const circumstances = { own: false, canRefresh: false };
  expect(explain(refused("TOKEN_EXPIRED").errors!, circumstances)?.wayOut).toBe("sign in");
});

test("a header that was typed is to be taken out again", () => {
  const notice = explain(refused("TOKEN_EXPIRED").errors!, { own: true, canRefresh: true });
  expect(notice).toEqual({ words: expect.stringContaining("Headers tab"), wayOut: null });
});

test("a reason that is not known is told in the server's words", () => {
  expect(explain(refused("NEW").errors!, AT_HAND)?.words).toBe("No.");
});

test("other errors are none of the bar's", () => {
  const errors = [{ message: "No." }, ...refused("", "BAD_USER_INPUT").errors!];
  expect(explain(errors, AT_HAND)).toBeNull();
  expect(explain([], AT_HAND)).toBeNull();
});

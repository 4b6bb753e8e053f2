import { expect, test } from "vitest";
import { explain } from "./notice";
import { refused } from "./testing";

const CONTEXT = { own: false, canRefresh: true };

test.each([
  ["TOKEN_MISSING", "Nobody is signed in", "sign in"],
  ["TOKEN_MALFORMED", "no bearer token", "sign in"],
  ["TOKEN_INVALID", "not issued for this API", "sign in"],
  ["TOKEN_EXPIRED", "has expired", "refresh"],
  ["TOKEN_REVOKED", "session has ended", "sign in"],
])("%s is put into words, with an action", (reason, words, action) => {
  const notice = explain(refused(reason).errors!, CONTEXT);
  expect(notice).toEqual({ words: expect.stringContaining(words), action });
});

test("a caller who is no admin may sign in as one", () => {
  const notice = explain(refused("ADMIN_REQUIRED", "FORBIDDEN").errors!, CONTEXT);
  expect(notice).toEqual({ words: expect.stringContaining("for admins"), action: "sign in" });
});

test("without a refresh token, an expired token needs a new sign-in", () => {
  const context = { own: false, canRefresh: false };
  expect(explain(refused("TOKEN_EXPIRED").errors!, context)?.action).toBe("sign in");
});

test("a refused typed header is named", () => {
  const notice = explain(refused("TOKEN_EXPIRED").errors!, { own: true, canRefresh: true });
  expect(notice).toEqual({ words: expect.stringContaining("Headers tab"), action: null });
});

test("an unknown reason is shown with the server's message", () => {
  expect(explain(refused("NEW").errors!, CONTEXT)?.words).toBe("No.");
});

test("other errors have no notice", () => {
  const errors = [{ message: "No." }, ...refused("", "BAD_USER_INPUT").errors!];
  expect(explain(errors, CONTEXT)).toBeNull();
  expect(explain([], CONTEXT)).toBeNull();
});

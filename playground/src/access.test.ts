import { expect, test } from "vitest";
import { access } from "./access";

test.each([
  ["Who is signed in. Signed in only.", "Signed in only"],
  ["Adds a customer. Needs customers:write.", "Needs customers:write"],
  [
    "The phone number. Null unless it is the caller's own, or with customers:read_private.",
    "Null unless it is the caller's own",
  ],
  ["Needs customers:write.\n", "Needs customers:write"],
  ["A sentence that Needs nothing.", null],
  ["Needs an umbrella. Not a permission.", null],
  ["Explains the token that came with this request.", null],
  ["", null],
  [null, null],
])("%j says %j", (description, who) => {
  expect(access(description)).toBe(who);
});

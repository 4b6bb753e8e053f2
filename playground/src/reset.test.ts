import { expect, test } from "vitest";
import { resetToken } from "./reset";

test.each([
  ["#token=gap_abc-_", "gap_abc-_"],
  ["#a=b&token=x", "x"],
  ["#token=", ""],
  ["#other", null],
  ["", null],
])("in %j the token is %j", (hash, token) => {
  expect(resetToken(hash)).toBe(token);
});

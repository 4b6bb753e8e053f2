import { expect, test } from "vitest";
import { pageOf } from "./letters";

test.each([
  ["#token=gap_abc-_", "account/reset#token=gap_abc-_"],
  ["#a=b&token=x", "account/reset#a=b&token=x"],
  ["#other", null],
  ["", null],
])("the page of %j is %j", (hash, page) => {
  expect(pageOf(hash)).toBe(page);
});

import { expect, test } from "vitest";
import { nextVariables } from "./cursor";

const page = (endCursor: unknown) => ({ data: { customers: { pageInfo: { endCursor } } } });

test("the endCursor of a page becomes the variable of the next, and others stay", () => {
  expect(JSON.parse(nextVariables('{"after": null, "n": 1}', page("abc"))!)).toEqual({
    after: "abc",
    n: 1,
  });
});

test.each([
  ["{}", page("abc")],
  ["", page("abc")],
  ["[1]", page("abc")],
  ['{"after": nu', page("abc")],
  ['{"after": null}', page(null)],
  ['{"after": null}', { data: { customers: null } }],
  ['{"after": null}', { errors: [] }],
])("%s stays as it is after %o", (variables, answer) => {
  expect(nextVariables(variables, answer)).toBeNull();
});

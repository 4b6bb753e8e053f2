import { expect, test } from "vitest";
import { results } from "./answer";

const DONE = { status: "SUCCESS", token: "t" };

test.each([
  ["plainly", "mutation { login { status token } }", { login: DONE }],
  ["under an alias", "mutation { in: login { status token } }", { in: DONE }],
  [
    "with its fields under aliases",
    "mutation { login { s: status t: token } }",
    { login: { s: "SUCCESS", t: "t" } },
  ],
  [
    "in fragments",
    `mutation { ...A } fragment A on Mutation { ... { login { ...B } } }
     fragment B on LoginPayload { status ... on LoginPayload { token } }`,
    { login: DONE },
  ],
  ["in two halves", "mutation { login { status } login { token } }", { login: DONE }],
])("a login that is spelt %s is found", (_, query, data) => {
  expect(results(query, undefined, { data })).toEqual([{ field: "login", payload: DONE }]);
});

test("nested fields and lists have the schema's names too", () => {
  const query = "mutation { login { who: customer { n: name } errors { c: code } } }";
  const data = { login: { who: { n: "Ada" }, errors: [{ c: "INVALID" }] } };
  expect(results(query, undefined, { data })[0]?.payload).toEqual({
    customer: { name: "Ada" },
    errors: [{ code: "INVALID" }],
  });
});

test("only the requested operation counts", () => {
  const query = "mutation A { login { token } } mutation B { b: logout { status } }";
  const data = { login: { token: "t" }, b: { status: "SUCCESS" } };
  expect(results(query, "B", { data })).toEqual([{ field: "logout", payload: data.b }]);
});

test("several mutations are in the order in which they ran", () => {
  const query = "mutation { b: login { token } a: refresh { token } }";
  const answer = { data: { a: { token: "2" }, b: { token: "1" } } };
  expect(results(query, undefined, answer).map(({ field }) => field)).toEqual(["login", "refresh"]);
});

test.each([
  ["a query", "{ login: me { token: name } }", { data: { login: { token: "t" } } }],
  ["a field that is null", "mutation { logout { status } }", { data: { logout: null } }],
  ["an answer without data", "mutation { login { token } }", { errors: [] }],
  ["data that is null", "mutation { login { token } }", { data: null }],
  ["a document without operations", "fragment A on Q { a }", { data: { a: {} } }],
])("%s does nothing", (_, query, answer) => {
  expect(results(query, undefined, answer)).toEqual([]);
});

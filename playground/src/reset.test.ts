import { readFileSync } from "node:fs";
import { buildSchema, parse, validate } from "graphql";
import { expect, test } from "vitest";
import { resetting, resetToken } from "./reset";

test.each([
  ["#token=gap_abc-_", "gap_abc-_"],
  ["#a=b&token=x", "x"],
  ["#other", null],
  ["", null],
])("in %j the token is %j", (hash, token) => {
  expect(resetToken(hash)).toBe(token);
});

test("the operation fits the schema, whatever somebody put into the link", () => {
  const schema = readFileSync(`${import.meta.dirname}/../../schema.graphql`, "utf-8");
  const document = parse(resetting('x") { status } } mutation Evil { logout { status } } #'));
  expect(validate(buildSchema(schema), document)).toEqual([]);
  expect(document.definitions.length).toBe(1);
});

import { readFileSync } from "node:fs";
import { buildSchema, isObjectType } from "graphql";
import { expect, test } from "vitest";
import { access } from "./access";

const SCHEMA = buildSchema(readFileSync(`${import.meta.dirname}/../../schema.graphql`, "utf-8"));

test.each([
  ["Who is signed in. Signed in only.", "Signed in only"],
  ["Adds a customer. Needs customers:write.", "Needs customers:write"],
  [
    "Adds a customer. Needs customers:write. Needs a recent proof of identity.",
    "Needs customers:write. Needs a recent proof of identity",
  ],
  [
    "The phone number. Null unless it is the caller's own, or with customers:read_private.",
    "Null unless it is the caller's own",
  ],
  [
    "Makes codes. Signed in, with a recent proof of identity.",
    "Signed in, with a recent proof of identity",
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

test("exactly the guarded fields and those with private values have an access rule", () => {
  const fields = Object.values(SCHEMA.getTypeMap())
    .filter((type) => isObjectType(type))
    .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })));
  for (const { type, field } of fields) {
    const who = access(field.description);
    const isGuarded = Boolean(field.astNode?.directives?.length);
    const isPrivate = Boolean(who?.startsWith("Null unless"));
    expect([`${type.name}.${field.name}`, who !== null]).toEqual([
      `${type.name}.${field.name}`,
      isGuarded || isPrivate,
    ]);
  }
});

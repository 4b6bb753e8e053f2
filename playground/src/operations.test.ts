import { readFileSync } from "node:fs";
import { buildSchema, Kind, parse, validate } from "graphql";
import { expect, test } from "vitest";
import { OPERATIONS } from "./operations";

const SCHEMA = buildSchema(readFileSync(`${import.meta.dirname}/../../schema.graphql`, "utf-8"));

test.each(Object.entries(OPERATIONS))("%s fits the schema, as one operation", (name, text) => {
  const document = parse(text);
  expect(validate(SCHEMA, document)).toEqual([]);
  const [operation, ...others] = document.definitions;
  expect(operation?.kind).toBe(Kind.OPERATION_DEFINITION);
  expect(others.every((each) => each.kind === Kind.FRAGMENT_DEFINITION)).toBe(true);
  expect(name.startsWith("INTROSPECTION")).toBe(others.length > 0);
});

import { readFileSync } from "node:fs";
import { buildSchema, Kind, parse, validate } from "graphql";
import { expect, test } from "vitest";
import * as operations from "./operations";

const HERE = import.meta.dirname;
const SCHEMA = buildSchema(readFileSync(`${HERE}/../../schema.graphql`, "utf-8"));

test.each(Object.entries(operations))("%s fits the schema, as one operation", (_, text) => {
  const document = parse(text);
  expect(validate(SCHEMA, document)).toEqual([]);
  expect(document.definitions.map((each) => each.kind)).toEqual([Kind.OPERATION_DEFINITION]);
});

test("who reads the file finds the texts as they are sent", () => {
  const file = readFileSync(`${HERE}/operations.ts`, "utf-8");
  const found = [...file.matchAll(/^export const (\w+) = `([^`]*)`;$/gm)];
  expect(Object.fromEntries(found.map(([, name, text]) => [name, text]))).toEqual({
    ...operations,
  });
});

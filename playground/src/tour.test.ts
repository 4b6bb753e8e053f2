import { readFileSync } from "node:fs";
import { buildSchema, parse, validate } from "graphql";
import { expect, test } from "vitest";
import { tour } from "./tour";

const SCHEMA = buildSchema(readFileSync(`${import.meta.dirname}/../../schema.graphql`, "utf-8"));
const DEMO = {
  lacks: [],
  signIns: [{ role: "customer", email: "c@example.com", password: 'a "quoted" one' }],
  expiredToken: "eyJ.a.b",
};

test.each([{ lacks: [], signIns: [], expiredToken: null }, DEMO])(
  "the tour fits the schema",
  (facts) => {
    const document = parse(tour(facts));
    expect(validate(SCHEMA, document)).toEqual([]);
    expect(document.definitions.map((each) => "name" in each && each.name?.value)).toEqual([
      "SignIn",
      "Me",
      "FirstPage",
      "NextPage",
      "Sessions",
      "ExpiredToken",
    ]);
  },
);

test("the demo's tour has a sign-in and an expired token that work", () => {
  expect(tour(DEMO)).toContain(JSON.stringify(DEMO.signIns[0]!.password));
  expect(tour(DEMO)).toContain('{"Authorization":"Bearer eyJ.a.b"}');
});

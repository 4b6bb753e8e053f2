import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { curl } from "./curl";

/** Return the words into which a shell splits a command. */
function words(command: string): string[] {
  const shown = command.replace(/^curl/, "printf '%s\\0'");
  return execFileSync("sh", ["-c", shown], { encoding: "utf-8" }).split("\0").slice(0, -1);
}

test("a shell reads the page's request from the command, whatever characters it has", () => {
  const request = {
    query: `# it's "quoted" $HOME \`id\` \\\n{ customers(filter: { search: "O'Neill" }) { totalCount } }`,
    variables: { after: null },
    operationName: undefined,
  };
  const headers = new Headers({ authorization: "Bearer t", "x-mine": "it's" });
  const [url, ...options] = words(curl("http://127.0.0.1:8000/graphql", request, headers));
  expect(url).toBe("http://127.0.0.1:8000/graphql");
  expect(options.filter((each) => each === "-H").length).toBe(3);
  expect(options).toContain("authorization: Bearer t");
  expect(options).toContain("content-type: application/json");
  expect(options).toContain("x-mine: it's");
  expect(JSON.parse(options.at(-1)!)).toEqual({ ...request, operationName: undefined });
});

test("of several operations it has the requested one, with its fragments", () => {
  const query =
    'mutation A { login(password: "secret") { token } } query B { me { ...F } } fragment F on Customer { name }';
  const body = words(curl("u", { query, operationName: "B" }, new Headers())).at(-1)!;
  expect(JSON.parse(body).query).toBe(
    "query B {\n  me {\n    ...F\n  }\n}\n\nfragment F on Customer {\n  name\n}",
  );
});

test("what does not parse is left as it is", () => {
  const body = words(curl("u", { query: "query B {" }, new Headers())).at(-1)!;
  expect(JSON.parse(body)).toEqual({ query: "query B {" });
});

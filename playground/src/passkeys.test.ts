import { expect, test } from "vitest";
import { given, hindrance } from "./passkeys";

const HERE = { protocol: "http:", hostname: "localhost", port: "8000", pathname: "/graphql" };

test("a page that is opened by an IP address says by which name it should be", () => {
  const named = "Passkeys need a host name: open this page as http://localhost:8000/graphql.";
  expect(hindrance({ ...HERE, hostname: "127.0.0.1" }, true)).toBe(named);
  expect(hindrance({ ...HERE, hostname: "[::1]" }, true)).toBe(named);
  expect(hindrance({ ...HERE, hostname: "127.0.0.1", port: "" }, true)).toContain("localhost/g");
});

test.each(["192.0.2.7", "[2001:db8::7]"])("%s is no name, and not this machine's", (hostname) => {
  expect(hindrance({ ...HERE, hostname }, true)).toContain("by its name, not by an IP address");
});

test.each(["localhost", "example.com", "127.example.com"])("%s has passkeys", (hostname) => {
  expect(hindrance({ ...HERE, hostname }, true)).toBeNull();
});

test("without the browser's support it is said what is missing", () => {
  expect(hindrance(HERE, false)).toContain("newer browser");
});

test("a passkey is given as JSON, and what the browser throws in words", async () => {
  const credential = { toJSON: () => ({ id: "k" }) } as unknown as Credential;
  expect(await given(async () => credential)).toEqual({ passkey: { id: "k" } });
  expect(await given(async () => null)).toEqual({ words: expect.stringContaining("no passkey") });
  const thrown = (name: string) => given(() => Promise.reject(new DOMException("", name)));
  expect(await thrown("NotAllowedError")).toEqual(await given(async () => null));
  expect(await thrown("InvalidStateError")).toEqual({ words: expect.stringContaining("already") });
  expect(await thrown("SecurityError")).toEqual({ words: expect.stringContaining("domain") });
});

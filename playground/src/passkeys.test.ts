import { expect, test } from "vitest";
import { hindrance, result } from "./passkeys";

const HERE = { protocol: "http:", hostname: "localhost", port: "8000", pathname: "/graphql" };

test("a page at a loopback address suggests localhost", () => {
  const named = "Passkeys need a host name: open this page as http://localhost:8000/graphql.";
  expect(hindrance({ ...HERE, hostname: "127.0.0.1" }, true)).toBe(named);
  expect(hindrance({ ...HERE, hostname: "[::1]" }, true)).toBe(named);
  expect(hindrance({ ...HERE, hostname: "127.0.0.1", port: "" }, true)).toContain("localhost/g");
});

test.each(["192.0.2.7", "[2001:db8::7]"])("%s is no host name", (hostname) => {
  expect(hindrance({ ...HERE, hostname }, true)).toContain("by its name, not by an IP address");
});

test.each(["localhost", "example.com", "127.example.com"])("%s has passkeys", (hostname) => {
  expect(hindrance({ ...HERE, hostname }, true)).toBeNull();
});

test("a browser without support is told what is missing", () => {
  expect(hindrance(HERE, false)).toContain("newer browser");
});

test("a passkey is returned as JSON, and a DOMException as a sentence", async () => {
  const credential = { toJSON: () => ({ id: "k" }) } as unknown as Credential;
  expect(await result(async () => credential)).toEqual({ passkey: { id: "k" } });
  expect(await result(async () => null)).toEqual({ words: expect.stringContaining("no passkey") });
  const thrown = (name: string) => result(() => Promise.reject(new DOMException("", name)));
  expect(await thrown("NotAllowedError")).toEqual(await result(async () => null));
  expect(await thrown("InvalidStateError")).toEqual({ words: expect.stringContaining("already") });
  expect(await thrown("SecurityError")).toEqual({ words: expect.stringContaining("domain") });
});

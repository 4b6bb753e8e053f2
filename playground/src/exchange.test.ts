import { expect, test } from "vitest";
import { duration, isOk, size, status } from "./exchange";

const OK = { status: 200, size: 1, requestId: "r" };

test.each([
  [{ reply: OK, duration: 34.4 }, "200 OK", "34 ms", true],
  [{ reply: { ...OK, status: 401 }, duration: 999.4 }, "401 Unauthorized", "999 ms", false],
  [{ reply: { ...OK, status: 503 }, duration: 1000 }, "503 Service Unavailable", "1.0 s", false],
  [{ reply: { ...OK, status: 299 }, duration: 0 }, "299", "0 ms", true],
  [{ reply: null, duration: 60_000 }, "No answer", "60.0 s", false],
])("%o is shown as %s", (exchange, ...told) => {
  expect([status(exchange), duration(exchange), isOk(exchange)]).toEqual(told);
});

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [105_474, "105.5 kB"],
])("%d bytes are %s", (bytes, written) => {
  expect(size(bytes)).toBe(written);
});

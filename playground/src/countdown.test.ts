import { expect, test } from "vitest";
import { clock } from "./countdown";

test.each([
  [0, "0:00"],
  [59, "0:59"],
  [60, "1:00"],
  [3599, "59:59"],
  [3600, "1:00:00"],
  [90_061, "25:01:01"],
])("%d seconds are written %s", (seconds, written) => {
  expect(clock(seconds)).toBe(written);
});

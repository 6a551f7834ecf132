import { expect, test } from "vitest";
import { Backoff, DEFAULT_BACKOFF } from "./backoff";

test("waits double up to the longest, and begin anew after a success", () => {
  const backoff = new Backoff({ firstMs: 100, factor: 2, maxMs: 1000, jitter: 0.5 }, () => 0);
  const waits = Array.from({ length: 6 }, () => backoff.next());
  expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test("chance takes away at most the jitter's share, so that clients do not return all at once", () => {
  const nearlyOne = 1 - Number.EPSILON;
  const backoff = new Backoff({ firstMs: 100, factor: 2, maxMs: 1000, jitter: 0.5 }, () => nearlyOne);
  expect(backoff.next()).toBeCloseTo(50);
  expect(backoff.next()).toBeCloseTo(100);
});

test("a thousand attempts overflow nothing", () => {
  const backoff = new Backoff(DEFAULT_BACKOFF, () => 0);
  for (let i = 0; i < 2000; i += 1) expect(backoff.next()).toBeLessThanOrEqual(DEFAULT_BACKOFF.maxMs);
});

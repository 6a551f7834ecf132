import { expect, test } from "vitest";
import { formatBitrate, formatLoss, formatMillis, formatRate, formatSize } from "./format";
import { producerName } from "./names";

const id = "0b7c0a36-5a0c-4d53-9d0c-1f0a6b8f6a11";

test.each([
  [{ "display-name": "Door", name: "door-1" }, "Door"],
  [{ name: "door-1" }, "door-1"],
  [{ "display-name": "  ", name: 5 }, "Stream 0b7c0a36"],
  [null, "Stream 0b7c0a36"],
  ["Door", "Stream 0b7c0a36"],
])("a producer with %j is called %s", (meta, name) => {
  expect(producerName({ id, meta })).toBe(name);
});

test("a long name is cut, but not within a character", () => {
  const name = producerName({ id, meta: { name: "👩‍👩‍👧‍👦".repeat(100) } });
  expect(name).toBe(`${"👩‍👩‍👧‍👦".repeat(59)}…`);
});

test("numbers are written for people, and what is unknown is a dash", () => {
  expect(formatBitrate(2_345_678)).toBe("2.35 Mbit/s");
  expect(formatBitrate(64_400)).toBe("64 kbit/s");
  expect(formatBitrate(undefined)).toBe("–");
  expect(formatMillis(0.42)).toBe("0.4 ms");
  expect(formatMillis(42.4)).toBe("42 ms");
  expect(formatRate(29.97)).toBe("30.0 fps");
  expect(formatSize({ width: 640, height: 480 })).toBe("640×480");
  expect(formatSize({ width: 640 })).toBe("–");
  expect(formatLoss({ packetsLost: 3, lossRatio: 0.0123 })).toBe("3 (1.2 %)");
  expect(formatLoss({})).toBe("–");
});

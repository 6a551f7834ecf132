import { describe, expect, test } from "vitest";
import { Directory, MAX_PRODUCERS, sameJson } from "./directory";

describe("the directory", () => {
  test("follows lists and announcements, and says whether anything changed", () => {
    const directory = new Directory();
    expect(directory.handleList([{ id: "a", meta: null }])).toBe(true);
    expect(directory.handleList([{ id: "a", meta: null }])).toBe(false);
    expect(directory.handleStatus("b", ["producer", "listener"], { name: "B" })).toBe(true);
    expect(directory.handleStatus("b", ["producer"], { name: "B" })).toBe(false);
    expect(directory.handleStatus("b", ["producer"], { name: "Bee" })).toBe(true);
    expect(directory.handleStatus("c", ["listener"], null)).toBe(false);
    expect(directory.producers).toEqual([
      { id: "a", meta: null },
      { id: "b", meta: { name: "Bee" } },
    ]);
    expect(directory.handleStatus("a", [], null)).toBe(true);
    expect(directory.handleList([])).toBe(true);
    expect(directory.producers).toEqual([]);
  });

  test("keeps the order in which producers were first seen", () => {
    const directory = new Directory();
    directory.handleStatus("z", ["producer"], null);
    directory.handleStatus("a", ["producer"], null);
    directory.handleList(["m", "a", "z"].map((id) => ({ id, meta: null })));
    expect(directory.producers.map(({ id }) => id)).toEqual(["z", "a", "m"]);
  });

  test("knows who came after whom", () => {
    const directory = new Directory();
    directory.handleList([{ id: "twin", meta: { name: "A" } }]);
    const { news } = directory;
    directory.handleStatus("later", ["producer"], { name: "A" });
    directory.handleStatus("other", ["producer"], { name: "B" });
    directory.handleList(["twin", "later"].map((id) => ({ id, meta: { name: "A" } })));
    expect(directory.successors({ name: "A" }, news).map(({ id }) => id)).toEqual(["later"]);
  });

  test("does not grow without bound", () => {
    const directory = new Directory();
    directory.handleList(
      Array.from({ length: MAX_PRODUCERS + 5 }, (_, i) => ({ id: String(i), meta: null })),
    );
    directory.handleStatus("one more", ["producer"], null);
    expect(directory.producers).toHaveLength(MAX_PRODUCERS);
  });
});

test("JSON values are compared by what they say", () => {
  expect(sameJson({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true);
  expect(sameJson({ a: 1 }, { a: 1, b: undefined })).toBe(false);
  expect(sameJson([1, 2], [2, 1])).toBe(false);
  expect(sameJson([], {})).toBe(false);
  expect(sameJson({ toString: 1 }, { a: 1 })).toBe(false);
  expect(sameJson(null, {})).toBe(false);
});

test("values nested absurdly deep are different rather than a stack overflow", () => {
  const deep = (): unknown => JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`);
  expect(sameJson(deep(), deep())).toBe(false);
});

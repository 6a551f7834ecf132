import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { ClientMessage } from "../protocol/ClientMessage";
import { MAX_MESSAGE_LENGTH, parseServerMessage, serialiseClientMessage } from "./wire";

const GOLDEN = fileURLToPath(new URL("../../../protocol/golden/", import.meta.url));
const goldenFiles = existsSync(GOLDEN) ? readdirSync(GOLDEN).filter((file) => file.endsWith(".json")) : [];

describe.runIf(goldenFiles.length > 0)("golden messages, which the Rust tests read too", () => {
  const read = (file: string): string => readFileSync(`${GOLDEN}/${file}`, "utf8");

  test.each(goldenFiles.filter((file) => file.startsWith("server.")))(
    "%s is understood, and nothing of it lost",
    (file) => {
      const text = read(file);
      const json = JSON.parse(text) as Record<string, unknown>;
      expect(parseServerMessage(text)).toEqual({ ...json, ...absentMembers(json) });
    },
  );

  test.each(goldenFiles.filter((file) => file.startsWith("client.")))("%s is what would be sent", (file) => {
    const text = read(file).trim();
    expect(serialiseClientMessage(JSON.parse(text) as ClientMessage)).toBe(text);
  });

  /** Members that may be absent on the wire are null once parsed. */
  function absentMembers(json: Record<string, unknown>): Record<string, unknown> {
    if (json.type === "endSessionV1_1" && !("error" in json)) return { error: null };
    if (json.type === "startSession" && !("offer" in json)) return { offer: null };
    if (json.type === "peerStatusChanged" && !("meta" in json)) return { meta: null };
    return {};
  }
});

test.each([
  ["no JSON", "{"],
  ["no object", "[]"],
  ["null", "null"],
  ["no type", "{}"],
  ["an unknown type", '{"type":"roomJoined"}'],
  ["a missing id", '{"type":"welcome"}'],
  ["an id that is a number", '{"type":"welcome","peerId":7}'],
  ["an unknown role", '{"type":"peerStatusChanged","peerId":"a","roles":["king"]}'],
  ["roles that are no list", '{"type":"peerStatusChanged","peerId":"a","roles":"producer"}'],
  ["neither description nor candidate", '{"type":"peer","sessionId":"s"}'],
  [
    "both description and candidate",
    '{"type":"peer","sessionId":"s","sdp":{"type":"offer","sdp":""},"ice":{"candidate":"","sdpMLineIndex":0}}',
  ],
  ["a description of another type", '{"type":"peer","sessionId":"s","sdp":{"type":"rollback","sdp":""}}'],
  ["a negative m-line", '{"type":"peer","sessionId":"s","ice":{"candidate":"","sdpMLineIndex":-1}}'],
  ["an m-line of null", '{"type":"peer","sessionId":"s","ice":{"candidate":"","sdpMLineIndex":null}}'],
  ["a producer without an id", '{"type":"list","producers":[{"meta":null}]}'],
  ["an error without details", '{"type":"error"}'],
])("a message with %s is no message", (_what, text) => {
  expect(parseServerMessage(text)).toBeUndefined();
});

test("members that nobody knows are left out", () => {
  expect(
    parseServerMessage('{"type":"endSession","sessionId":"s","__proto__":{"x":1},"colour":"red"}'),
  ).toEqual({
    type: "endSession",
    sessionId: "s",
  });
});

test("a message that is far too long is not even looked at", () => {
  const text = JSON.stringify({ type: "error", details: "x".repeat(MAX_MESSAGE_LENGTH) });
  expect(parseServerMessage(text)).toBeUndefined();
});

test("a message that is nested absurdly deep is no failure", () => {
  const meta = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const text = `{"type":"peerStatusChanged","peerId":"a","roles":[],"meta":${meta}}`;
  expect(() => parseServerMessage(text)).not.toThrow();
});

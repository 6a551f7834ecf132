import { describe, expect, test } from "vitest";
import { WeirError } from "../errors";
import type { Ice } from "../protocol/Ice";
import {
  CONNECT_TIMEOUT_MS,
  DESCRIPTION_TIMEOUT_MS,
  DISCONNECTED_TIMEOUT_MS,
  MAX_REMOTE_CANDIDATES,
  MAX_WAITING_OFFERS,
  Session,
  type SessionCommand,
} from "./session";

const ice = (n: number): Ice => ({ candidate: `candidate:${n}`, sdpMLineIndex: 0 });
const offer = (sdp: string): { type: "offer"; sdp: string } => ({ type: "offer", sdp });
const answer = (sdp: string): { type: "answer"; sdp: string } => ({ type: "answer", sdp });
const sends = (payload: object): SessionCommand =>
  ({ kind: "send", message: { type: "peer", sessionId: "s", ...payload } }) as SessionCommand;

function receiving(now = 0): Session {
  const session = new Session({ peer: 1, sessionId: "s", direction: "receive" }, now);
  drain(session);
  return session;
}

function drain(session: Session): SessionCommand[] {
  const commands: SessionCommand[] = [];
  for (let command = session.pollCommand(); command; command = session.pollCommand()) commands.push(command);
  return commands;
}

describe("receiving", () => {
  test("answers an offer", () => {
    const session = receiving();
    session.handleRemoteDescription(offer("o1"));
    expect(drain(session)).toEqual([{ kind: "acceptOffer", peer: 1, sdp: "o1" }]);
    session.handleLocalDescription(answer("a1"));
    expect(drain(session)).toEqual([sends({ sdp: answer("a1") })]);
  });

  test("answers each of several offers, one after the other", () => {
    const session = receiving();
    for (const sdp of ["o1", "o2", "o3"]) session.handleRemoteDescription(offer(sdp));
    expect(drain(session)).toEqual([{ kind: "acceptOffer", peer: 1, sdp: "o1" }]);
    session.handleLocalDescription(answer("a1"));
    expect(drain(session)).toEqual([
      sends({ sdp: answer("a1") }),
      { kind: "acceptOffer", peer: 1, sdp: "o2" },
    ]);
    session.handleLocalDescription(answer("a2"));
    session.handleLocalDescription(answer("a3"));
    expect(drain(session).at(-1)).toEqual(sends({ sdp: answer("a3") }));
  });

  test("candidates that come before the description wait for it", () => {
    const session = receiving();
    session.handleRemoteCandidate(ice(1));
    session.handleRemoteCandidate(ice(2));
    expect(drain(session)).toEqual([]);
    session.handleRemoteDescription(offer("o"));
    expect(drain(session)).toEqual([
      { kind: "acceptOffer", peer: 1, sdp: "o" },
      { kind: "addCandidate", peer: 1, ice: ice(1) },
      { kind: "addCandidate", peer: 1, ice: ice(2) },
    ]);
    session.handleRemoteCandidate(ice(3));
    expect(drain(session)).toEqual([{ kind: "addCandidate", peer: 1, ice: ice(3) }]);
  });

  test("a flood of candidates is cut off", () => {
    const session = receiving();
    for (let i = 0; i < MAX_REMOTE_CANDIDATES + 100; i += 1) session.handleRemoteCandidate(ice(i));
    session.handleRemoteDescription(offer("o"));
    expect(drain(session)).toHaveLength(1 + MAX_REMOTE_CANDIDATES);
  });

  test("a flood of offers ends the session", () => {
    const session = receiving();
    for (let i = 0; i < MAX_WAITING_OFFERS + 2; i += 1) session.handleRemoteDescription(offer("o"));
    expect(drain(session).at(-1)).toMatchObject({ kind: "failed", error: { reason: "negotiation" } });
  });

  test("our candidates are held back until our description was sent", () => {
    const session = receiving();
    session.handleRemoteDescription(offer("o"));
    session.handleLocalCandidate(ice(7));
    drain(session);
    session.handleLocalDescription(answer("a"));
    expect(drain(session)).toEqual([sends({ sdp: answer("a") }), sends({ ice: ice(7) })]);
  });

  test("an answer that nobody asked for is ignored", () => {
    const session = receiving();
    session.handleRemoteDescription(answer("a"));
    expect(drain(session)).toEqual([]);
  });

  test("a description that the browser does not take ends the session", () => {
    const session = receiving();
    session.handleRemoteDescription(offer("o"));
    drain(session);
    session.handleNegotiationFailed("line 3 is odd");
    expect(drain(session)).toMatchObject([
      {
        kind: "failed",
        error: { reason: "negotiation", message: expect.stringContaining("line 3 is odd") as string },
      },
    ]);
  });
});

describe("sending", () => {
  test("offers, and takes the answer", () => {
    const session = new Session({ peer: 1, sessionId: "s", direction: "send" }, 0);
    expect(drain(session)).toEqual([
      { kind: "createPeer", peer: 1, direction: "send" },
      { kind: "createOffer", peer: 1 },
    ]);
    session.handleRemoteCandidate(ice(1));
    session.handleLocalDescription(offer("o"));
    expect(drain(session)).toEqual([sends({ sdp: offer("o") })]);
    session.handleRemoteDescription(answer("a"));
    expect(drain(session)).toEqual([
      { kind: "acceptAnswer", peer: 1, sdp: "a" },
      { kind: "addCandidate", peer: 1, ice: ice(1) },
    ]);
    session.handleRemoteDescription(answer("again"));
    expect(drain(session)).toEqual([]);
  });

  test("answers if the consumer made the offer", () => {
    const session = new Session({ peer: 1, sessionId: "s", direction: "send", offer: "theirs" }, 0);
    expect(drain(session)).toEqual([
      { kind: "createPeer", peer: 1, direction: "send" },
      { kind: "acceptOffer", peer: 1, sdp: "theirs" },
    ]);
    session.handleLocalDescription(answer("ours"));
    expect(drain(session)).toEqual([sends({ sdp: answer("ours") })]);
  });

  test("offers of a consumer inside a session are ignored: the wire forbids them", () => {
    const session = new Session({ peer: 1, sessionId: "s", direction: "send" }, 0);
    drain(session);
    session.handleRemoteDescription(offer("theirs"));
    expect(drain(session)).toEqual([]);
  });
});

describe("time", () => {
  test("no description in time ends the session", () => {
    const session = receiving(100);
    expect(session.pollTimeout()).toBe(100 + DESCRIPTION_TIMEOUT_MS);
    session.handleTimeout(99 + DESCRIPTION_TIMEOUT_MS);
    expect(drain(session)).toEqual([]);
    session.handleTimeout(100 + DESCRIPTION_TIMEOUT_MS);
    expect(drain(session)).toMatchObject([{ kind: "failed", error: { reason: "timeout" } }]);
    expect(session.pollTimeout()).toBeUndefined();
  });

  test("no connection in time ends the session, however often it was offered anew", () => {
    const session = receiving(0);
    session.handleRemoteDescription(offer("o"));
    session.handleLocalDescription(answer("a"));
    session.handleRemoteDescription(offer("o2"));
    session.handleLocalDescription(answer("a2"));
    drain(session);
    session.handleTimeout(CONNECT_TIMEOUT_MS);
    expect(drain(session)).toMatchObject([{ kind: "failed", error: { reason: "network-path" } }]);
  });

  test("a connection that heals is kept, one that stays broken is not", () => {
    const session = receiving(0);
    session.handleConnectionState("connected", 1000);
    expect(drain(session)).toEqual([{ kind: "connected" }]);
    expect(session.pollTimeout()).toBeUndefined();
    session.handleConnectionState("disconnected", 2000);
    session.handleConnectionState("connected", 3000);
    session.handleTimeout(2000 + DISCONNECTED_TIMEOUT_MS);
    expect(drain(session)).toEqual([]);
    session.handleConnectionState("disconnected", 20_000);
    session.handleTimeout(20_000 + DISCONNECTED_TIMEOUT_MS);
    expect(drain(session)).toMatchObject([{ kind: "failed", error: { reason: "network-path" } }]);
  });
});

describe("ending", () => {
  test("without a reason it is one message", () => {
    const session = receiving();
    session.end();
    expect(drain(session)).toEqual([
      { kind: "send", message: { type: "endSession", sessionId: "s" } },
      { kind: "closePeer", peer: 1 },
    ]);
  });

  test("with a reason it is told in both versions of the wire", () => {
    const session = receiving();
    session.end(WeirError.networkPath());
    expect(drain(session)).toMatchObject([
      {
        kind: "send",
        message: {
          type: "endSessionV1_1",
          sessionId: "s",
          error: expect.stringMatching(/^network-path: There/) as string,
        },
      },
      { kind: "send", message: { type: "endSession", sessionId: "s" } },
      { kind: "closePeer", peer: 1 },
    ]);
  });

  test("nothing is said about a session that the server does not know", () => {
    const session = receiving();
    session.handleUnsignalled();
    session.handleLocalCandidate(ice(1));
    session.end();
    expect(drain(session)).toEqual([{ kind: "closePeer", peer: 1 }]);
  });

  test("what comes after the end is ignored", () => {
    const session = receiving();
    session.end();
    drain(session);
    session.end();
    session.handleRemoteDescription(offer("o"));
    session.handleRemoteCandidate(ice(1));
    session.handleConnectionState("failed", 10);
    session.handleTimeout(1_000_000);
    expect(drain(session)).toEqual([]);
    expect(session.pollTimeout()).toBeUndefined();
  });
});

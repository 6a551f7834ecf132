import { describe, expect, test } from "vitest";
import type { Participant } from "./protocol/Participant";
import { FRAME_TIMEOUT_MS, LINGER_MS, STABLE_MS, START_TIMEOUT_MS } from "./sessions/watch";
import { IDLE_ANSWER_MS, IDLE_MS } from "./signalling/connection";
import { Simulation } from "./testing/simulation";

const camera = { id: "camera", meta: { name: "Camera" } };

/** A simulation whose server is there and lists these producers. */
function joined(producers: readonly Participant[] = [camera]): Simulation {
  const simulation = new Simulation();
  simulation.act((engine, now) => {
    engine.connect(now);
  });
  simulation.join("me", producers);
  return simulation;
}

/** …and that watches one of them. */
function watching(producers: readonly Participant[] = [camera]): { simulation: Simulation; watch: number } {
  const simulation = joined(producers);
  let watch = 0;
  simulation.act((engine, now) => {
    watch = engine.watch("camera", now);
  });
  return { simulation, watch };
}

/** …and sees it. */
function playing(producers: readonly Participant[] = [camera]): {
  simulation: Simulation;
  watch: number;
  peer: number;
} {
  const { simulation, watch } = watching(producers);
  const peer = simulation.playSession("s1");
  simulation.media(peer);
  expect(simulation.engine.watchState(watch)).toMatchObject({ phase: "playing" });
  simulation.commands = [];
  return { simulation, watch, peer };
}

describe("watching", () => {
  test("asks for a session and shows what comes", () => {
    const { simulation, watch } = watching();
    expect(simulation.sentOf("startSession")).toEqual([{ type: "startSession", peerId: "camera" }]);
    expect(simulation.engine.watchState(watch)?.phase).toBe("starting");
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "s1" });
    const [{ peer } = { peer: -1 }] = simulation.take("createPeer");
    expect(simulation.take("show")).toEqual([{ kind: "show", watch, peer }]);
  });

  test("tells the time from asking to the first frame", () => {
    const { simulation, watch } = watching();
    simulation.advance(30);
    const peer = simulation.playSession("s1");
    simulation.advance(90);
    simulation.media(peer);
    simulation.media(peer);
    expect(simulation.take("firstFrame")).toEqual([{ kind: "firstFrame", watch, millis: 120 }]);
  });

  test("a producer that is not there yet is waited for", () => {
    const { simulation, watch } = watching([]);
    expect(simulation.sentOf("startSession")).toEqual([]);
    expect(simulation.engine.watchState(watch)).toMatchObject({
      phase: "waiting",
      error: { reason: "producer-gone" },
    });
    simulation.say({ type: "peerStatusChanged", peerId: "camera", roles: ["producer"], meta: camera.meta });
    expect(simulation.sentOf("startSession")).toHaveLength(1);
  });

  test("a watching that begins before the server is there starts with it", () => {
    const simulation = new Simulation();
    simulation.act((engine, now) => {
      engine.watch("camera", now);
      engine.connect(now);
    });
    simulation.open();
    simulation.say({ type: "welcome", peerId: "me" });
    simulation.say({ type: "list", producers: [camera] });
    expect(simulation.sentOf("startSession")).toHaveLength(1);
  });

  test("several producers can be watched at once, each session finding its own", () => {
    const { simulation } = watching([camera, { id: "screen", meta: { name: "Screen" } }]);
    simulation.act((engine, now) => {
      engine.watch("screen", now);
    });
    simulation.say({ type: "sessionStarted", peerId: "screen", sessionId: "of-screen" });
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "of-camera" });
    const [first, second] = simulation.take("createPeer");
    simulation.say({ type: "peer", sessionId: "of-camera", sdp: { type: "offer", sdp: "camera's" } });
    expect(simulation.take("acceptOffer")).toEqual([
      { kind: "acceptOffer", peer: second?.peer, sdp: "camera's" },
    ]);
    expect(first?.peer).not.toBe(second?.peer);
  });

  test("a session that comes when nobody wants it any more is ended", () => {
    const { simulation, watch } = watching();
    simulation.act((engine, now) => {
      engine.unwatch(watch, now);
    });
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "late" });
    expect(simulation.sentOf("endSession")).toEqual([{ type: "endSession", sessionId: "late" }]);
    expect(simulation.take("createPeer")).toEqual([]);
  });

  test("closing ends the session and forgets the watching", () => {
    const { simulation, watch, peer } = playing();
    simulation.act((engine, now) => {
      engine.unwatch(watch, now);
    });
    expect(simulation.sentOf("endSession")).toEqual([{ type: "endSession", sessionId: "s1" }]);
    expect(simulation.take("closePeer")).toEqual([{ kind: "closePeer", peer }]);
    expect(simulation.engine.watchState(watch)).toBeUndefined();
  });
});

describe("a session that comes to nothing", () => {
  test("is asked for again, more and more slowly", () => {
    const { simulation } = watching();
    const times: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      expect(simulation.sentOf("startSession")).toHaveLength(1);
      times.push(simulation.now);
      simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: `s${i}` });
      simulation.say({
        type: "endSessionV1_1",
        sessionId: `s${i}`,
        error: "too-many-viewers: There are too many.",
      });
      const [next] = [simulation.engine.pollTimeout() ?? 0];
      simulation.advance(next - simulation.now);
    }
    const waits = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(waits).toEqual([300, 600, 1200, 2400]);
  });

  test("begins anew with short waits after media has flowed, or the server came back", () => {
    const { simulation } = watching();
    const fail = (n: number): void => {
      simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: `f${n}` });
      simulation.say({ type: "endSession", sessionId: `f${n}` });
    };
    const waitForNext = (): number => {
      simulation.sent();
      const begin = simulation.now;
      while (simulation.sentOf("startSession").length === 0) simulation.advance(100);
      return simulation.now - begin;
    };
    fail(1);
    expect(waitForNext()).toBe(300);
    fail(2);
    expect(waitForNext()).toBe(600);
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "good" });
    const peer = simulation.take("createPeer").at(-1)?.peer ?? -1;
    simulation.connectionState(peer, "connected");
    simulation.media(peer);
    simulation.advance(STABLE_MS);
    simulation.connectionState(peer, "failed");
    expect(waitForNext()).toBe(300);
    fail(3);
    expect(waitForNext()).toBe(600);
    simulation.breakSocket();
    simulation.advance(300);
    simulation.open();
    simulation.say({ type: "welcome", peerId: "me again" });
    simulation.say({ type: "list", producers: [camera] });
    fail(4);
    expect(waitForNext()).toBe(300);
  });

  test("says why", () => {
    const { simulation, watch } = watching();
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "s" });
    simulation.say({
      type: "endSessionV1_1",
      sessionId: "s",
      error: "too-many-viewers: There are too many.",
    });
    expect(simulation.engine.watchState(watch)).toMatchObject({
      phase: "waiting",
      error: {
        reason: "session-ended",
        code: "too-many-viewers",
        message: "The other side ended the session: There are too many.",
      },
    });
  });

  test("a refusal finds the watching that it is meant for", () => {
    const { simulation, watch } = watching([camera, { id: "screen", meta: null }]);
    let other = 0;
    simulation.act((engine, now) => {
      other = engine.watch("screen", now);
    });
    simulation.say({ type: "error", details: "Peer with ID 'screen' not found" });
    expect(simulation.engine.watchState(other)).toMatchObject({
      phase: "waiting",
      error: { reason: "refused" },
    });
    expect(simulation.engine.watchState(watch)?.phase).toBe("starting");
    expect(simulation.take("refused")).toEqual([]);
  });

  test("a refusal that names nobody is told by its code", () => {
    const { simulation, watch } = watching();
    simulation.say({ type: "error", details: "Too many sessions", code: "too-many-sessions" });
    expect(simulation.engine.watchState(watch)).toMatchObject({ error: { code: "too-many-sessions" } });
  });

  test("other refusals are reported", () => {
    const { simulation } = playing();
    simulation.say({ type: "error", details: "Something else" });
    expect(simulation.take("refused")).toMatchObject([{ error: { reason: "refused" } }]);
  });

  test("a server that never answers the request is asked again", () => {
    const { simulation } = watching();
    simulation.sent();
    simulation.advance(START_TIMEOUT_MS);
    expect(simulation.sentOf("startSession")).toEqual([]);
    simulation.advance(1000);
    expect(simulation.sentOf("startSession")).toHaveLength(1);
    // The answer to the first request, when it comes at last, is not taken for one to the second.
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "late" });
    expect(simulation.sentOf("endSession")).toEqual([{ type: "endSession", sessionId: "late" }]);
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "wanted" });
    expect(simulation.take("createPeer")).toHaveLength(1);
  });
});

describe("while the server is gone", () => {
  test("the picture stays, however long that is", () => {
    const { simulation, watch } = playing();
    simulation.advance(10_000);
    simulation.breakSocket();
    expect(simulation.engine.watchState(watch)).toMatchObject({
      phase: "resuming",
      error: { reason: "disconnected" },
    });
    for (let i = 0; i < 20; i += 1) {
      simulation.advance(16_000);
      simulation.breakSocket();
    }
    expect(simulation.take("closePeer")).toEqual([]);
    expect(simulation.engine.watchState(watch)?.phase).toBe("resuming");
  });

  test("the picture is replaced when the next session's first frame is there", () => {
    const { simulation, watch, peer } = playing();
    simulation.breakSocket();
    simulation.advance(300);
    simulation.open();
    simulation.say({ type: "welcome", peerId: "me again" });
    simulation.say({ type: "list", producers: [camera] });
    const next = simulation.playSession("s2");
    expect(simulation.take("closePeer")).toEqual([]);
    expect(simulation.take("show")).toEqual([]);
    expect(simulation.engine.watchState(watch)?.phase).toBe("resuming");
    simulation.media(next);
    expect(simulation.take("show")).toEqual([{ kind: "show", watch, peer: next }]);
    expect(simulation.take("closePeer")).toEqual([{ kind: "closePeer", peer }]);
    expect(simulation.sentOf("endSession")).toEqual([]);
    const state = simulation.engine.watchState(watch);
    expect(state?.phase).toBe("playing");
    expect(state?.error).toBeUndefined();
  });

  test("a next session without a frame replaces the old one after a while: the old one's days are counted", () => {
    const { simulation, peer } = playing();
    simulation.breakSocket();
    simulation.advance(300);
    simulation.open();
    simulation.say({ type: "welcome", peerId: "me again" });
    simulation.say({ type: "list", producers: [camera] });
    simulation.playSession("s2");
    simulation.advance(FRAME_TIMEOUT_MS);
    expect(simulation.take("closePeer")).toEqual([{ kind: "closePeer", peer }]);
  });

  test("a producer that registers anew is known by its metadata", () => {
    const { simulation, watch } = playing([camera, { id: "other", meta: { name: "Other" } }]);
    simulation.breakSocket();
    simulation.advance(300);
    simulation.open();
    simulation.say({ type: "welcome", peerId: "me again" });
    simulation.say({ type: "list", producers: [{ id: "other anew", meta: { name: "Other" } }] });
    expect(simulation.sentOf("startSession")).toEqual([]);
    simulation.say({
      type: "peerStatusChanged",
      peerId: "anew",
      roles: ["producer"],
      meta: { name: "Camera" },
    });
    expect(simulation.sentOf("startSession")).toEqual([{ type: "startSession", peerId: "anew" }]);
    expect(simulation.engine.watchState(watch)?.producer.id).toBe("anew");
  });

  test("a picture that fails meanwhile is gone", () => {
    const { simulation, watch, peer } = playing();
    simulation.breakSocket();
    simulation.connectionState(peer, "failed");
    expect(simulation.take("closePeer")).toEqual([{ kind: "closePeer", peer }]);
    expect(simulation.engine.watchState(watch)).toMatchObject({ phase: "waiting" });
  });

  test("a session in the making is given up", () => {
    const { simulation } = watching();
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "s1" });
    simulation.breakSocket();
    expect(simulation.take("closePeer")).toHaveLength(1);
  });

  test("a session that is connected and has no picture yet is kept: it may still come", () => {
    const { simulation, watch } = watching();
    const peer = simulation.playSession("s1");
    simulation.breakSocket();
    expect(simulation.take("closePeer")).toEqual([]);
    simulation.media(peer);
    expect(simulation.engine.watchState(watch)?.phase).toBe("resuming");
  });

  test("the answer to a request from before is not waited for", () => {
    const { simulation } = watching();
    simulation.sent();
    simulation.breakSocket();
    simulation.advance(300);
    simulation.open();
    simulation.say({ type: "welcome", peerId: "me again" });
    simulation.say({ type: "list", producers: [camera] });
    simulation.say({ type: "sessionStarted", peerId: "camera", sessionId: "s2" });
    expect(simulation.take("createPeer")).toHaveLength(1);
    expect(simulation.sentOf("endSession")).toEqual([]);
  });

  test("a server that vanishes without a word is found out, and the picture stays", () => {
    const { simulation, watch } = playing();
    simulation.advance(IDLE_MS + IDLE_ANSWER_MS);
    expect(simulation.engine.connection.error).toMatchObject({ reason: "unreachable" });
    expect(simulation.engine.watchState(watch)?.phase).toBe("resuming");
    expect(simulation.take("closePeer")).toEqual([]);
  });
});

describe("when the session ends while the server is there", () => {
  test("the next one is asked for, and the old connection is closed after a moment", () => {
    const { simulation, watch, peer } = playing();
    simulation.say({ type: "endSession", sessionId: "s1" });
    expect(simulation.take("closePeer")).toEqual([]);
    simulation.advance(300);
    expect(simulation.sentOf("startSession")).toHaveLength(1);
    simulation.advance(LINGER_MS);
    expect(simulation.take("closePeer")).toEqual([{ kind: "closePeer", peer }]);
    expect(simulation.engine.watchState(watch)?.phase).toBe("starting");
  });

  test("an end that was the server's own is no end of the picture", () => {
    const { simulation, watch } = playing();
    simulation.say({ type: "endSession", sessionId: "s1" });
    simulation.advance(100);
    simulation.breakSocket();
    simulation.advance(60_000);
    expect(simulation.take("closePeer")).toEqual([]);
    expect(simulation.engine.watchState(watch)?.phase).toBe("resuming");
  });

  test("a producer that left is waited for, without asking for it over and over", () => {
    const { simulation, watch } = playing();
    simulation.say({ type: "endSession", sessionId: "s1" });
    simulation.say({ type: "peerStatusChanged", peerId: "camera", roles: [], meta: camera.meta });
    simulation.advance(IDLE_MS);
    expect(simulation.sentOf("startSession")).toEqual([]);
    expect(simulation.engine.watchState(watch)).toMatchObject({
      phase: "waiting",
      error: { reason: "producer-gone" },
    });
    simulation.say({ type: "peerStatusChanged", peerId: "back", roles: ["producer"], meta: camera.meta });
    expect(simulation.sentOf("startSession")).toEqual([{ type: "startSession", peerId: "back" }]);
  });

  test("a producer that says goodbye by closing its connection is waited for just so", () => {
    const { simulation, watch, peer } = playing();
    simulation.connectionState(peer, "closed");
    expect(simulation.engine.watchState(watch)).toMatchObject({ error: { reason: "session-ended" } });
    simulation.say({ type: "endSession", sessionId: "s1" });
    simulation.say({ type: "peerStatusChanged", peerId: "camera", roles: [], meta: camera.meta });
    expect(simulation.engine.watchState(watch)).toMatchObject({
      phase: "waiting",
      error: { reason: "producer-gone" },
    });
    expect(simulation.engine.pollTimeout()).toBeGreaterThan(simulation.now + 1000);
  });

  test("a twin that was there all along is not taken for the producer that left", () => {
    const twin = { id: "twin", meta: camera.meta };
    const { simulation } = playing([camera, twin]);
    simulation.say({ type: "endSession", sessionId: "s1" });
    simulation.say({ type: "peerStatusChanged", peerId: "camera", roles: [], meta: camera.meta });
    simulation.advance(5000);
    expect(simulation.sentOf("startSession")).toEqual([]);
  });

  test("two watchings do not take the same successor", () => {
    const twin = { id: "twin", meta: camera.meta };
    const { simulation, watch } = playing([camera, twin]);
    let other = 0;
    simulation.act((engine, now) => {
      other = engine.watch("twin", now);
    });
    simulation.media(simulation.playSession("s2"));
    simulation.breakSocket();
    simulation.advance(300);
    simulation.join("me again", [
      { id: "a", meta: camera.meta },
      { id: "b", meta: camera.meta },
    ]);
    const ids = [watch, other].map((key) => simulation.engine.watchState(key)?.producer.id);
    expect(ids.sort()).toEqual(["a", "b"]);
  });

  test("a broken network path is ended with its reason, and tried again", () => {
    const { simulation, peer } = playing();
    simulation.connectionState(peer, "failed");
    expect(simulation.sent()).toMatchObject([
      { type: "endSessionV1_1", sessionId: "s1", error: expect.stringMatching(/^network-path: /) as string },
      { type: "endSession", sessionId: "s1" },
    ]);
    simulation.advance(300);
    expect(simulation.sentOf("startSession")).toHaveLength(1);
  });

  test("what others say about sessions that are none of ours changes nothing", () => {
    const { simulation, watch } = playing();
    simulation.say({ type: "endSession", sessionId: "another" });
    simulation.say({ type: "peer", sessionId: "another", sdp: { type: "offer", sdp: "x" } });
    expect(simulation.engine.watchState(watch)?.phase).toBe("playing");
    expect(simulation.take("acceptOffer")).toEqual([]);
  });

  test("a re-offer is answered while the picture goes on", () => {
    const { simulation, watch, peer } = playing();
    simulation.say({ type: "peer", sessionId: "s1", sdp: { type: "offer", sdp: "fewer streams" } });
    expect(simulation.take("acceptOffer")).toEqual([{ kind: "acceptOffer", peer, sdp: "fewer streams" }]);
    simulation.act((engine, now) => {
      engine.handleLocalDescription(peer, { type: "answer", sdp: "fine" }, now);
    });
    expect(simulation.sentOf("peer")).toEqual([
      { type: "peer", sessionId: "s1", sdp: { type: "answer", sdp: "fine" } },
    ]);
    expect(simulation.engine.watchState(watch)?.phase).toBe("playing");
  });
});

describe("publishing", () => {
  function publishing(maxConsumers = 2): Simulation {
    const simulation = joined([]);
    simulation.act((engine, now) => {
      engine.publish({ name: "Mine" }, maxConsumers, now);
    });
    expect(simulation.engine.publication?.phase).toBe("registering");
    simulation.echo("me");
    expect(simulation.engine.publication).toEqual({ phase: "live", consumers: 0 });
    simulation.commands = [];
    return simulation;
  }

  test("each consumer gets an offer of its own", () => {
    const simulation = publishing();
    for (const n of [1, 2]) {
      simulation.say({ type: "startSession", peerId: `viewer ${n}`, sessionId: `s${n}`, offer: null });
      const [{ peer } = { peer: -1 }] = simulation.take("createOffer");
      simulation.act((engine, now) => {
        engine.handleLocalDescription(peer, { type: "offer", sdp: `offer ${n}` }, now);
      });
      expect(simulation.sentOf("peer")).toEqual([
        { type: "peer", sessionId: `s${n}`, sdp: { type: "offer", sdp: `offer ${n}` } },
      ]);
    }
    expect(simulation.engine.publication).toEqual({ phase: "live", consumers: 2 });
  });

  test("more consumers than wanted are turned away with a reason", () => {
    const simulation = publishing(1);
    simulation.say({ type: "startSession", peerId: "a", sessionId: "s1", offer: null });
    simulation.say({ type: "startSession", peerId: "b", sessionId: "s2", offer: null });
    expect(simulation.sent()).toMatchObject([
      { type: "endSessionV1_1", sessionId: "s2" },
      { type: "endSession", sessionId: "s2" },
    ]);
    expect(simulation.engine.publication?.consumers).toBe(1);
  });

  test("whoever watches may watch on while the server is gone; then this producer is listed again", () => {
    const simulation = publishing();
    simulation.say({ type: "startSession", peerId: "viewer", sessionId: "s1", offer: null });
    const [{ peer } = { peer: -1 }] = simulation.take("createPeer");
    simulation.connectionState(peer, "connected");
    simulation.breakSocket();
    expect(simulation.engine.publication).toEqual({ phase: "registering", consumers: 1 });
    simulation.advance(300);
    simulation.open();
    simulation.say({ type: "welcome", peerId: "me again" });
    expect(simulation.sentOf("setPeerStatus")).toEqual([
      { type: "setPeerStatus", roles: ["listener", "producer"], meta: { name: "Mine" }, peerId: "me again" },
    ]);
    simulation.say({
      type: "peerStatusChanged",
      peerId: "me again",
      roles: ["listener", "producer"],
      meta: null,
    });
    simulation.say({ type: "list", producers: [] });
    expect(simulation.engine.publication).toEqual({ phase: "live", consumers: 1 });
    expect(simulation.take("closePeer")).toEqual([]);
    simulation.connectionState(peer, "closed");
    expect(simulation.take("closePeer")).toEqual([{ kind: "closePeer", peer }]);
    expect(simulation.engine.publication?.consumers).toBe(0);
  });

  test("an end that was the server's own is no end for who watches", () => {
    const simulation = publishing();
    simulation.say({ type: "startSession", peerId: "viewer", sessionId: "s1", offer: null });
    const [{ peer } = { peer: -1 }] = simulation.take("createPeer");
    simulation.connectionState(peer, "connected");
    simulation.say({ type: "endSession", sessionId: "s1" });
    simulation.breakSocket();
    simulation.advance(300);
    simulation.join("me again");
    simulation.advance(10_000);
    expect(simulation.take("closePeer")).toEqual([]);
    expect(simulation.engine.publication?.consumers).toBe(1);
  });

  test("a consumer that leaves is no longer counted, and its connection is closed", () => {
    const simulation = publishing();
    simulation.say({ type: "startSession", peerId: "viewer", sessionId: "s1", offer: null });
    const [{ peer } = { peer: -1 }] = simulation.take("createPeer");
    simulation.connectionState(peer, "connected");
    simulation.say({ type: "endSession", sessionId: "s1" });
    expect(simulation.engine.publication?.consumers).toBe(0);
    simulation.advance(LINGER_MS);
    expect(simulation.take("closePeer")).toEqual([{ kind: "closePeer", peer }]);
  });

  test("ending it ends every session and the role", () => {
    const simulation = publishing();
    simulation.say({ type: "startSession", peerId: "viewer", sessionId: "s1", offer: null });
    simulation.commands = [];
    simulation.act((engine, now) => {
      engine.unpublish(now);
    });
    expect(simulation.sent()).toEqual([
      { type: "endSession", sessionId: "s1" },
      { type: "setPeerStatus", roles: ["listener"], meta: null, peerId: "me" },
    ]);
    expect(simulation.take("closePeer")).toHaveLength(1);
    expect(simulation.engine.publication).toBeUndefined();
  });

  test("one client publishes one thing", () => {
    const simulation = publishing();
    expect(() => {
      simulation.engine.publish(null, 1, 0);
    }).toThrow(expect.objectContaining({ reason: "already-publishing" }));
  });

  test("who publishes nothing starts no session", () => {
    const simulation = joined();
    simulation.say({ type: "startSession", peerId: "viewer", sessionId: "s1", offer: null });
    expect(simulation.sent()).toEqual([{ type: "endSession", sessionId: "s1" }]);
    expect(simulation.take("createPeer")).toEqual([]);
  });
});

test("closing the client ends everything and wants nothing more", () => {
  const { simulation } = playing();
  simulation.act((engine, now) => {
    engine.publish(null, 1, now);
    engine.close(now);
  });
  expect(simulation.take("closePeer")).toHaveLength(1);
  expect(simulation.sentOf("endSession")).toHaveLength(1);
  expect(simulation.take("closeSocket")).toHaveLength(1);
  expect(simulation.engine.connection.phase).toBe("closed");
  expect(simulation.engine.pollTimeout()).toBeUndefined();
});

test("an hour with a server that comes and goes leaves one connection open, never more than two", () => {
  let seed = 12345;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  const simulation = new Simulation(random);
  simulation.act((engine, now) => {
    engine.connect(now);
    engine.watch("camera", now);
  });
  const open = new Set<number>();
  const count = (): void => {
    for (const { peer } of simulation.take("createPeer")) open.add(peer);
    for (const { peer } of simulation.take("closePeer")) open.delete(peer);
    expect(open.size).toBeLessThanOrEqual(2);
  };
  for (let round = 0; round < 200; round += 1) {
    simulation.open();
    simulation.say({ type: "welcome", peerId: `me ${round}` });
    simulation.say({ type: "list", producers: [camera] });
    const asked = simulation.sentOf("startSession");
    if (asked.length > 0) {
      const sessionId = `s${round}`;
      simulation.say({ type: "sessionStarted", peerId: "camera", sessionId });
      const peer = simulation.commands.find((command) => command.kind === "createPeer")?.peer ?? -1;
      if (random() < 0.8) simulation.connectionState(peer, "connected");
      if (random() < 0.6) simulation.media(peer);
      if (random() < 0.3) simulation.say({ type: "endSession", sessionId });
      if (random() < 0.3) simulation.connectionState(peer, "failed");
    }
    count();
    simulation.advance(random() * 30_000);
    count();
    simulation.breakSocket();
    simulation.advance(16_000);
    count();
    simulation.commands = simulation.commands.filter(({ kind }) => kind === "openSocket");
  }
});

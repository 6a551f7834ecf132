import { describe, expect, test } from "vitest";
import { WeirError } from "../errors";
import type { ServerMessage } from "../protocol/ServerMessage";
import {
  Connection,
  IDLE_ANSWER_MS,
  IDLE_MS,
  JOIN_TIMEOUT_MS,
  STABLE_MS,
  type ConnectionCommand,
} from "./connection";

const BACKOFF = { firstMs: 100, factor: 2, maxMs: 1000, jitter: 0 };

function connection(): Connection {
  return new Connection({ address: "ws://test/", backoff: BACKOFF, random: () => 0 });
}

function drain(machine: Connection): ConnectionCommand[] {
  const commands: ConnectionCommand[] = [];
  for (let command = machine.pollCommand(); command; command = machine.pollCommand()) commands.push(command);
  return commands;
}

/** What was sent, as JSON. */
function sent(machine: Connection): unknown[] {
  return drain(machine)
    .filter((command) => command.kind === "sendText")
    .map(({ text }) => JSON.parse(text) as unknown);
}

function say(machine: Connection, message: ServerMessage, now: number, socket = 1): void {
  machine.handleSocketText(socket, JSON.stringify(message), now);
}

function ready(now = 0): Connection {
  const machine = connection();
  machine.connect(now);
  machine.handleSocketOpen(1);
  say(machine, { type: "welcome", peerId: "me" }, now);
  say(machine, { type: "list", producers: [] }, now);
  drain(machine);
  expect(machine.state).toEqual({ phase: "ready", peerId: "me" });
  return machine;
}

describe("joining", () => {
  test("chooses the wire's version first, then registers as a listener and asks who is there", () => {
    const machine = connection();
    machine.connect(0);
    expect(drain(machine)).toContainEqual({ kind: "openSocket", socket: 1 });
    machine.handleSocketOpen(1);
    expect(sent(machine)).toEqual([{ type: "setProtocolVersion", version: "v1_1" }]);
    say(machine, { type: "welcome", peerId: "me" }, 10);
    expect(sent(machine)).toEqual([
      { type: "setPeerStatus", roles: ["listener"], meta: null, peerId: "me" },
      { type: "list" },
    ]);
  });

  test("is complete with the list, which is passed on before", () => {
    const machine = connection();
    machine.connect(0);
    machine.handleSocketOpen(1);
    say(machine, { type: "welcome", peerId: "me" }, 0);
    expect(machine.ready).toBe(false);
    drain(machine);
    say(machine, { type: "list", producers: [{ id: "p", meta: null }] }, 0);
    expect(machine.ready).toBe(true);
    expect(drain(machine).map(({ kind }) => kind)).toEqual(["connectionChanged", "message", "ready"]);
  });

  test("a list before the welcome is no list", () => {
    const machine = connection();
    machine.connect(0);
    machine.handleSocketOpen(1);
    say(machine, { type: "list", producers: [] }, 0);
    expect(machine.ready).toBe(false);
  });

  test("knows from the echo that the server took the roles, in whatever order it names them", () => {
    const machine = ready();
    machine.setStatus(["listener", "producer"], { name: "x" });
    expect(sent(machine)).toEqual([
      { type: "setPeerStatus", roles: ["listener", "producer"], meta: { name: "x" }, peerId: "me" },
    ]);
    expect(machine.registered).toBe(false);
    say(
      machine,
      { type: "peerStatusChanged", peerId: "other", roles: ["producer", "listener"], meta: null },
      1,
    );
    expect(machine.registered).toBe(false);
    say(machine, { type: "peerStatusChanged", peerId: "me", roles: ["producer", "listener"], meta: null }, 1);
    expect(machine.registered).toBe(true);
  });

  test("an equal status is not sent again", () => {
    const machine = ready();
    machine.setStatus(["listener"], null);
    expect(sent(machine)).toEqual([]);
  });

  test("nothing is sent to a server that is not there", () => {
    expect(connection().send({ type: "list" })).toBe(false);
  });
});

describe("reconnecting", () => {
  test("dials again after longer and longer waits while nobody answers", () => {
    const machine = connection();
    machine.connect(0);
    let now = 0;
    const waits: number[] = [];
    for (let socket = 1; socket <= 6; socket += 1) {
      machine.handleSocketClosed(socket, now);
      const { phase, retryAt, error } = machine.state;
      expect(phase).toBe("waiting");
      expect(error).toMatchObject({
        reason: "unreachable",
        message: expect.stringContaining("ws://test/") as string,
      });
      waits.push((retryAt ?? 0) - now);
      now = retryAt ?? 0;
      machine.handleTimeout(now);
      expect(machine.state.phase).toBe("dialling");
    }
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  test("registers again, with the status of before", () => {
    const machine = ready();
    machine.setStatus(["listener", "producer"], { name: "x" });
    drain(machine);
    machine.handleSocketClosed(1, 1000);
    expect(drain(machine).map(({ kind }) => kind)).toEqual(["closeSocket", "lost", "connectionChanged"]);
    machine.handleTimeout(1100);
    machine.handleSocketOpen(2);
    say(machine, { type: "welcome", peerId: "me again" }, 1200, 2);
    expect(sent(machine)).toContainEqual({
      type: "setPeerStatus",
      roles: ["listener", "producer"],
      meta: { name: "x" },
      peerId: "me again",
    });
  });

  test("a server that drops everybody at once is not asked faster and faster", () => {
    const machine = connection();
    machine.connect(0);
    let now = 0;
    const waits: number[] = [];
    for (let socket = 1; socket <= 4; socket += 1) {
      machine.handleSocketOpen(socket);
      say(machine, { type: "welcome", peerId: "me" }, now, socket);
      say(machine, { type: "list", producers: [] }, now, socket);
      machine.handleSocketClosed(socket, now);
      waits.push((machine.state.retryAt ?? 0) - now);
      now = machine.state.retryAt ?? 0;
      machine.handleTimeout(now);
    }
    expect(waits).toEqual([100, 200, 400, 800]);
  });

  test("a connection that held is a success, after which waits are short again", () => {
    const machine = connection();
    machine.connect(0);
    machine.handleSocketClosed(1, 0);
    machine.handleTimeout(100);
    machine.handleSocketOpen(2);
    say(machine, { type: "welcome", peerId: "me" }, 100, 2);
    say(machine, { type: "list", producers: [] }, 100, 2);
    expect(machine.state.error).toBeUndefined();
    const later = 100 + STABLE_MS;
    machine.handleSocketClosed(2, later);
    expect(machine.state.retryAt).toBe(later + 100);
  });

  test("a server that accepts and says nothing is left after a while", () => {
    const machine = connection();
    machine.connect(0);
    machine.handleSocketOpen(1);
    expect(machine.pollTimeout()).toBe(JOIN_TIMEOUT_MS);
    machine.handleTimeout(JOIN_TIMEOUT_MS);
    expect(machine.state).toMatchObject({ phase: "waiting", error: { reason: "unreachable" } });
    expect(drain(machine)).toContainEqual({ kind: "closeSocket", socket: 1 });
  });

  test("a server that fell silent is asked, and left if it does not answer", () => {
    const machine = ready(0);
    machine.handleTimeout(IDLE_MS);
    expect(sent(machine)).toEqual([{ type: "list" }]);
    machine.handleTimeout(IDLE_MS + IDLE_ANSWER_MS);
    expect(machine.state.phase).toBe("waiting");
  });

  test("a server that answers is kept", () => {
    const machine = ready(0);
    machine.handleTimeout(IDLE_MS);
    say(machine, { type: "list", producers: [] }, IDLE_MS + 5);
    machine.handleTimeout(IDLE_MS + IDLE_ANSWER_MS);
    expect(machine.state.phase).toBe("ready");
    expect(machine.pollTimeout()).toBe(IDLE_MS + 5 + IDLE_MS);
  });

  test("when the network is back there is no reason to wait", () => {
    const machine = connection();
    machine.connect(0);
    machine.handleSocketClosed(1, 0);
    machine.handleOnline(1);
    expect(machine.state.phase).toBe("dialling");
  });

  test("facts about an older socket change nothing", () => {
    const machine = connection();
    machine.connect(0);
    machine.handleSocketClosed(1, 0);
    machine.handleTimeout(100);
    drain(machine);
    machine.handleSocketOpen(1);
    machine.handleSocketClosed(1, 200);
    say(machine, { type: "welcome", peerId: "ghost" }, 200, 1);
    expect(drain(machine)).toEqual([]);
    expect(machine.state.phase).toBe("dialling");
  });
});

describe("ending", () => {
  test("an address that the browser refuses is an error for good", () => {
    const machine = connection();
    machine.connect(0);
    machine.handleSocketRefused(1, WeirError.badAddress("nonsense"));
    expect(machine.state).toMatchObject({ phase: "closed", error: { reason: "bad-address" } });
    expect(machine.pollTimeout()).toBeUndefined();
  });

  test("a closed connection stays closed", () => {
    const machine = ready();
    machine.close();
    expect(drain(machine).map(({ kind }) => kind)).toEqual(["closeSocket", "lost", "connectionChanged"]);
    machine.handleSocketClosed(1, 10);
    machine.handleOnline(10);
    machine.connect(10);
    machine.handleTimeout(1_000_000);
    expect(machine.state.phase).toBe("closed");
    expect(drain(machine)).toEqual([]);
  });
});

import { Engine, type EngineCommand } from "../engine";
import type { ClientMessage } from "../protocol/ClientMessage";
import type { Participant } from "../protocol/Participant";
import type { ServerMessage } from "../protocol/ServerMessage";
import { DEFAULT_BACKOFF } from "../signalling/backoff";

type Kind = EngineCommand["kind"];
type Of<K extends Kind> = Extract<EngineCommand, { kind: K }>;

/** An engine, a clock, and what a server would say: for tests that tell stories in simulated time. */
export class Simulation {
  readonly engine: Engine;
  now = 0;
  /** Everything that the engine wanted so far, minus what was taken. */
  commands: EngineCommand[] = [];
  #socket = 0;

  constructor(random: () => number = () => 0) {
    this.engine = new Engine({ address: "ws://test/", random, backoff: DEFAULT_BACKOFF });
  }

  /** Lets the engine do something. */
  act(action: (engine: Engine, now: number) => void): void {
    action(this.engine, this.now);
    this.#collect();
  }

  /** Lets time pass, and wakes the engine whenever it wants to be woken. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (let wakes = 0; wakes < 10_000; wakes += 1) {
      const at = this.engine.pollTimeout();
      if (at === undefined || at > end) {
        this.now = end;
        return;
      }
      this.now = Math.max(this.now, at);
      this.act((engine, now) => {
        engine.handleTimeout(now);
      });
    }
    throw new Error("the engine wants to be woken again and again without doing anything");
  }

  /** Takes all commands of a kind. */
  take<K extends Kind>(kind: K): Of<K>[] {
    const taken = this.commands.filter((command): command is Of<K> => command.kind === kind);
    this.commands = this.commands.filter((command) => command.kind !== kind);
    return taken;
  }

  /** Takes the messages that were sent. */
  sent(): ClientMessage[] {
    return this.take("sendText").map(({ text }) => JSON.parse(text) as ClientMessage);
  }

  /** Takes the messages of a type that were sent; the others stay. */
  sentOf<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[] {
    const all = this.take("sendText");
    const messages: Extract<ClientMessage, { type: T }>[] = [];
    for (const command of all) {
      const message = JSON.parse(command.text) as ClientMessage;
      if (message.type === type) messages.push(message as Extract<ClientMessage, { type: T }>);
      else this.commands.push(command);
    }
    return messages;
  }

  /** The server accepts the socket that was last asked for, welcomes us and lists these producers. */
  join(peerId: string, producers: readonly Participant[] = []): void {
    this.open();
    this.say({ type: "welcome", peerId });
    this.echo(peerId);
    this.say({ type: "list", producers: [...producers] });
    this.sent();
  }

  open(): void {
    this.#socket = this.take("openSocket").at(-1)?.socket ?? this.#socket;
    this.act((engine, now) => {
      engine.handleSocketOpen(this.#socket, now);
    });
  }

  say(message: ServerMessage): void {
    this.act((engine, now) => {
      engine.handleSocketText(this.#socket, JSON.stringify(message), now);
    });
  }

  /** The server confirms the last status that was set, as it does to listeners. */
  echo(peerId: string): void {
    for (const { roles, meta } of this.sentOf("setPeerStatus")) {
      this.say({ type: "peerStatusChanged", peerId, roles, meta: meta ?? null });
    }
  }

  /** The socket breaks, or never opens. */
  breakSocket(): void {
    this.#socket = this.take("openSocket").at(-1)?.socket ?? this.#socket;
    this.act((engine, now) => {
      engine.handleSocketClosed(this.#socket, now);
    });
  }

  /** The server starts the session that was last asked for, and the producer's offer is answered and connected. */
  playSession(sessionId: string): number {
    const asked = this.sentOf("startSession").at(-1);
    if (!asked) throw new Error("no session was asked for");
    this.say({ type: "sessionStarted", peerId: asked.peerId, sessionId });
    const peer = this.take("createPeer").at(-1)?.peer ?? -1;
    this.say({ type: "peer", sessionId, sdp: { type: "offer", sdp: "offer" } });
    this.act((engine, now) => {
      engine.handleLocalDescription(peer, { type: "answer", sdp: "answer" }, now);
      engine.handleConnectionState(peer, "connected", now);
    });
    return peer;
  }

  media(peer: number): void {
    this.act((engine, now) => {
      engine.handleMedia(peer, now);
    });
  }

  connectionState(peer: number, state: RTCPeerConnectionState): void {
    this.act((engine, now) => {
      engine.handleConnectionState(peer, state, now);
    });
  }

  #collect(): void {
    for (let command = this.engine.pollCommand(); command; command = this.engine.pollCommand()) {
      this.commands.push(command);
    }
  }
}

/**
 * Being a producer, as a pure machine: one session, and one peer connection, for each consumer that asks.
 */
import { Reason, WeirError } from "../errors";
import type { ClientMessage } from "../protocol/ClientMessage";
import type { PeerPayload } from "../protocol/PeerPayload";
import { Session, type PeerCommand, type PeerKey } from "./session";
import { LINGER_MS, earliest } from "./watch";

/** Where the publishing is. */
export type PublicationPhase =
  /** The server is awaited, or its confirmation. */
  | "registering"
  /** The server lists this producer. */
  | "live"
  | "closed";

/** What others may know of a publication. */
export interface PublicationState {
  readonly phase: PublicationPhase;
  /** How many consumers there are: those that the server knows, and those that still watch without it. */
  readonly consumers: number;
}

/** What the caller must do. */
export type PublicationCommand =
  | PeerCommand
  | { readonly kind: "send"; readonly message: ClientMessage }
  /** The state changed. */
  | { readonly kind: "changed" };

export interface PublicationOptions {
  /** Names a new peer connection. */
  readonly nextPeer: () => PeerKey;
  /** More consumers than this are turned away: each costs an encoder of the browser's. */
  readonly maxConsumers: number;
}

interface Consumer {
  readonly session: Session;
  lingerUntil?: number;
}

export class Publication {
  readonly #options: PublicationOptions;
  readonly #commands: PublicationCommand[] = [];
  /** By session id. */
  readonly #consumers = new Map<string, Consumer>();
  #ready = false;
  #registered = false;
  #closed = false;

  constructor(options: PublicationOptions) {
    this.#options = options;
  }

  get state(): PublicationState {
    const phase = this.#closed ? "closed" : this.#registered ? "live" : "registering";
    const consumers = [...this.#consumers.values()].filter(({ lingerUntil }) => lingerUntil === undefined);
    return { phase, consumers: consumers.length };
  }

  pollCommand(): PublicationCommand | undefined {
    return this.#commands.shift();
  }

  pollTimeout(): number | undefined {
    const consumers = [...this.#consumers.values()];
    return earliest(
      ...consumers.map(({ session }) => session.pollTimeout()),
      ...(this.#ready ? consumers.map(({ lingerUntil }) => lingerUntil) : []),
    );
  }

  /** Stops publishing and ends every consumer's session. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#registered = false;
    for (const id of [...this.#consumers.keys()]) this.#drop(id);
    this.#changed();
  }

  handleReady(): void {
    this.#ready = true;
  }

  /** Whether the server has confirmed that this peer is a producer. */
  handleRegistered(registered: boolean): void {
    if (registered === this.#registered || this.#closed) return;
    this.#registered = registered;
    this.#changed();
  }

  /** The signalling server is gone; who watches may watch on. */
  handleLost(): void {
    this.#ready = false;
    this.#registered = false;
    for (const [id, consumer] of [...this.#consumers]) {
      consumer.session.handleUnsignalled();
      delete consumer.lingerUntil;
      if (!consumer.session.connected) this.#drop(id);
    }
    this.#changed();
  }

  /** Somebody wants to watch. */
  handleStart(sessionId: string, offer: string | null, now: number): void {
    if (this.#closed || this.#consumers.has(sessionId)) return;
    if (this.#consumers.size >= this.#options.maxConsumers) {
      const error = `${Reason.Refused}: There are as many viewers as this producer takes.`;
      this.#commands.push({ kind: "send", message: { type: "endSessionV1_1", sessionId, error } });
      this.#commands.push({ kind: "send", message: { type: "endSession", sessionId } });
      return;
    }
    const start = { peer: this.#options.nextPeer(), sessionId, direction: "send" as const };
    const session = new Session(offer === null ? start : { ...start, offer }, now);
    this.#consumers.set(sessionId, { session });
    this.#drain(sessionId);
    this.#changed();
  }

  hasSession(sessionId: string): boolean {
    return this.#consumers.has(sessionId);
  }

  handlePayload(sessionId: string, payload: PeerPayload): void {
    const consumer = this.#consumers.get(sessionId);
    if (!consumer?.session.signalled) return;
    if ("sdp" in payload) consumer.session.handleRemoteDescription(payload.sdp);
    else consumer.session.handleRemoteCandidate(payload.ice);
    this.#drain(sessionId);
  }

  handleEnded(sessionId: string, now: number): void {
    const consumer = this.#consumers.get(sessionId);
    if (!consumer?.session.signalled) return;
    consumer.session.handleUnsignalled();
    if (consumer.session.connected) consumer.lingerUntil = now + LINGER_MS;
    else this.#drop(sessionId);
    this.#changed();
  }

  hasPeer(peer: PeerKey): boolean {
    return this.#find(peer) !== undefined;
  }

  /** Tells the session of a peer connection what happened to it. */
  handlePeer(peer: PeerKey, tell: (session: Session) => void): void {
    const session = this.#find(peer);
    if (!session) return;
    tell(session);
    this.#drain(session.sessionId);
  }

  handleTimeout(now: number): void {
    for (const [id, { session, lingerUntil }] of [...this.#consumers]) {
      session.handleTimeout(now);
      this.#drain(id);
      if (this.#ready && lingerUntil !== undefined && now >= lingerUntil) this.#drop(id);
    }
  }

  #find(peer: PeerKey): Session | undefined {
    return [...this.#consumers.values()].find(({ session }) => session.peer === peer)?.session;
  }

  #drain(sessionId: string): void {
    const session = this.#consumers.get(sessionId)?.session;
    for (let command = session?.pollCommand(); command; command = session?.pollCommand()) {
      switch (command.kind) {
        case "connected":
          break;
        case "failed":
          this.#drop(sessionId, command.error);
          this.#changed();
          return;
        default:
          this.#commands.push(command);
      }
    }
  }

  #drop(sessionId: string, error?: WeirError): void {
    const session = this.#consumers.get(sessionId)?.session;
    this.#consumers.delete(sessionId);
    session?.end(error);
    for (let command = session?.pollCommand(); command; command = session?.pollCommand()) {
      if (command.kind !== "connected" && command.kind !== "failed") this.#commands.push(command);
    }
  }

  #changed(): void {
    this.#commands.push({ kind: "changed" });
  }
}

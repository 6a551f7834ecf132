/**
 * The connection to the signalling server, as a pure machine: when to dial, what to say first, when the server
 * is lost, when to dial again. `socket.ts` is the shell that holds the WebSocket.
 *
 * ```text
 * idle ──connect──► dialling ──open──► joining ──list came──► ready
 *                      ▲  │ failed, silent   │ lost              │ lost, silent
 *                      │  ▼                  ▼                   │
 *                      waiting ◄────────────────────────────────┘
 * ```
 */
import { WeirError } from "../errors";
import type { ClientMessage } from "../protocol/ClientMessage";
import type { Role } from "../protocol/Role";
import type { ServerMessage } from "../protocol/ServerMessage";
import { Backoff, DEFAULT_BACKOFF, type BackoffOptions } from "./backoff";
import { sameJson } from "./directory";
import { parseServerMessage, serialiseClientMessage } from "./wire";

/** Where the connection is. */
export type ConnectionPhase = "idle" | "dialling" | "joining" | "ready" | "waiting" | "closed";

/** What others may know of the connection. */
export interface ConnectionState {
  readonly phase: ConnectionPhase;
  /** The id that the server gave us, while there is one. */
  readonly peerId?: string;
  /** In the phase `waiting`: when the next attempt is, on the clock of `now`. */
  readonly retryAt?: number;
  /** What went wrong last, until the connection is ready again. */
  readonly error?: WeirError;
}

/** What the caller must do. `socket` numbers the sockets: facts about an older one are ignored. */
export type ConnectionCommand =
  /** Open a socket to the server. */
  | { readonly kind: "openSocket"; readonly socket: number }
  /** Send a text frame. */
  | { readonly kind: "sendText"; readonly socket: number; readonly text: string }
  /** Close the socket; it need not be reported as closed. */
  | { readonly kind: "closeSocket"; readonly socket: number }
  /** The phase, the id or the error changed. */
  | { readonly kind: "connectionChanged" }
  /** The server is there and takes requests; its list of producers went before. */
  | { readonly kind: "ready" }
  /** The server is gone; with it, by the wire's rules, all sessions. */
  | { readonly kind: "lost" }
  /** A message for somebody else. */
  | { readonly kind: "message"; readonly message: ServerMessage };

export interface ConnectionOptions {
  /** For the texts of errors only. */
  readonly address: string;
  readonly backoff?: BackoffOptions;
  /** Yields numbers from 0 (included) to 1 (excluded). */
  readonly random: () => number;
}

/** The server must have accepted, welcomed and listed within this, in milliseconds. */
export const JOIN_TIMEOUT_MS = 10_000;
/**
 * After this long without a message the server is asked for its list, in milliseconds: a browser tells a page
 * neither of pings nor of a peer that vanished.
 */
export const IDLE_MS = 20_000;
/** How long the answer may take until the server counts as gone, in milliseconds. */
export const IDLE_ANSWER_MS = 10_000;
/** A connection that was ready for this long was a success, and the back-off starts anew, in milliseconds. */
export const STABLE_MS = 5_000;

export class Connection {
  readonly #address: string;
  readonly #backoff: Backoff;
  readonly #commands: ConnectionCommand[] = [];
  #phase: ConnectionPhase = "idle";
  #socket = 0;
  #peerId: string | undefined;
  #error: WeirError | undefined;
  #deadline: number | undefined;
  #readySince = 0;
  #probing = false;
  #roles: readonly Role[] = ["listener"];
  #meta: unknown = null;
  #registered = false;

  constructor(options: ConnectionOptions) {
    this.#address = options.address;
    this.#backoff = new Backoff(options.backoff ?? DEFAULT_BACKOFF, options.random);
  }

  get state(): ConnectionState {
    return {
      phase: this.#phase,
      ...(this.#peerId !== undefined && { peerId: this.#peerId }),
      ...(this.#phase === "waiting" && this.#deadline !== undefined && { retryAt: this.#deadline }),
      ...(this.#error && { error: this.#error }),
    };
  }

  /** Whether the server has confirmed the present roles and metadata. */
  get registered(): boolean {
    return this.#registered;
  }

  /** Whether the server takes requests. */
  get ready(): boolean {
    return this.#phase === "ready";
  }

  pollCommand(): ConnectionCommand | undefined {
    return this.#commands.shift();
  }

  /** When {@link handleTimeout} wants to be called. */
  pollTimeout(): number | undefined {
    return this.#deadline;
  }

  connect(now: number): void {
    if (this.#phase === "idle") this.#dial(now);
  }

  /** Ends the connection for good. */
  close(error?: WeirError): void {
    if (this.#phase === "closed") return;
    this.#leave();
    this.#error = error;
    this.#deadline = undefined;
    this.#enter("closed");
  }

  /** Replaces the roles and the metadata, at once if the server is there, and at each registration. */
  setStatus(roles: readonly Role[], meta: unknown): void {
    if (sameJson(roles, this.#roles) && sameJson(meta, this.#meta)) return;
    this.#roles = roles;
    this.#meta = meta;
    this.#registered = false;
    if (this.#peerId !== undefined) this.#register(this.#peerId);
  }

  /** Sends a message, if the server is there. @returns whether it is. */
  send(message: ClientMessage): boolean {
    if (this.#phase !== "ready") return false;
    this.#send(message);
    return true;
  }

  /** The page was told that the network is back: no reason to wait any longer. */
  handleOnline(now: number): void {
    if (this.#phase !== "waiting") return;
    this.#backoff.reset();
    this.#dial(now);
  }

  handleSocketOpen(socket: number): void {
    if (socket !== this.#socket || this.#phase !== "dialling") return;
    this.#enter("joining");
    // Has to be the first message. Servers of version 1.0 drop it, so nothing may depend on an answer.
    this.#send({ type: "setProtocolVersion", version: "v1_1" });
  }

  handleSocketText(socket: number, text: string, now: number): void {
    if (socket !== this.#socket || (this.#phase !== "joining" && this.#phase !== "ready")) return;
    const message = parseServerMessage(text);
    if (this.#phase === "ready") {
      this.#probing = false;
      this.#deadline = now + IDLE_MS;
    }
    if (message) this.#handleMessage(message, now);
  }

  /** The socket was closed by the other side, or never opened. */
  handleSocketClosed(socket: number, now: number): void {
    if (socket !== this.#socket) return;
    if (this.#phase === "dialling") this.#retry(WeirError.unreachable(this.#address), now);
    else if (this.#phase === "joining" || this.#phase === "ready") {
      this.#retry(WeirError.disconnected(this.#address), now);
    }
  }

  /** The browser refuses this address; trying again is of no use. */
  handleSocketRefused(socket: number, error: WeirError): void {
    if (socket === this.#socket) this.close(error);
  }

  handleTimeout(now: number): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    switch (this.#phase) {
      case "waiting":
        this.#dial(now);
        break;
      case "dialling":
        this.#retry(WeirError.unreachable(this.#address), now);
        break;
      case "joining":
        this.#retry(WeirError.silent(this.#address), now);
        break;
      case "ready":
        if (this.#probing) this.#retry(WeirError.silent(this.#address), now);
        else {
          this.#probing = true;
          this.#deadline = now + IDLE_ANSWER_MS;
          this.#send({ type: "list" });
        }
        break;
      case "idle":
      case "closed":
        this.#deadline = undefined;
        break;
    }
  }

  #dial(now: number): void {
    this.#socket += 1;
    this.#deadline = now + JOIN_TIMEOUT_MS;
    this.#commands.push({ kind: "openSocket", socket: this.#socket });
    this.#enter("dialling");
  }

  #handleMessage(message: ServerMessage, now: number): void {
    if (message.type === "welcome") {
      this.#peerId = message.peerId;
      this.#register(message.peerId);
      // Whoever comes after the registration is announced, whoever came before is listed: nobody is missed.
      this.#send({ type: "list" });
      this.#commands.push({ kind: "connectionChanged" });
      return;
    }
    if (message.type === "peerStatusChanged" && message.peerId === this.#peerId) {
      this.#registered = sameJson([...message.roles].sort(), [...this.#roles].sort());
    }
    if (message.type === "list" && this.#phase === "joining" && this.#peerId !== undefined) {
      this.#readySince = now;
      this.#deadline = now + IDLE_MS;
      this.#probing = false;
      this.#error = undefined;
      this.#enter("ready");
      this.#commands.push({ kind: "message", message }, { kind: "ready" });
      return;
    }
    this.#commands.push({ kind: "message", message });
  }

  #register(peerId: string): void {
    this.#send({ type: "setPeerStatus", roles: [...this.#roles], meta: this.#meta, peerId });
  }

  #retry(error: WeirError, now: number): void {
    if (this.#phase === "ready" && now - this.#readySince >= STABLE_MS) this.#backoff.reset();
    this.#leave();
    this.#error = error;
    this.#deadline = now + this.#backoff.next();
    this.#enter("waiting");
  }

  #leave(): void {
    const wasReady = this.#phase === "ready";
    if (this.#phase === "dialling" || this.#phase === "joining" || wasReady) {
      this.#commands.push({ kind: "closeSocket", socket: this.#socket });
    }
    this.#peerId = undefined;
    this.#registered = false;
    this.#probing = false;
    if (wasReady) this.#commands.push({ kind: "lost" });
  }

  #enter(phase: ConnectionPhase): void {
    this.#phase = phase;
    this.#commands.push({ kind: "connectionChanged" });
  }

  #send(message: ClientMessage): void {
    this.#commands.push({ kind: "sendText", socket: this.#socket, text: serialiseClientMessage(message) });
  }
}

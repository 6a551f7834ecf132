/**
 * The whole client as one pure machine: it routes between the connection, the directory, the watchings and the
 * publication, and decides nothing itself. `client.ts` is the shell around it.
 */
import { WeirError } from "./errors";
import type { ErrorCode } from "./protocol/ErrorCode";
import type { Ice } from "./protocol/Ice";
import type { Sdp } from "./protocol/Sdp";
import type { ServerMessage } from "./protocol/ServerMessage";
import { Publication, type PublicationState } from "./sessions/publication";
import type { PeerCommand, PeerKey, Session } from "./sessions/session";
import { Watch, earliest, type WatchState } from "./sessions/watch";
import { DEFAULT_BACKOFF, type BackoffOptions } from "./signalling/backoff";
import { Connection, type ConnectionCommand, type ConnectionState } from "./signalling/connection";
import { Directory, type Producer } from "./signalling/directory";

/** Names a watching. */
export type WatchKey = number;

/** What the caller must do. */
export type EngineCommand =
  | PeerCommand
  | Extract<ConnectionCommand, { kind: "openSocket" | "sendText" | "closeSocket" | "connectionChanged" }>
  /** The list of producers changed. */
  | { readonly kind: "producersChanged" }
  /** The server refused something other than a session that was asked for. */
  | { readonly kind: "refused"; readonly error: WeirError }
  /** Show the tracks of this peer connection in place of what this watching showed. */
  | { readonly kind: "show"; readonly watch: WatchKey; readonly peer: PeerKey }
  /** The first frame of a session came, this long after it was asked for, in milliseconds. */
  | { readonly kind: "firstFrame"; readonly watch: WatchKey; readonly millis: number }
  | { readonly kind: "watchChanged"; readonly watch: WatchKey }
  | { readonly kind: "publicationChanged" };

export interface EngineOptions {
  /** The server's address, for the texts of errors only. */
  readonly address: string;
  readonly backoff?: BackoffOptions;
  /** Yields numbers from 0 (included) to 1 (excluded). */
  readonly random: () => number;
}

/** The codes with which a server refuses `startSession`. */
const START_REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  "peer-not-found",
  "no-producer-or-consumer",
  "too-many-sessions",
]);

export class Engine {
  readonly #options: EngineOptions;
  readonly #connection: Connection;
  readonly #directory = new Directory();
  readonly #watches = new Map<WatchKey, Watch>();
  /** Requests for sessions that the server has not answered, in the order in which they were sent, by producer. */
  readonly #asked = new Map<string, { readonly watch: WatchKey; readonly token: number }[]>();
  readonly #commands: EngineCommand[] = [];
  #publication: Publication | undefined;
  #watchKeys = 0;
  #peerKeys = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#connection = new Connection(options);
  }

  get connection(): ConnectionState {
    return this.#connection.state;
  }

  get producers(): readonly Producer[] {
    return this.#directory.producers;
  }

  get publication(): PublicationState | undefined {
    return this.#publication?.state;
  }

  watchState(watch: WatchKey): WatchState | undefined {
    return this.#watches.get(watch)?.state;
  }

  pollCommand(): EngineCommand | undefined {
    return this.#commands.shift();
  }

  pollTimeout(): number | undefined {
    return earliest(
      this.#connection.pollTimeout(),
      this.#publication?.pollTimeout(),
      ...[...this.#watches.values()].map((watch) => watch.pollTimeout()),
    );
  }

  connect(now: number): void {
    this.#connection.connect(now);
    this.#settle(now);
  }

  /** Ends everything. */
  close(now: number): void {
    for (const watch of [...this.#watches.keys()]) this.unwatch(watch, now);
    this.#publication?.close();
    this.#settle(now);
    this.#connection.close();
    this.#settle(now);
  }

  /** Watches a producer until {@link unwatch}; one that is not listed (yet) is waited for. */
  watch(producerId: string, now: number): WatchKey {
    this.#watchKeys += 1;
    const key = this.#watchKeys;
    const watch = new Watch({
      producer: this.#directory.get(producerId) ?? { id: producerId, meta: null },
      directory: this.#directory,
      nextPeer: this.#nextPeer,
      isTaken: (id) =>
        [...this.#watches].some(([other, { producerId: taken }]) => other !== key && taken === id),
      backoff: this.#options.backoff ?? DEFAULT_BACKOFF,
      random: this.#options.random,
    });
    this.#watches.set(key, watch);
    if (this.#connection.ready) watch.handleReady(now);
    this.#settle(now);
    return key;
  }

  unwatch(key: WatchKey, now: number): void {
    this.#watches.get(key)?.close();
    this.#settle(now);
    this.#watches.delete(key);
  }

  /** Becomes a producer until {@link unpublish}. There can be one publication at a time. */
  publish(meta: unknown, maxConsumers: number, now: number): void {
    if (this.#publication) throw WeirError.alreadyPublishing();
    this.#publication = new Publication({ nextPeer: this.#nextPeer, maxConsumers });
    if (this.#connection.ready) this.#publication.handleReady();
    this.#connection.setStatus(["listener", "producer"], meta);
    this.#settle(now);
  }

  unpublish(now: number): void {
    if (!this.#publication) return;
    this.#publication.close();
    this.#settle(now);
    this.#publication = undefined;
    this.#connection.setStatus(["listener"], null);
    this.#settle(now);
  }

  handleSocketOpen(socket: number, now: number): void {
    this.#connection.handleSocketOpen(socket);
    this.#settle(now);
  }

  handleSocketText(socket: number, text: string, now: number): void {
    this.#connection.handleSocketText(socket, text, now);
    this.#settle(now);
  }

  handleSocketClosed(socket: number, now: number): void {
    this.#connection.handleSocketClosed(socket, now);
    this.#settle(now);
  }

  /** The browser refuses the server's address. */
  handleSocketRefused(socket: number, error: WeirError, now: number): void {
    this.#connection.handleSocketRefused(socket, error);
    this.#settle(now);
  }

  /** The browser says that there is a network again. */
  handleOnline(now: number): void {
    this.#connection.handleOnline(now);
    this.#settle(now);
  }

  /** The description that a peer connection was asked for was made and applied. */
  handleLocalDescription(peer: PeerKey, description: Sdp, now: number): void {
    this.#tellPeer(peer, now, (session) => {
      session.handleLocalDescription(description);
    });
  }

  /** A description could not be made or applied. */
  handleNegotiationFailed(peer: PeerKey, details: string, now: number): void {
    this.#tellPeer(peer, now, (session) => {
      session.handleNegotiationFailed(details);
    });
  }

  handleLocalCandidate(peer: PeerKey, ice: Ice, now: number): void {
    this.#tellPeer(peer, now, (session) => {
      session.handleLocalCandidate(ice);
    });
  }

  handleConnectionState(peer: PeerKey, state: RTCPeerConnectionState, now: number): void {
    this.#tellPeer(peer, now, (session) => {
      session.handleConnectionState(state, now);
    });
  }

  /** The first frame of a peer connection is there, or, where it has no video, its sound. */
  handleMedia(peer: PeerKey, now: number): void {
    for (const watch of this.#watches.values()) watch.handleMedia(peer, now);
    this.#settle(now);
  }

  handleTimeout(now: number): void {
    this.#connection.handleTimeout(now);
    this.#publication?.handleTimeout(now);
    for (const watch of this.#watches.values()) watch.handleTimeout(now);
    this.#settle(now);
  }

  readonly #nextPeer = (): PeerKey => {
    this.#peerKeys += 1;
    return this.#peerKeys;
  };

  #tellPeer(peer: PeerKey, now: number, tell: (session: Session) => void): void {
    if (this.#publication?.hasPeer(peer)) this.#publication.handlePeer(peer, tell);
    for (const watch of this.#watches.values()) if (watch.hasPeer(peer)) watch.handlePeer(peer, now, tell);
    this.#settle(now);
  }

  /** Carries out what the parts want from each other, until nothing is left but what the caller must do. */
  #settle(now: number): void {
    let progress = true;
    while (progress) {
      progress = this.#drainConnection(now) || this.#drainWatches() || this.#drainPublication();
    }
  }

  #drainConnection(now: number): boolean {
    const command = this.#connection.pollCommand();
    if (!command) return false;
    switch (command.kind) {
      case "message":
        this.#handleMessage(command.message, now);
        break;
      case "ready":
        this.#publication?.handleReady();
        for (const watch of this.#watches.values()) watch.handleReady(now);
        break;
      case "lost":
        this.#asked.clear();
        this.#publication?.handleLost();
        for (const watch of this.#watches.values()) watch.handleLost(this.#connection.state.error);
        break;
      default:
        this.#commands.push(command);
    }
    return true;
  }

  #drainWatches(): boolean {
    let progress = false;
    for (const [key, watch] of this.#watches) {
      for (let command = watch.pollCommand(); command; command = watch.pollCommand()) {
        progress = true;
        switch (command.kind) {
          case "send":
            this.#connection.send(command.message);
            break;
          case "startSession":
            this.#ask(key, command.producerId, command.token);
            break;
          case "show":
          case "firstFrame":
            this.#commands.push({ ...command, watch: key });
            break;
          case "changed":
            this.#commands.push({ kind: "watchChanged", watch: key });
            break;
          default:
            this.#commands.push(command);
        }
      }
    }
    return progress;
  }

  #drainPublication(): boolean {
    const command = this.#publication?.pollCommand();
    if (!command) return false;
    switch (command.kind) {
      case "send":
        this.#connection.send(command.message);
        break;
      case "changed":
        this.#commands.push({ kind: "publicationChanged" });
        break;
      default:
        this.#commands.push(command);
    }
    return true;
  }

  #ask(watch: WatchKey, producerId: string, token: number): void {
    if (!this.#connection.send({ type: "startSession", peerId: producerId })) return;
    const asked = this.#asked.get(producerId) ?? [];
    asked.push({ watch, token });
    this.#asked.set(producerId, asked);
  }

  /** Takes the oldest unanswered request for this producer. */
  #answered(producerId: string): { readonly watch: WatchKey; readonly token: number } | undefined {
    const asked = this.#asked.get(producerId);
    const oldest = asked?.shift();
    if (asked?.length === 0) this.#asked.delete(producerId);
    return oldest;
  }

  #handleMessage(message: ServerMessage, now: number): void {
    switch (message.type) {
      case "list":
        if (this.#directory.handleList(message.producers)) this.#directoryChanged(now);
        break;
      case "peerStatusChanged":
        if (this.#directory.handleStatus(message.peerId, message.roles, message.meta))
          this.#directoryChanged(now);
        if (message.peerId === this.#connection.state.peerId) {
          this.#publication?.handleRegistered(this.#connection.registered);
        }
        break;
      case "sessionStarted":
        this.#handleStarted(message.peerId, message.sessionId, now);
        break;
      case "startSession":
        if (this.#publication) this.#publication.handleStart(message.sessionId, message.offer, now);
        else this.#connection.send({ type: "endSession", sessionId: message.sessionId });
        break;
      case "peer":
        if (this.#publication?.hasSession(message.sessionId)) {
          this.#publication.handlePayload(message.sessionId, message);
        }
        for (const watch of this.#watches.values()) watch.handlePayload(message.sessionId, message, now);
        break;
      case "endSession":
      case "endSessionV1_1": {
        const reason = message.type === "endSessionV1_1" ? (message.error ?? undefined) : undefined;
        this.#publication?.handleEnded(message.sessionId, now);
        for (const watch of this.#watches.values()) watch.handleEnded(message.sessionId, reason, now);
        break;
      }
      case "error":
        this.#handleError(message.details, message.code, now);
        break;
      case "welcome":
      case "listConsumers":
        break;
    }
  }

  #directoryChanged(now: number): void {
    this.#commands.push({ kind: "producersChanged" });
    for (const watch of this.#watches.values()) watch.handleDirectory(now);
  }

  #handleStarted(producerId: string, sessionId: string, now: number): void {
    const request = this.#answered(producerId);
    const watch = request && this.#watches.get(request.watch);
    const wanted = watch?.handleStarted(request?.token ?? 0, sessionId, now);
    if (!wanted) this.#connection.send({ type: "endSession", sessionId });
  }

  /** Errors name no request. One about a session that was asked for names the producer, or has a code that says so. */
  #handleError(details: string, code: string | undefined, now: number): void {
    const error = WeirError.refused(details, code);
    const waiting = [...this.#asked.keys()];
    const named = waiting.find((id) => details.includes(id));
    const producerId = named ?? (code !== undefined && START_REFUSALS.has(code) ? waiting[0] : undefined);
    const request = producerId === undefined ? undefined : this.#answered(producerId);
    if (request) this.#watches.get(request.watch)?.handleRefused(request.token, error, now);
    else this.#commands.push({ kind: "refused", error });
  }
}

/**
 * One signalling session and the negotiation of its one peer connection, as a pure machine.
 * `media/peer.ts` is the shell that holds the `RTCPeerConnection`.
 *
 * A receiving session waits for offers and answers each; a sending one offers, unless the consumer did.
 * Offers that come while one is being answered wait their turn. Candidates of the other side that come before its
 * description wait too, as do our own until our description was sent (peers may reorder what they send).
 */
import { WeirError } from "../errors";
import type { ClientMessage } from "../protocol/ClientMessage";
import type { Ice } from "../protocol/Ice";
import type { Sdp } from "../protocol/Sdp";

/** Names a peer connection. */
export type PeerKey = number;

/** Which way the media of a session goes, seen from here. */
export type Direction = "receive" | "send";

/** What the caller must do to a peer connection. */
export type PeerCommand =
  /** Make the peer connection; a sending one with the tracks that are published. */
  | { readonly kind: "createPeer"; readonly peer: PeerKey; readonly direction: Direction }
  /** Make and apply a local offer; report it with `handleLocalDescription`. */
  | { readonly kind: "createOffer"; readonly peer: PeerKey }
  /** Apply this offer, make and apply the answer; report it with `handleLocalDescription`. */
  | { readonly kind: "acceptOffer"; readonly peer: PeerKey; readonly sdp: string }
  /** Apply this answer. */
  | { readonly kind: "acceptAnswer"; readonly peer: PeerKey; readonly sdp: string }
  /** Add a candidate of the other side; one that cannot be used is no failure. */
  | { readonly kind: "addCandidate"; readonly peer: PeerKey; readonly ice: Ice }
  /** Close the peer connection; it need not be reported as closed. */
  | { readonly kind: "closePeer"; readonly peer: PeerKey };

/** What the caller must do. */
export type SessionCommand =
  | PeerCommand
  /** Send this to the signalling server. */
  | { readonly kind: "send"; readonly message: ClientMessage }
  /** The peers reached each other for the first time. */
  | { readonly kind: "connected" }
  /** Nothing will come of this session: end it. */
  | { readonly kind: "failed"; readonly error: WeirError };

/** The other side must have sent its description within this, in milliseconds. */
export const DESCRIPTION_TIMEOUT_MS = 15_000;
/** The peers must have reached each other within this, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 30_000;
/** How long a peer connection may be `disconnected`, a state that often heals, in milliseconds. */
export const DISCONNECTED_TIMEOUT_MS = 5_000;
/** More candidates of the other side than this are ignored. */
export const MAX_REMOTE_CANDIDATES = 500;
/** More offers than this waiting for their answer end the session. */
export const MAX_WAITING_OFFERS = 8;

export interface SessionStart {
  readonly peer: PeerKey;
  readonly sessionId: string;
  readonly direction: Direction;
  /** The consumer's offer, if it made one. */
  readonly offer?: string;
}

export class Session {
  readonly peer: PeerKey;
  readonly sessionId: string;
  readonly #direction: Direction;
  readonly #commands: SessionCommand[] = [];
  readonly #waitingOffers: string[] = [];
  readonly #waitingRemote: Ice[] = [];
  readonly #waitingLocal: Ice[] = [];
  readonly #createdAt: number;
  #step: "idle" | "describing" | "awaitingAnswer" = "idle";
  #signalled = true;
  #over = false;
  #connected = false;
  #remoteDescribed = false;
  #localSent = false;
  #remoteCandidates = 0;
  #deadline: number | undefined;

  constructor(start: SessionStart, now: number) {
    this.peer = start.peer;
    this.sessionId = start.sessionId;
    this.#direction = start.direction;
    this.#createdAt = now;
    this.#deadline = now + DESCRIPTION_TIMEOUT_MS;
    this.#commands.push({ kind: "createPeer", peer: this.peer, direction: this.#direction });
    if (start.offer !== undefined) this.#acceptOffer(start.offer);
    else if (this.#direction === "send") {
      this.#step = "describing";
      this.#commands.push({ kind: "createOffer", peer: this.peer });
    }
  }

  /** Whether the peers ever reached each other. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Whether the server knows this session, as far as we know. */
  get signalled(): boolean {
    return this.#signalled;
  }

  pollCommand(): SessionCommand | undefined {
    return this.#commands.shift();
  }

  pollTimeout(): number | undefined {
    return this.#over ? undefined : this.#deadline;
  }

  /** Ends the session from our side and closes the peer connection. */
  end(error?: WeirError): void {
    if (this.#over) return;
    if (error) {
      // Who knows only version 1.0 drops this one and heeds the next; for who knows 1.1 the next is about a session
      // that is gone, which is met with silence.
      const text = `${error.reason}: ${error.message}`;
      this.#send({ type: "endSessionV1_1", sessionId: this.sessionId, error: text });
    }
    this.#send({ type: "endSession", sessionId: this.sessionId });
    this.#over = true;
    this.#commands.push({ kind: "closePeer", peer: this.peer });
  }

  /** The server is gone, or the session is gone from the server: what flows may flow on, nothing more is said. */
  handleUnsignalled(): void {
    this.#signalled = false;
  }

  handleRemoteDescription({ type, sdp }: Sdp): void {
    if (this.#over) return;
    if (type === "answer") {
      if (this.#step !== "awaitingAnswer") return;
      this.#step = "idle";
      this.#commands.push({ kind: "acceptAnswer", peer: this.peer, sdp });
      this.#remoteIsDescribed();
      this.#awaitConnection();
    } else if (this.#direction === "receive") {
      if (this.#step === "idle") this.#acceptOffer(sdp);
      else if (this.#waitingOffers.length < MAX_WAITING_OFFERS) this.#waitingOffers.push(sdp);
      else this.#fail(WeirError.negotiation("The other side sent too many offers."));
    }
  }

  handleRemoteCandidate(ice: Ice): void {
    if (this.#over || this.#remoteCandidates >= MAX_REMOTE_CANDIDATES) return;
    this.#remoteCandidates += 1;
    if (this.#remoteDescribed) this.#commands.push({ kind: "addCandidate", peer: this.peer, ice });
    else this.#waitingRemote.push(ice);
  }

  /** The description that was asked for was made and applied. */
  handleLocalDescription({ type, sdp }: Sdp): void {
    if (this.#over || this.#step !== "describing") return;
    this.#step = type === "offer" ? "awaitingAnswer" : "idle";
    this.#send({ type: "peer", sessionId: this.sessionId, sdp: { type, sdp } });
    this.#localSent = true;
    for (const ice of this.#waitingLocal.splice(0)) this.#sendCandidate(ice);
    if (type === "answer") {
      const next = this.#waitingOffers.shift();
      if (next !== undefined) this.#acceptOffer(next);
    }
  }

  /** A description could not be made or applied. */
  handleNegotiationFailed(details: string): void {
    this.#fail(WeirError.negotiation(details));
  }

  handleLocalCandidate(ice: Ice): void {
    if (this.#over) return;
    if (this.#localSent) this.#sendCandidate(ice);
    else this.#waitingLocal.push(ice);
  }

  handleConnectionState(state: RTCPeerConnectionState, now: number): void {
    if (this.#over) return;
    switch (state) {
      case "connected":
        this.#deadline = undefined;
        if (!this.#connected) this.#commands.push({ kind: "connected" });
        this.#connected = true;
        break;
      case "disconnected":
        this.#deadline = now + DISCONNECTED_TIMEOUT_MS;
        break;
      case "failed":
        this.#fail(WeirError.networkPath());
        break;
      case "closed":
        this.#fail(WeirError.sessionEnded());
        break;
      case "new":
      case "connecting":
        break;
    }
  }

  handleTimeout(now: number): void {
    if (this.#over || this.#deadline === undefined || now < this.#deadline) return;
    if (this.#connected || this.#remoteDescribed) this.#fail(WeirError.networkPath());
    else this.#fail(WeirError.timeout("The other side did not describe its media in time."));
  }

  #acceptOffer(sdp: string): void {
    this.#step = "describing";
    this.#awaitConnection();
    this.#commands.push({ kind: "acceptOffer", peer: this.peer, sdp });
    this.#remoteIsDescribed();
  }

  /** The browser chains what is done to a peer connection: candidates may follow before the description is applied. */
  #remoteIsDescribed(): void {
    this.#remoteDescribed = true;
    for (const ice of this.#waitingRemote.splice(0)) {
      this.#commands.push({ kind: "addCandidate", peer: this.peer, ice });
    }
  }

  #awaitConnection(): void {
    if (!this.#connected) this.#deadline = this.#createdAt + CONNECT_TIMEOUT_MS;
  }

  #sendCandidate(ice: Ice): void {
    this.#send({ type: "peer", sessionId: this.sessionId, ice });
  }

  #send(message: ClientMessage): void {
    if (this.#signalled) this.#commands.push({ kind: "send", message });
  }

  #fail(error: WeirError): void {
    if (this.#over) return;
    this.#deadline = undefined;
    this.#commands.push({ kind: "failed", error });
  }
}

/**
 * Watching one producer for as long as the user wants to, as a pure machine: starts sessions, notices that they
 * end, and starts the next, make before break.
 *
 * At most two sessions exist: the one that is *shown* and the *coming* one. The coming one takes the shown one's
 * place when its first frame is there. What is shown stays while it flows, even if the signalling server is gone.
 */
import { Reason, WeirError } from "../errors";
import type { ClientMessage } from "../protocol/ClientMessage";
import type { PeerPayload } from "../protocol/PeerPayload";
import { Backoff, type BackoffOptions } from "../signalling/backoff";
import type { Directory, Producer } from "../signalling/directory";
import { Session, type PeerCommand, type PeerKey } from "./session";

/** Where the watching is. */
export type WatchPhase =
  /** Nothing to see: the server, the producer or the next attempt is awaited. */
  | "waiting"
  /** A session is being set up; there was no picture yet, or it has stopped. */
  | "starting"
  /** Media flows. */
  | "playing"
  /** Media may still flow, of a session that the server no longer knows; the next one is on its way. */
  | "resuming"
  | "closed";

/** What others may know of a watching. */
export interface WatchState {
  readonly phase: WatchPhase;
  /** The producer that is watched; its id changes when it registers anew. */
  readonly producer: Producer;
  /** Why it does not play, unless it does. */
  readonly error?: WeirError;
}

/** What the caller must do. */
export type WatchCommand =
  | PeerCommand
  | { readonly kind: "send"; readonly message: ClientMessage }
  /** Ask the server for a session; report what comes of it under this token. */
  | { readonly kind: "startSession"; readonly producerId: string; readonly token: number }
  /** Show the tracks of this peer connection in place of whatever was shown. */
  | { readonly kind: "show"; readonly peer: PeerKey }
  /** The first frame came, this long after the session was asked for, in milliseconds. */
  | { readonly kind: "firstFrame"; readonly millis: number }
  /** The state changed. */
  | { readonly kind: "changed" };

export interface WatchOptions {
  readonly producer: Producer;
  readonly directory: Directory;
  /** Names a new peer connection. */
  readonly nextPeer: () => PeerKey;
  /** Whether another watching has this producer. */
  readonly isTaken: (producerId: string) => boolean;
  readonly backoff: BackoffOptions;
  readonly random: () => number;
}

/** The server must have answered the request for a session within this, in milliseconds. */
export const START_TIMEOUT_MS = 10_000;
/** How long a connected session may go without a frame until it replaces a shown one anyhow, in milliseconds. */
export const FRAME_TIMEOUT_MS = 10_000;
/**
 * How long a peer connection is kept after the server said that its session ended, in milliseconds. A server that is
 * being stopped may say so of sessions whose media flows on; if it is gone by then, the media stays.
 */
export const LINGER_MS = 1_000;
/** Media that flowed for this long was a success, and the back-off starts anew, in milliseconds. */
export const STABLE_MS = 5_000;

interface Attempt {
  readonly session: Session;
  readonly askedAt: number;
  mediaAt?: number;
  frameDeadline?: number;
  lingerUntil?: number;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #backoff: Backoff;
  readonly #commands: WatchCommand[] = [];
  #producer: Producer;
  /** The directory's count of news when this producer was chosen: its successor comes later. */
  #chosenAt: number;
  #ready = false;
  #closed = false;
  #error: WeirError | undefined;
  #tokens = 0;
  #asking: { readonly token: number; readonly at: number } | undefined;
  #coming: Attempt | undefined;
  #shown: Attempt | undefined;
  #everShown = false;
  #retryAt: number | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#producer = options.producer;
    this.#chosenAt = options.directory.news;
  }

  get state(): WatchState {
    const phase = this.#phase;
    return {
      phase,
      producer: this.#producer,
      ...(this.#error && phase !== "playing" && { error: this.#error }),
    };
  }

  get producerId(): string {
    return this.#producer.id;
  }

  pollCommand(): WatchCommand | undefined {
    return this.#commands.shift();
  }

  pollTimeout(): number | undefined {
    return earliest(
      this.#asking && this.#asking.at + START_TIMEOUT_MS,
      this.#wanting && this.#ready && this.#listed ? this.#retryAt : undefined,
      this.#coming?.frameDeadline,
      this.#coming?.session.pollTimeout(),
      this.#shown?.session.pollTimeout(),
      this.#ready ? this.#shown?.lingerUntil : undefined,
    );
  }

  /** Stops watching. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#asking = undefined;
    this.#error = undefined;
    this.#drop("coming");
    this.#drop("shown");
    this.#changed();
  }

  /** The signalling server is there, and the directory is up to date. */
  handleReady(now: number): void {
    this.#ready = true;
    this.#backoff.reset();
    this.#retryAt = undefined;
    this.#adopt();
    this.#tryStart(now);
    this.#changed();
  }

  /** The signalling server is gone, and all sessions with it. */
  handleLost(error: WeirError | undefined): void {
    this.#ready = false;
    this.#asking = undefined;
    this.#error = error;
    this.#shown?.session.handleUnsignalled();
    const coming = this.#coming;
    coming?.session.handleUnsignalled();
    if (coming?.session.connected && !this.#shown) {
      this.#shown = coming;
      this.#coming = undefined;
    } else this.#drop("coming");
    this.#changed();
  }

  /** The directory changed. */
  handleDirectory(now: number): void {
    this.#adopt();
    this.#tryStart(now);
    this.#changed();
  }

  /** The server started the session that was asked for. @returns whether anybody wants it still. */
  handleStarted(token: number, sessionId: string, now: number): boolean {
    if (this.#asking?.token !== token) return false;
    const { at } = this.#asking;
    this.#asking = undefined;
    const peer = this.#options.nextPeer();
    this.#coming = { session: new Session({ peer, sessionId, direction: "receive" }, now), askedAt: at };
    this.#drain("coming", now);
    if (!this.#everShown) {
      this.#everShown = true;
      this.#commands.push({ kind: "show", peer });
    }
    this.#changed();
    return true;
  }

  /** The server refused the session that was asked for. */
  handleRefused(token: number, error: WeirError, now: number): void {
    if (this.#asking?.token !== token) return;
    this.#asking = undefined;
    this.#retry(error, now);
  }

  /** Whether a session is one of this watching's. */
  hasSession(sessionId: string): boolean {
    return this.#coming?.session.sessionId === sessionId || this.#shown?.session.sessionId === sessionId;
  }

  /** The other side sent a description or a candidate. */
  handlePayload(sessionId: string, payload: PeerPayload, now: number): void {
    this.#with(
      (session) => session.sessionId === sessionId && session.signalled,
      now,
      (session) => {
        if ("sdp" in payload) session.handleRemoteDescription(payload.sdp);
        else session.handleRemoteCandidate(payload.ice);
      },
    );
  }

  /** The server or the other side ended a session. */
  handleEnded(sessionId: string, reason: string | undefined, now: number): void {
    const error = WeirError.sessionEnded(reason);
    if (this.#coming?.session.sessionId === sessionId) {
      this.#coming.session.handleUnsignalled();
      this.#drop("coming");
      this.#retry(error, now);
    } else if (this.#shown?.session.sessionId === sessionId && this.#shown.session.signalled) {
      this.#shown.session.handleUnsignalled();
      this.#shown.lingerUntil = now + LINGER_MS;
      this.#retry(error, now);
    }
  }

  /** Whether a peer connection is one of this watching's. */
  hasPeer(peer: PeerKey): boolean {
    return this.#coming?.session.peer === peer || this.#shown?.session.peer === peer;
  }

  /** Tells the session of a peer connection what happened to it. */
  handlePeer(peer: PeerKey, now: number, tell: (session: Session) => void): void {
    this.#with((session) => session.peer === peer, now, tell);
  }

  /** The first frame of a peer connection is there, or, where it has no video, its sound. */
  handleMedia(peer: PeerKey, now: number): void {
    const attempt = [this.#coming, this.#shown].find((candidate) => candidate?.session.peer === peer);
    if (!attempt || attempt.mediaAt !== undefined) return;
    attempt.mediaAt = now;
    this.#commands.push({ kind: "firstFrame", millis: now - attempt.askedAt });
    if (attempt === this.#coming) this.#promote();
    this.#changed();
  }

  handleTimeout(now: number): void {
    this.#with(
      () => true,
      now,
      (session) => {
        session.handleTimeout(now);
      },
    );
    if (this.#asking && now >= this.#asking.at + START_TIMEOUT_MS) {
      this.#asking = undefined;
      this.#retry(WeirError.timeout("The signalling server did not start a session in time."), now);
    }
    if (this.#coming?.frameDeadline !== undefined && now >= this.#coming.frameDeadline) {
      this.#promote();
      this.#changed();
    }
    if (this.#ready && this.#shown?.lingerUntil !== undefined && now >= this.#shown.lingerUntil) {
      this.#drop("shown");
      this.#changed();
    }
    this.#tryStart(now);
  }

  get #phase(): WatchPhase {
    if (this.#closed) return "closed";
    const flows = this.#shown?.mediaAt !== undefined;
    if (flows && this.#shown?.session.signalled) return "playing";
    if (flows) return "resuming";
    return this.#asking || this.#coming ? "starting" : "waiting";
  }

  /** Whether the server knows the producer. */
  get #listed(): boolean {
    return this.#options.directory.get(this.#producer.id) !== undefined;
  }

  /** Whether a session should be asked for. */
  get #wanting(): boolean {
    return !this.#closed && !this.#asking && !this.#coming && !this.#shown?.session.signalled;
  }

  #tryStart(now: number): void {
    if (!this.#wanting || !this.#ready) return;
    if (!this.#listed) {
      if (this.#error?.reason !== Reason.ProducerGone) {
        this.#error = WeirError.producerGone();
        this.#changed();
      }
      return;
    }
    if (this.#retryAt !== undefined && now < this.#retryAt) return;
    this.#retryAt = undefined;
    this.#tokens += 1;
    this.#asking = { token: this.#tokens, at: now };
    this.#commands.push({ kind: "startSession", producerId: this.#producer.id, token: this.#tokens });
    this.#changed();
  }

  /**
   * Follows the producer: what is known of it may change, and when it registers anew it has another id. The one that
   * takes its place is one with equal metadata that came later and that nobody else watches.
   */
  #adopt(): void {
    const { directory, isTaken } = this.#options;
    const listed = directory.get(this.#producer.id);
    if (listed) {
      this.#producer = listed;
      return;
    }
    if (!this.#wanting) return;
    const successor = directory
      .successors(this.#producer.meta, this.#chosenAt)
      .find((candidate) => !isTaken(candidate.id));
    if (!successor) return;
    this.#producer = successor;
    this.#chosenAt = directory.news;
  }

  /** The coming session takes the shown one's place. */
  #promote(): void {
    const coming = this.#coming;
    if (!coming) return;
    const before = this.#shown;
    this.#coming = undefined;
    delete coming.frameDeadline;
    this.#commands.push({ kind: "show", peer: coming.session.peer });
    this.#shown = coming;
    this.#error = undefined;
    if (before) this.#end(before);
  }

  #with(matches: (session: Session) => boolean, now: number, tell: (session: Session) => void): void {
    for (const slot of ["coming", "shown"] as const) {
      const attempt = slot === "coming" ? this.#coming : this.#shown;
      if (!attempt || !matches(attempt.session)) continue;
      tell(attempt.session);
      this.#drain(slot, now);
    }
  }

  #drain(slot: "coming" | "shown", now: number): void {
    const attempt = slot === "coming" ? this.#coming : this.#shown;
    if (!attempt) return;
    for (let command = attempt.session.pollCommand(); command; command = attempt.session.pollCommand()) {
      switch (command.kind) {
        case "connected":
          if (this.#shown && slot === "coming") attempt.frameDeadline = now + FRAME_TIMEOUT_MS;
          break;
        case "failed":
          this.#fail(slot, command.error, now);
          return;
        default:
          this.#commands.push(command);
      }
    }
  }

  #fail(slot: "coming" | "shown", error: WeirError, now: number): void {
    const attempt = slot === "coming" ? this.#coming : this.#shown;
    if (attempt?.mediaAt !== undefined && now - attempt.mediaAt >= STABLE_MS) this.#backoff.reset();
    this.#drop(slot, error);
    this.#retry(error, now);
  }

  #retry(error: WeirError, now: number): void {
    this.#error = error;
    if (this.#wanting) this.#retryAt = now + this.#backoff.next();
    this.#changed();
  }

  #drop(slot: "coming" | "shown", error?: WeirError): void {
    const attempt = slot === "coming" ? this.#coming : this.#shown;
    if (slot === "coming") this.#coming = undefined;
    else this.#shown = undefined;
    if (attempt) this.#end(attempt, error);
  }

  #end(attempt: Attempt, error?: WeirError): void {
    attempt.session.end(error);
    for (let command = attempt.session.pollCommand(); command; command = attempt.session.pollCommand()) {
      if (command.kind !== "connected" && command.kind !== "failed") this.#commands.push(command);
    }
  }

  #changed(): void {
    this.#commands.push({ kind: "changed" });
  }
}

/** The smallest of the numbers that are there. */
export function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

import { TypedEventTarget } from "./events";
import { onFirstFrame } from "./media/frames";
import { StatsMeter } from "./media/meter";
import type { Peer } from "./media/peer";
import type { PeerStats } from "./media/stats";
import type { WatchState } from "./sessions/watch";
import type { Producer } from "./signalling/directory";

export interface WatchingEvents {
  state: WatchState;
  /** Tracks came to {@link Watching.stream}, or left it. */
  tracks: readonly MediaStreamTrack[];
  /** The first frame of a session came, this long after the session was asked for, in milliseconds. */
  firstframe: number;
}

/** What a watching needs of its client. */
export interface WatchingHost {
  state(): WatchState;
  close(): void;
}

/**
 * The watching of one producer, until it is closed. Sessions come and go beneath it: when the server or the producer
 * was gone it is resumed, and the picture of the old session stays until the new one has its own.
 */
export class Watching extends TypedEventTarget<WatchingEvents> {
  /**
   * What the producer sends. It stays the same object while tracks come and go, so it can be given to a media element
   * once. An element plays the first video track; others can be had from {@link tracks}.
   */
  readonly stream = new MediaStream();
  readonly #host: WatchingHost;
  #shown: { readonly peer: Peer; readonly meter: StatsMeter } | undefined;
  #firstFrameMillis: number | undefined;

  constructor(host: WatchingHost) {
    super();
    this.#host = host;
  }

  get state(): WatchState {
    return this.#host.state();
  }

  get producer(): Producer {
    return this.state.producer;
  }

  /** The tracks of {@link stream}, in the order of the producer's m-lines. */
  get tracks(): readonly MediaStreamTrack[] {
    return this.#shown?.peer.tracks ?? [];
  }

  /** From asking for the latest session to its first frame, in milliseconds. */
  get firstFrameMillis(): number | undefined {
    return this.#firstFrameMillis;
  }

  /** The peer connection whose media is shown. It belongs to the client: look, and leave it as it is. */
  get peerConnection(): RTCPeerConnection | undefined {
    return this.#shown?.peer.connection;
  }

  /** The numbers since the last call; undefined while there is no session. */
  async stats(): Promise<PeerStats | undefined> {
    return this.#shown?.meter.measure();
  }

  /** Stops watching. */
  close(): void {
    this.#host.close();
  }

  /** For the client: shows the tracks of this peer connection in place of what was shown. */
  show(peer: Peer): void {
    if (this.#shown?.peer === peer) return;
    this.#shown = { peer, meter: new StatsMeter(peer.connection) };
    if (peer.tracks.length > 0) this.#showTracks(peer.tracks);
  }

  /** For the client: the tracks of a peer connection changed. */
  handleTracks(peer: Peer, tracks: readonly MediaStreamTrack[]): void {
    if (this.#shown?.peer === peer) this.#showTracks(tracks);
  }

  /** For the client. */
  handleFirstFrame(millis: number): void {
    this.#firstFrameMillis = millis;
    this.emit("firstframe", millis);
  }

  /** For the client. */
  handleState(state: WatchState): void {
    if (state.phase === "closed") for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
    this.emit("state", state);
  }

  /**
   * Old tracks go before new ones come: then an element goes on with the new one's picture, without a gap. The other
   * way round, Chromium's shows nothing any more.
   */
  #showTracks(tracks: readonly MediaStreamTrack[]): void {
    for (const track of this.stream.getTracks()) if (!tracks.includes(track)) this.stream.removeTrack(track);
    for (const track of tracks) this.stream.addTrack(track);
    this.emit("tracks", tracks);
  }
}

/** Calls `listener` once, when a received peer connection has something to see, or only to hear. */
export class MediaWaiter {
  readonly #peer: Peer;
  readonly #listener: (now: number) => void;
  #stop: (() => void) | undefined;
  #done = false;

  constructor(peer: Peer, listener: (now: number) => void) {
    this.#peer = peer;
    this.#listener = listener;
  }

  /** To be called when tracks or the connection's state changed. */
  update(): void {
    if (this.#done || this.#stop) return;
    const { tracks, connection } = this.#peer;
    const video = tracks.find((track) => track.kind === "video");
    if (video) {
      this.#stop = onFirstFrame(connection, video, (now) => {
        this.#finish(now);
      });
    } else if (tracks.length > 0 && connection.connectionState === "connected") {
      this.#finish(performance.now());
    }
  }

  cancel(): void {
    this.#done = true;
    this.#stop?.();
  }

  #finish(now: number): void {
    if (this.#done) return;
    this.#done = true;
    this.#listener(now);
  }
}

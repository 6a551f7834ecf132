import { TypedEventTarget } from "./events";
import { StatsMeter } from "./media/meter";
import type { Peer } from "./media/peer";
import type { PeerStats } from "./media/stats";
import type { PublicationState } from "./sessions/publication";

export interface PublishingEvents {
  state: PublicationState;
}

/** What a publishing needs of its client. */
export interface PublishingHost {
  state(): PublicationState;
  close(): void;
}

/** A stream that is offered to whoever wants to watch it, until it is closed or all of its tracks have ended. */
export class Publishing extends TypedEventTarget<PublishingEvents> {
  readonly stream: MediaStream;
  readonly #host: PublishingHost;
  readonly #listening = new AbortController();
  readonly #meters = new Map<Peer, StatsMeter>();

  constructor(stream: MediaStream, host: PublishingHost) {
    super();
    this.stream = stream;
    this.#host = host;
    for (const track of stream.getTracks()) {
      track.addEventListener(
        "ended",
        () => {
          this.#closeIfEnded();
        },
        { signal: this.#listening.signal },
      );
    }
  }

  get state(): PublicationState {
    return this.#host.state();
  }

  /** The numbers of each consumer's connection since the last call. */
  async stats(): Promise<PeerStats[]> {
    return Promise.all([...this.#meters.values()].map((meter) => meter.measure()));
  }

  /** Stops publishing. The tracks are the caller's: they are not stopped. */
  close(): void {
    this.#listening.abort();
    this.#host.close();
  }

  /** For the client: a consumer's peer connection was made. */
  handlePeer(peer: Peer): void {
    this.#meters.set(peer, new StatsMeter(peer.connection));
  }

  /** For the client: a peer connection was closed. */
  handlePeerClosed(peer: Peer): void {
    this.#meters.delete(peer);
  }

  /** For the client. */
  handleState(state: PublicationState): void {
    this.emit("state", state);
  }

  #closeIfEnded(): void {
    if (this.stream.getTracks().every((track) => track.readyState === "ended")) this.close();
  }
}

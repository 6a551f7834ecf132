import { Engine, type EngineCommand, type WatchKey } from "./engine";
import { WeirError } from "./errors";
import { TypedEventTarget } from "./events";
import { Peer } from "./media/peer";
import { Publishing } from "./publishing";
import type { Direction, PeerKey } from "./sessions/session";
import type { BackoffOptions } from "./signalling/backoff";
import type { ConnectionState } from "./signalling/connection";
import type { Producer } from "./signalling/directory";
import { Socket } from "./signalling/socket";
import { MediaWaiter, Watching } from "./watching";

/** How to reach whom. */
export interface ClientOptions {
  /** The signalling server's address, `ws:` or `wss:`. */
  readonly url: string;
  /**
   * Passed to each peer connection. Without it no STUN or TURN server is contacted, which is enough where the peers
   * reach each other directly.
   */
  readonly rtcConfiguration?: RTCConfiguration;
  /** How long to wait between attempts to reach the server, and between attempts to watch. */
  readonly backoff?: BackoffOptions;
}

export interface ClientEvents {
  /** The connection to the signalling server changed. */
  state: ConnectionState;
  /** A producer came, left or changed. */
  producers: readonly Producer[];
  /** The server refused something. */
  error: WeirError;
}

/** What to tell with a publication. */
export interface PublishOptions {
  /** Shown to listeners; by convention `display-name` is the name for people. */
  readonly meta?: Readonly<Record<string, unknown>>;
  /** More consumers than this are turned away: each costs an encoder of the browser's. 16 by default. */
  readonly maxConsumers?: number;
}

/** A peer connection and what is known of its media. */
interface Connected {
  readonly peer: Peer;
  readonly waiter: MediaWaiter | undefined;
}

/** The longest delay that browsers' timers take, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * A client of a signalling server. It connects by itself, and again whenever the connection is lost, until it is closed.
 *
 * This is the shell of `engine.ts`: it feeds the engine facts, carries out its commands and wakes it.
 */
export class WeirClient extends TypedEventTarget<ClientEvents> {
  readonly url: string;
  readonly #configuration: RTCConfiguration;
  readonly #engine: Engine;
  readonly #peers = new Map<PeerKey, Connected>();
  readonly #watchings = new Map<WatchKey, Watching>();
  readonly #listening = new AbortController();
  #socket: Socket | undefined;
  #publishing: Publishing | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #executing = false;
  #closed = false;

  constructor(options: ClientOptions) {
    super();
    this.url = options.url;
    this.#configuration = { bundlePolicy: "max-bundle", ...options.rtcConfiguration };
    this.#engine = new Engine({
      address: options.url,
      random: Math.random,
      ...(options.backoff && { backoff: options.backoff }),
    });
    const { signal } = this.#listening;
    globalThis.addEventListener(
      "online",
      () => {
        this.#feed((now) => {
          this.#engine.handleOnline(now);
        });
      },
      { signal },
    );
    // Not at once: listeners that are added right after this constructor hear of everything.
    queueMicrotask(() => {
      if (!this.#closed)
        this.#feed((now) => {
          this.#engine.connect(now);
        });
    });
  }

  get state(): ConnectionState {
    return this.#engine.connection;
  }

  /** The producers that the server lists; while it is gone, those that it listed last. */
  get producers(): readonly Producer[] {
    return this.#engine.producers;
  }

  /** Watches a producer until the watching is closed; one that is not there (yet) is waited for. */
  watch(producerId: string): Watching {
    this.#refuseIfClosed();
    const key = this.#engine.watch(producerId, performance.now());
    const absent = { phase: "closed", producer: { id: producerId, meta: null } } as const;
    const watching = new Watching({
      state: () => this.#engine.watchState(key) ?? absent,
      close: () => {
        if (!this.#watchings.has(key)) return;
        this.#feed((now) => {
          this.#engine.unwatch(key, now);
        });
        this.#watchings.delete(key);
        watching.handleState({ phase: "closed", producer: watching.producer });
      },
    });
    this.#watchings.set(key, watching);
    this.#execute();
    return watching;
  }

  /**
   * Offers a stream to whoever wants to watch it, until the publishing is closed or all its tracks have ended.
   * A client publishes one thing at a time.
   */
  publish(stream: MediaStream, options: PublishOptions = {}): Publishing {
    this.#refuseIfClosed();
    if (this.#publishing) throw WeirError.alreadyPublishing();
    const publishing: Publishing = new Publishing(stream, {
      state: () =>
        (this.#publishing === publishing ? this.#engine.publication : undefined) ?? {
          phase: "closed",
          consumers: 0,
        },
      close: () => {
        if (this.#publishing !== publishing) return;
        this.#feed((now) => {
          this.#engine.unpublish(now);
        });
        this.#publishing = undefined;
        publishing.handleState({ phase: "closed", consumers: 0 });
      },
    });
    this.#publishing = publishing;
    this.#feed((now) => {
      this.#engine.publish(options.meta ?? null, options.maxConsumers ?? 16, now);
    });
    return publishing;
  }

  /** Ends everything: watchings, publication, connection. */
  close(): void {
    if (this.#closed) return;
    for (const watching of [...this.#watchings.values()]) watching.close();
    this.#publishing?.close();
    this.#feed((now) => {
      this.#engine.close(now);
    });
    this.#closed = true;
    this.#listening.abort();
    clearTimeout(this.#timer);
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw WeirError.closed();
  }

  /** Feeds one fact, and carries out what follows from it. */
  #feed(fact: (now: number) => void): void {
    if (this.#closed) return;
    fact(performance.now());
    this.#execute();
  }

  /** Carries out the engine's commands. What that feeds back is carried out by the same loop. */
  #execute(): void {
    if (this.#executing) return;
    this.#executing = true;
    try {
      for (let command = this.#engine.pollCommand(); command; command = this.#engine.pollCommand()) {
        this.#carryOut(command);
      }
    } finally {
      this.#executing = false;
    }
    this.#rearm();
  }

  #rearm(): void {
    clearTimeout(this.#timer);
    const at = this.#engine.pollTimeout();
    if (at === undefined) return;
    const delay = Math.min(Math.max(0, at - performance.now()), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#feed((now) => {
        this.#engine.handleTimeout(now);
      });
    }, delay);
  }

  #carryOut(command: EngineCommand): void {
    switch (command.kind) {
      case "openSocket":
        this.#socket = this.#openSocket(command.socket);
        break;
      case "sendText":
        this.#socket?.send(command.text);
        break;
      case "closeSocket":
        this.#socket?.close();
        break;
      case "createPeer":
        this.#createPeer(command.peer, command.direction);
        break;
      case "createOffer":
        this.#peers.get(command.peer)?.peer.createOffer();
        break;
      case "acceptOffer":
        this.#peers.get(command.peer)?.peer.acceptOffer(command.sdp);
        break;
      case "acceptAnswer":
        this.#peers.get(command.peer)?.peer.acceptAnswer(command.sdp);
        break;
      case "addCandidate":
        this.#peers.get(command.peer)?.peer.addCandidate(command.ice);
        break;
      case "closePeer":
        this.#closePeer(command.peer);
        break;
      case "show":
        this.#show(command.watch, command.peer);
        break;
      case "firstFrame":
        this.#watchings.get(command.watch)?.handleFirstFrame(command.millis);
        break;
      case "connectionChanged":
        this.emit("state", this.state);
        break;
      case "producersChanged":
        this.emit("producers", this.producers);
        break;
      case "refused":
        this.emit("error", command.error);
        break;
      case "watchChanged": {
        const watching = this.#watchings.get(command.watch);
        const state = this.#engine.watchState(command.watch);
        if (watching && state && state.phase !== "closed") watching.handleState(state);
        break;
      }
      case "publicationChanged": {
        const state = this.#engine.publication;
        if (state && state.phase !== "closed") this.#publishing?.handleState(state);
        break;
      }
    }
  }

  #openSocket(socket: number): Socket {
    return new Socket(this.url, {
      opened: () => {
        this.#feed((now) => {
          this.#engine.handleSocketOpen(socket, now);
        });
      },
      text: (text) => {
        this.#feed((now) => {
          this.#engine.handleSocketText(socket, text, now);
        });
      },
      closed: () => {
        this.#feed((now) => {
          this.#engine.handleSocketClosed(socket, now);
        });
      },
      refused: (error) => {
        this.#feed((now) => {
          this.#engine.handleSocketRefused(socket, error, now);
        });
      },
    });
  }

  #createPeer(key: PeerKey, direction: Direction): void {
    const published = direction === "send" ? this.#publishing?.stream : undefined;
    const peer = new Peer(
      this.#configuration,
      {
        localDescription: (description) => {
          this.#feed((now) => {
            this.#engine.handleLocalDescription(key, description, now);
          });
        },
        negotiationFailed: (details) => {
          this.#feed((now) => {
            this.#engine.handleNegotiationFailed(key, details, now);
          });
        },
        localCandidate: (ice) => {
          this.#feed((now) => {
            this.#engine.handleLocalCandidate(key, ice, now);
          });
        },
        connectionState: (state) => {
          this.#feed((now) => {
            this.#engine.handleConnectionState(key, state, now);
          });
          waiter?.update();
        },
        tracks: (tracks) => {
          for (const watching of this.#watchings.values()) watching.handleTracks(peer, tracks);
          waiter?.update();
        },
      },
      published,
    );
    const waiter =
      direction === "receive"
        ? new MediaWaiter(peer, (now) => {
            this.#engine.handleMedia(key, now);
            this.#execute();
          })
        : undefined;
    this.#peers.set(key, { peer, waiter });
    if (published) this.#publishing?.handlePeer(peer);
  }

  #closePeer(key: PeerKey): void {
    const connected = this.#peers.get(key);
    this.#peers.delete(key);
    if (!connected) return;
    connected.waiter?.cancel();
    connected.peer.close();
    this.#publishing?.handlePeerClosed(connected.peer);
  }

  #show(key: WatchKey, peer: PeerKey): void {
    const connected = this.#peers.get(peer);
    if (connected) this.#watchings.get(key)?.show(connected.peer);
  }
}

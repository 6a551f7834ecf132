import {
  captureCamera,
  captureScreen,
  Publishing,
  TypedEventTarget,
  Watching,
  WeirClient,
  WeirError,
  type Producer,
} from "../src";
import type { PageConfig } from "./config";

/** What can be published. */
export type Source = "camera" | "screen";

/** Something that is published from this page, with the connection that it has for itself. */
export interface PagePublication {
  readonly key: number;
  readonly source: Source;
  readonly client: WeirClient;
  readonly publishing: Publishing;
}

/** Something that is watched on this page. */
export interface PageWatching {
  readonly key: number;
  readonly watching: Watching;
}

/** Something that the user should read. */
export interface Notice {
  readonly key: number;
  readonly text: string;
}

interface ModelEvents {
  changed: undefined;
}

/** Older notices go when there are more than this. */
const MAX_NOTICES = 4;

/** What the page shows, and what can be done on it, apart from how it looks. */
export class PageModel extends TypedEventTarget<ModelEvents> {
  readonly config: PageConfig;
  readonly client: WeirClient;
  #watchings: readonly PageWatching[] = [];
  #publications: readonly PagePublication[] = [];
  #notices: readonly Notice[] = [];
  #keys = 0;
  #autoplayed = new Set<string>();

  constructor(config: PageConfig) {
    super();
    this.config = config;
    this.client = new WeirClient({ url: config.signallingUrl });
    this.client.on("state", () => {
      this.#changed();
    });
    this.client.on("producers", (producers) => {
      this.#autoplay(producers);
      this.#changed();
    });
    this.client.on("error", (error) => {
      this.notify(error.message);
    });
    if (config.producer !== undefined) this.watch(config.producer);
  }

  get watchings(): readonly PageWatching[] {
    return this.#watchings;
  }

  get publications(): readonly PagePublication[] {
    return this.#publications;
  }

  get notices(): readonly Notice[] {
    return this.#notices;
  }

  isWatched(producerId: string): boolean {
    return this.#watchings.some(({ watching }) => watching.producer.id === producerId);
  }

  /** Whether a producer is one of this page's own. */
  isOwn(producerId: string): boolean {
    return this.#publications.some(({ client }) => client.state.peerId === producerId);
  }

  /** Watches a producer, unless it is watched already. */
  watch(producerId: string): Watching {
    const present = this.#watchings.find(({ watching }) => watching.producer.id === producerId);
    if (present) return present.watching;
    const watching = this.client.watch(producerId);
    watching.on("state", ({ phase }) => {
      if (phase === "closed")
        this.#watchings = this.#watchings.filter((other) => other.watching !== watching);
      this.#changed();
    });
    this.#watchings = [...this.#watchings, { key: this.#nextKey(), watching }];
    this.#changed();
    return watching;
  }

  watchAll(): void {
    for (const { id } of this.client.producers) if (!this.isOwn(id)) this.watch(id);
  }

  /** Asks the browser for a source and offers it under this name. Resolves to undefined if the browser or user refuse. */
  async publish(source: Source, name: string): Promise<Publishing | undefined> {
    let stream: MediaStream;
    try {
      stream = await (source === "camera" ? captureCamera() : captureScreen());
    } catch (cause) {
      this.notify(cause instanceof WeirError ? cause.message : String(cause));
      return undefined;
    }
    const client = new WeirClient({ url: this.config.signallingUrl });
    // The instance tells this publication from others of the same name when it registers anew.
    const publishing = client.publish(stream, {
      meta: { "display-name": name, source, instance: instance() },
    });
    client.on("state", () => {
      this.#changed();
    });
    publishing.on("state", ({ phase }) => {
      if (phase === "closed") {
        this.#publications = this.#publications.filter((other) => other.publishing !== publishing);
        for (const track of stream.getTracks()) track.stop();
        client.close();
      }
      this.#changed();
    });
    this.#publications = [...this.#publications, { key: this.#nextKey(), source, client, publishing }];
    this.#changed();
    return publishing;
  }

  notify(text: string): void {
    if (this.#notices.some((notice) => notice.text === text)) return;
    this.#notices = [...this.#notices, { key: this.#nextKey(), text }].slice(-MAX_NOTICES);
    this.#changed();
  }

  dismiss(key: number): void {
    this.#notices = this.#notices.filter((notice) => notice.key !== key);
    this.#changed();
  }

  /** Says goodbye, so that nobody has to find out. */
  close(): void {
    for (const { publishing, client } of this.#publications) {
      publishing.close();
      client.close();
    }
    this.client.close();
  }

  #autoplay(producers: readonly Producer[]): void {
    if (this.config.autoplay === "none") return;
    const wanted = producers.filter(
      ({ id }) => !this.isOwn(id) && !this.#autoplayed.has(id) && !this.isWatched(id),
    );
    for (const { id } of this.config.autoplay === "all" ? wanted : wanted.slice(0, 1)) {
      if (this.config.autoplay === "first" && this.#autoplayed.size > 0) return;
      this.#autoplayed.add(id);
      this.watch(id);
    }
  }

  #nextKey(): number {
    this.#keys += 1;
    return this.#keys;
  }

  #changed(): void {
    this.emit("changed", undefined);
  }
}

function instance(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

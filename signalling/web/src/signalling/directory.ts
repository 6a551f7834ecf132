import type { Participant } from "../protocol/Participant";
import type { Role } from "../protocol/Role";

/** A producer as listeners know it. */
export type Producer = Readonly<Participant>;

/** More producers than this are not remembered: the list comes from strangers. */
export const MAX_PRODUCERS = 10_000;

/** The producers of a server, kept up to date from its lists and announcements. Pure. */
export class Directory {
  #producers = new Map<string, Producer>();
  /** For each producer, the count of news at which it was first seen. */
  readonly #seen = new Map<string, number>();
  #news = 0;

  /** How many pieces of news came so far: a clock that orders arrivals. */
  get news(): number {
    return this.#news;
  }

  /** The producers, in the order in which they were first seen. */
  get producers(): readonly Producer[] {
    return [...this.#producers.values()];
  }

  get(id: string): Producer | undefined {
    return this.#producers.get(id);
  }

  /** The producers with this metadata that came after the given count of {@link news}. */
  successors(meta: unknown, since: number): Producer[] {
    return this.producers.filter(
      (producer) => (this.#seen.get(producer.id) ?? 0) > since && sameJson(producer.meta, meta),
    );
  }

  /** A whole list came. @returns whether anything changed. */
  handleList(producers: readonly Producer[]): boolean {
    this.#news += 1;
    const before = this.#producers;
    const listed = new Map(producers.slice(0, MAX_PRODUCERS).map((producer) => [producer.id, producer]));
    const kept = [...before.keys()].filter((id) => listed.has(id));
    const order = [...new Set([...kept, ...listed.keys()])];
    this.#producers = new Map();
    for (const id of order) {
      const producer = listed.get(id);
      if (!producer) continue;
      this.#producers.set(id, producer);
      if (!before.has(id)) this.#seen.set(id, this.#news);
    }
    for (const id of before.keys()) if (!listed.has(id)) this.#seen.delete(id);
    if (before.size !== listed.size) return true;
    return order.some((id) => !sameProducer(before.get(id), listed.get(id)));
  }

  /** A peer's status changed. @returns whether that changed the producers. */
  handleStatus(id: string, roles: readonly Role[], meta: unknown): boolean {
    this.#news += 1;
    const known = this.#producers.get(id);
    if (!roles.includes("producer")) {
      this.#seen.delete(id);
      return this.#producers.delete(id);
    }
    if (!known && this.#producers.size >= MAX_PRODUCERS) return false;
    const producer: Producer = { id, meta };
    this.#producers.set(id, producer);
    if (!known) this.#seen.set(id, this.#news);
    return !sameProducer(known, producer);
  }
}

function sameProducer(a: Producer | undefined, b: Producer | undefined): boolean {
  if (!a || !b) return false;
  return a.id === b.id && sameJson(a.meta, b.meta);
}

/**
 * Whether two JSON values are equal; the order of an object's members does not count.
 * Values nested deeper than 64 levels are taken to be different.
 */
export function sameJson(a: unknown, b: unknown, depth = 64): boolean {
  if (a === b) return true;
  if (depth === 0 || typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) &&
      sameJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], depth - 1),
  );
}

import { computeStats, type PeerStats, type StatsRecord, type StatsSnapshot } from "./stats";

/** Snapshots closer together than this are not compared: rates over so short a time say nothing. Milliseconds. */
const MIN_INTERVAL_MS = 200;

/** Measures one peer connection: takes snapshots, and compares each with the one before. */
export class StatsMeter {
  readonly #connection: RTCPeerConnection;
  #previous: StatsSnapshot | undefined;
  #latest: PeerStats | undefined;
  #running: Promise<PeerStats> | undefined;

  constructor(connection: RTCPeerConnection) {
    this.#connection = connection;
  }

  /** The numbers since the last call; the same again if that was a moment ago. */
  measure(): Promise<PeerStats> {
    if (this.#latest && performance.now() - this.#latest.at < MIN_INTERVAL_MS) {
      return Promise.resolve(this.#latest);
    }
    this.#running ??= this.#measure().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #measure(): Promise<PeerStats> {
    const report = await this.#connection.getStats();
    const records: StatsRecord[] = [];
    report.forEach((record: StatsRecord) => records.push(record));
    const snapshot = { at: performance.now(), records };
    this.#latest = computeStats(this.#previous, snapshot);
    this.#previous = snapshot;
    return this.#latest;
  }
}

/**
 * From two snapshots of a peer connection's statistics to the numbers that people look at. Pure.
 *
 * The names are those of the W3C's "Identifiers for WebRTC's Statistics API". Browsers leave members out; what cannot
 * be known is absent, never zero.
 */

/** One entry of an `RTCStatsReport`. */
export type StatsRecord = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

/** All entries of an `RTCStatsReport` at one time. */
export interface StatsSnapshot {
  /** When it was taken, in milliseconds, on any monotonic clock. */
  readonly at: number;
  readonly records: readonly StatsRecord[];
}

/** One RTP stream: a received video, a sent sound … */
export interface StreamStats {
  /** Stable over the stream's life. */
  readonly id: string;
  readonly kind: "audio" | "video";
  readonly direction: "receive" | "send";
  /** The m-line's identification tag. */
  readonly mid?: string;
  /** The received track. */
  readonly trackId?: string;
  /** The codec without its media type: `VP8`, `H264`, `opus`. */
  readonly codec?: string;
  /** Bits per second since the last snapshot, RTP payload only. */
  readonly bitrate?: number;
  /** Frames per second since the last snapshot: decoded ones, or encoded ones where we send. */
  readonly framesPerSecond?: number;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  /** Frames since the beginning: decoded ones, or encoded ones where we send. */
  readonly frames?: number;
  /** Milliseconds there and back. */
  readonly roundTripMs?: number;
  /** The mean time that what was played since the last snapshot spent in the jitter buffer, in milliseconds. */
  readonly jitterBufferMs?: number;
  /** RFC 3550's interarrival jitter, in milliseconds. */
  readonly jitterMs?: number;
  /** Packets lost since the beginning. */
  readonly packetsLost?: number;
  /** The share of packets lost since the last snapshot, from 0 to 1. */
  readonly lossRatio?: number;
  /** How often the picture froze since the beginning. */
  readonly freezes?: number;
  /** Frames that were dropped between decoder and screen since the beginning. */
  readonly framesDropped?: number;
}

/** The network path in use. */
export interface PathStats {
  /** `host`, `srflx`, `prflx` or `relay`. */
  readonly local?: string;
  readonly remote?: string;
  /** `udp` or `tcp`. */
  readonly protocol?: string;
}

/** A peer connection's numbers. */
export interface PeerStats {
  readonly at: number;
  readonly streams: readonly StreamStats[];
  readonly path?: PathStats;
  /** Milliseconds there and back, on the network path in use. */
  readonly roundTripMs?: number;
}

/** The numbers at `current`; rates are over the time since `previous`, and absent without one. */
export function computeStats(previous: StatsSnapshot | undefined, current: StatsSnapshot): PeerStats {
  const index = new Map(current.records.map((record) => [record.id, record]));
  const before = new Map(previous?.records.map((record) => [record.id, record]));
  const elapsedMs = previous ? current.at - previous.at : 0;
  const pair = selectedPair(current.records, index);
  const roundTripMs = milliseconds(pair, "currentRoundTripTime");
  const streams = current.records
    .filter((record) => record.type === "inbound-rtp" || record.type === "outbound-rtp")
    .map((record) => streamStats(record, before.get(record.id), elapsedMs, index, roundTripMs))
    .filter((stream) => stream !== undefined)
    .sort((a, b) => compare(b.kind, a.kind) || compare(a.mid ?? "", b.mid ?? "") || compare(a.id, b.id));
  return present<PeerStats>({ at: current.at, streams, path: pair && pathStats(pair, index), roundTripMs });
}

type Index = ReadonlyMap<string, StatsRecord>;

function streamStats(
  record: StatsRecord,
  before: StatsRecord | undefined,
  elapsedMs: number,
  index: Index,
  pathRoundTripMs: number | undefined,
): StreamStats | undefined {
  const kind = text(record, "kind") ?? text(record, "mediaType");
  if (kind !== "audio" && kind !== "video") return undefined;
  const receives = record.type === "inbound-rtp";
  const remote = related(record, "remoteId", index);
  const frames = number(record, receives ? "framesDecoded" : "framesEncoded");
  const delta = (name: string): number | undefined => growth(record, before, name);
  const perSecond = (amount: number | undefined): number | undefined =>
    amount !== undefined && elapsedMs > 0 ? (amount * 1000) / elapsedMs : undefined;
  const bytes = perSecond(delta(receives ? "bytesReceived" : "bytesSent"));
  const loss = receives ? receiverLoss(record, before) : number(remote, "fractionLost");
  return present<StreamStats>({
    id: record.id,
    kind,
    direction: receives ? "receive" : "send",
    mid: text(record, "mid"),
    trackId: text(record, "trackIdentifier"),
    codec: codecName(related(record, "codecId", index)),
    bitrate: bytes === undefined ? undefined : bytes * 8,
    framesPerSecond:
      perSecond(delta(receives ? "framesDecoded" : "framesEncoded")) ?? number(record, "framesPerSecond"),
    width: number(record, "frameWidth"),
    height: number(record, "frameHeight"),
    frames,
    roundTripMs: milliseconds(remote, "roundTripTime") ?? pathRoundTripMs,
    jitterBufferMs: jitterBuffer(record, before),
    jitterMs: milliseconds(receives ? record : remote, "jitter"),
    packetsLost: number(receives ? record : remote, "packetsLost"),
    lossRatio: loss,
    freezes: number(record, "freezeCount"),
    framesDropped: number(record, "framesDropped"),
  });
}

/** The pair in use: named by the transport, or, where a browser has no such entry, marked on the pair itself. */
function selectedPair(records: readonly StatsRecord[], index: Index): StatsRecord | undefined {
  for (const record of records) {
    const pair = record.type === "transport" ? related(record, "selectedCandidatePairId", index) : undefined;
    if (pair) return pair;
  }
  const pairs = records.filter((record) => record.type === "candidate-pair");
  return (
    pairs.find((pair) => pair.selected === true) ??
    pairs.find((pair) => pair.nominated === true && pair.state === "succeeded")
  );
}

function pathStats(pair: StatsRecord, index: Index): PathStats {
  const local = related(pair, "localCandidateId", index);
  const remote = related(pair, "remoteCandidateId", index);
  return present<PathStats>({
    local: text(local, "candidateType"),
    remote: text(remote, "candidateType"),
    protocol: text(local, "protocol"),
  });
}

function receiverLoss(record: StatsRecord, before: StatsRecord | undefined): number | undefined {
  // A packet that was counted as lost and then arrives late makes the count smaller: no growth, no loss.
  const lost = growth(record, before, "packetsLost");
  const received = growth(record, before, "packetsReceived");
  if (received === undefined) return undefined;
  const total = (lost ?? 0) + received;
  return total > 0 ? (lost ?? 0) / total : undefined;
}

function jitterBuffer(record: StatsRecord, before: StatsRecord | undefined): number | undefined {
  const seconds = growth(record, before, "jitterBufferDelay");
  const emitted = growth(record, before, "jitterBufferEmittedCount");
  return seconds !== undefined && emitted !== undefined && emitted > 0
    ? (seconds / emitted) * 1000
    : undefined;
}

function codecName(codec: StatsRecord | undefined): string | undefined {
  return text(codec, "mimeType")?.replace(/^(audio|video)\//i, "");
}

/** How much a counter grew; absent where there is nothing to compare with, or where it began anew. */
function growth(record: StatsRecord, before: StatsRecord | undefined, name: string): number | undefined {
  const now = number(record, name);
  const then = number(before, name);
  return now !== undefined && then !== undefined && now >= then ? now - then : undefined;
}

function related(record: StatsRecord | undefined, name: string, index: Index): StatsRecord | undefined {
  const id = text(record, name);
  return id === undefined ? undefined : index.get(id);
}

function number(record: StatsRecord | undefined, name: string): number | undefined {
  const value = record?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function text(record: StatsRecord | undefined, name: string): string | undefined {
  const value = record?.[name];
  return typeof value === "string" ? value : undefined;
}

function milliseconds(record: StatsRecord | undefined, name: string): number | undefined {
  const seconds = number(record, name);
  return seconds === undefined ? undefined : seconds * 1000;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The same members, any of which may be undefined where it may be absent. */
type Loose<T> = { [Key in keyof T]: T[Key] | undefined };

/** Without the members that are undefined. */
function present<T extends object>(object: Loose<T>): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

import { describe, expect, test } from "vitest";
import { computeStats, type StatsRecord, type StatsSnapshot } from "./stats";

const video = (members: Record<string, unknown> = {}): StatsRecord => ({
  id: "IV1",
  type: "inbound-rtp",
  kind: "video",
  mid: "video0",
  codecId: "C1",
  trackIdentifier: "track",
  bytesReceived: 1_000_000,
  packetsReceived: 1000,
  packetsLost: 10,
  framesDecoded: 300,
  framesDropped: 2,
  frameWidth: 1280,
  frameHeight: 720,
  jitter: 0.004,
  jitterBufferDelay: 30,
  jitterBufferEmittedCount: 300,
  freezeCount: 1,
  ...members,
});

const codec: StatsRecord = { id: "C1", type: "codec", mimeType: "video/VP8" };

const snapshot = (at: number, ...records: StatsRecord[]): StatsSnapshot => ({ at, records });

describe("a received video", () => {
  const before = snapshot(1000, video(), codec);
  const after = snapshot(
    3000,
    video({
      bytesReceived: 1_500_000,
      packetsReceived: 1380,
      packetsLost: 30,
      framesDecoded: 360,
      jitterBufferDelay: 33,
      jitterBufferEmittedCount: 360,
    }),
    codec,
  );

  test("its rates are over the time between the snapshots", () => {
    const [stream] = computeStats(before, after).streams;
    expect(stream).toEqual({
      id: "IV1",
      kind: "video",
      direction: "receive",
      mid: "video0",
      trackId: "track",
      codec: "VP8",
      bitrate: 2_000_000,
      framesPerSecond: 30,
      width: 1280,
      height: 720,
      frames: 360,
      jitterBufferMs: 50,
      jitterMs: 4,
      packetsLost: 30,
      lossRatio: 0.05,
      freezes: 1,
      framesDropped: 2,
    });
  });

  test("there are no rates without a snapshot to compare with", () => {
    const [stream] = computeStats(undefined, after).streams;
    expect(stream).not.toHaveProperty("bitrate");
    expect(stream).not.toHaveProperty("lossRatio");
    expect(stream).not.toHaveProperty("jitterBufferMs");
    expect(stream).toMatchObject({ packetsLost: 30, width: 1280 });
  });

  test("counters that begin anew make no negative rates", () => {
    const [stream] = computeStats(after, before).streams;
    expect(stream).not.toHaveProperty("bitrate");
    const restarted = snapshot(
      5000,
      video({ bytesReceived: 10, framesDecoded: 1, framesPerSecond: 25 }),
      codec,
    );
    expect(computeStats(after, restarted).streams[0]).toMatchObject({ framesPerSecond: 25 });
  });

  test("a packet that arrives after it was counted as lost is no negative loss", () => {
    const late = snapshot(3000, video({ packetsReceived: 1100, packetsLost: 8 }), codec);
    expect(computeStats(before, late).streams[0]).toMatchObject({ lossRatio: 0, packetsLost: 8 });
  });

  test("what a browser does not tell is absent, not zero", () => {
    const sparse: StatsRecord = { id: "x", type: "inbound-rtp", kind: "video" };
    expect(computeStats(snapshot(0, sparse), snapshot(1000, sparse)).streams).toEqual([
      { id: "x", kind: "video", direction: "receive" },
    ]);
  });

  test("values of the wrong type are as good as absent", () => {
    const odd = video({ bytesReceived: "many", frameWidth: NaN, codecId: 7, jitter: null });
    const [stream] = computeStats(before, snapshot(2000, odd)).streams;
    expect(stream).not.toHaveProperty("bitrate");
    expect(stream).not.toHaveProperty("width");
    expect(stream).not.toHaveProperty("codec");
  });
});

describe("the network path", () => {
  const local: StatsRecord = { id: "L", type: "local-candidate", candidateType: "host", protocol: "udp" };
  const remote: StatsRecord = { id: "R", type: "remote-candidate", candidateType: "srflx", protocol: "udp" };
  const pair = (id: string, members: Record<string, unknown>): StatsRecord => ({
    id,
    type: "candidate-pair",
    localCandidateId: "L",
    remoteCandidateId: "R",
    ...members,
  });

  test("is the pair that the transport names", () => {
    const transport: StatsRecord = { id: "T", type: "transport", selectedCandidatePairId: "P2" };
    const other = pair("P1", { nominated: true, state: "succeeded", currentRoundTripTime: 9 });
    const stats = computeStats(
      undefined,
      snapshot(0, other, pair("P2", { currentRoundTripTime: 0.02 }), transport, local, remote, video()),
    );
    expect(stats.path).toEqual({ local: "host", remote: "srflx", protocol: "udp" });
    expect(stats.roundTripMs).toBe(20);
    expect(stats.streams[0]?.roundTripMs).toBe(20);
  });

  test("is marked on the pair where there is no transport, as in Firefox", () => {
    const idle = pair("P1", { state: "succeeded", selected: false });
    const used = pair("P2", {
      state: "succeeded",
      selected: true,
      nominated: true,
      currentRoundTripTime: 0.005,
    });
    expect(computeStats(undefined, snapshot(0, idle, used, local, remote)).roundTripMs).toBe(5);
  });

  test("is absent while there is none", () => {
    expect(computeStats(undefined, snapshot(0, pair("P", { state: "in-progress" })))).toEqual({
      at: 0,
      streams: [],
    });
  });
});

test("a sent video is told from our counters and the other side's reports", () => {
  const sent = (bytesSent: number, framesEncoded: number): StatsRecord => ({
    id: "OV",
    type: "outbound-rtp",
    kind: "video",
    remoteId: "RI",
    bytesSent,
    framesEncoded,
  });
  const report: StatsRecord = {
    id: "RI",
    type: "remote-inbound-rtp",
    roundTripTime: 0.08,
    fractionLost: 0.25,
    packetsLost: 7,
    jitter: 0.01,
  };
  const stats = computeStats(snapshot(0, sent(0, 0), report), snapshot(500, sent(12_500, 15), report));
  expect(stats.streams).toEqual([
    {
      id: "OV",
      kind: "video",
      direction: "send",
      bitrate: 200_000,
      framesPerSecond: 30,
      frames: 15,
      roundTripMs: 80,
      lossRatio: 0.25,
      packetsLost: 7,
      jitterMs: 10,
    },
  ]);
});

test("video comes before sound, in the order of the m-lines", () => {
  const records = [
    video({ id: "a", kind: "audio", mid: "0" }),
    video({ id: "c", mid: "2" }),
    video({ id: "b", mid: "1" }),
  ];
  expect(computeStats(undefined, snapshot(0, ...records)).streams.map(({ id }) => id)).toEqual([
    "b",
    "c",
    "a",
  ]);
});

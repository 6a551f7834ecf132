/** webrtcsink and its application: signals, statistics, messages, pads that come and go, the end, properties. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  acceptOnly,
  awaitColour,
  awaitFrames,
  audioLevel,
  frameRate,
  isBlue,
  isGreen,
  isRed,
  Relay,
  remoteDescription,
  sinkScene,
  startProcess,
  statsOf,
  throughRelay,
} from "./harness/index.mjs";

const scene = sinkScene();

const source = (pattern, size = "width=640,height=360") =>
  `videotestsrc is-live=true pattern=${pattern} ! video/x-raw,${size},framerate=30/1`;
const TONE = "audiotestsrc is-live=true freq=440 volume=0.5";

const tracksOf = (page) => page.evaluate(() => window.weir.watchings[0].watching.tracks.length);
const untilTracks = (page, count) =>
  page.waitForFunction((count) => window.weir.watchings[0]?.watching.tracks.length === count, count);
const complaints = ({ messages }) =>
  messages.filter(({ message }) => message === "warning" || message === "error");
const candidatesOf = (page) =>
  page.received.flatMap(({ ice }) => (ice?.candidate ? [ice.candidate.split(" ")] : []));

test("signals come once per rendition with the viewer that caused it, and their handlers may read everything", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink. ${TONE} ! sink.`, "", {
    env: { GST_PLUGIN_FEATURE_RANK: "x264enc:MAX" },
  });
  await pipeline.ask("signals");
  await pipeline.ask("filter identity name=filter");
  const first = await scene.watch();
  const { "peer-id": one } = (await pipeline.viewer("joined")).fields;
  const names = () =>
    pipeline.signals().map(({ signal, arguments: [who, pad, what] }) => [signal, who, pad, what]);
  const setUp = (name) => names().filter(([signal]) => signal === name);
  assert.deepEqual(names().slice(0, 2), [
    ["consumer-pipeline-created", one, pipeline.signals()[0].arguments[1], undefined],
    ["consumer-added", one, "webrtcbin", undefined],
  ]);
  assert.deepEqual(setUp("encoder-setup").sort(), [
    ["encoder-setup", one, "audio_0", "opusenc"],
    ["encoder-setup", one, "video_0", "vp8enc"],
  ]);
  assert.deepEqual(setUp("payloader-setup").sort(), [
    ["payloader-setup", one, "audio_0", "rtpopuspay"],
    ["payloader-setup", one, "video_0", "rtpvp8pay"],
  ]);
  assert.deepEqual(setUp("request-encoded-filter").sort(), [
    ["request-encoded-filter", one, "audio_0", "audio/x-opus"],
    ["request-encoded-filter", one, "video_0", "video/x-vp8"],
  ]);

  // A second viewer causes nothing; a third, who needs another codec, causes one more rendition.
  const second = await scene.watch();
  assert.equal(setUp("encoder-setup").length, 2);
  const third = await scene.watch({ prepare: [[acceptOnly, ["H264"]]] });
  const added = setUp("encoder-setup").slice(2);
  assert.equal(added.length, 1);
  const consumers = setUp("consumer-added").map(([, who]) => who);
  assert.deepEqual(added[0], ["encoder-setup", consumers[2], "video_0", "x264enc"]);
  for (const page of [first, second, third]) await awaitColour(page, isRed);

  await scene.leave();
  await pipeline.until("sessions", (sessions) => sessions.length === 0);
  await pipeline.message(
    ({ signal }) => signal === "consumer-removed" && setUp("consumer-removed").length === 3,
  );
  assert.deepEqual(
    setUp("consumer-removed")
      .map(([, who]) => who)
      .sort(),
    consumers.sort(),
  );
  for (const { statistics } of pipeline.signals()) assert.equal(statistics, "application/x-webrtcsink-stats");
  assert.deepEqual(complaints(pipeline), []);
});

test("encoder-setup and payloader-setup answered with TRUE keep the defaults out", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink.`, "start-bitrate=1234000");
  await pipeline.ask("signals");
  const page = await scene.watch();
  assert.equal(await pipeline.ask("get vp8enc target-bitrate"), 1_234_000);
  assert.equal(await pipeline.ask("get rtpvp8pay mtu"), 1120);
  await scene.leave(page);
  await pipeline.until("encoders", (encoders) => encoders === 0);
  await pipeline.ask("setup encoder-setup");
  await pipeline.ask("setup payloader-setup");
  await awaitColour(await scene.watch(), isRed);
  assert.notEqual(await pipeline.ask("get vp8enc target-bitrate"), 1_234_000);
  assert.equal(await pipeline.ask("get rtpvp8pay mtu"), 1400);
});

test("statistics are there per session at once, with the incumbent's fields and ours", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink. ${TONE} ! sink.`);
  await scene.watch();
  await scene.watch();
  const sessions = await pipeline.ask("sessions");
  assert.equal(sessions.length, 2);
  const known = ({ viewers }) =>
    sessions.every((id) =>
      viewers[id]?.fields.some((field) => field.startsWith("rtp-outbound-stream-stats_")),
    );
  const { viewers, millis } = await pipeline.until("viewers", known);
  assert.ok(millis < 100, `reading took ${millis} ms`);
  for (const id of sessions) {
    const { fields, encoders, streams } = viewers[id];
    for (const field of [
      "peer-connection-stats",
      "codec-stats-sink_0",
      "ice-candidate-pair",
      "transport-stats",
    ])
      assert.ok(
        fields.some((name) => name.startsWith(field)),
        `${field} is among ${fields}`,
      );
    assert.equal(encoders.length, 1);
    assert.equal(encoders[0]["codec-name"], "video/x-vp8");
    assert.equal(encoders[0].bitrate, 2_048_000);
    assert.ok("mitigation-mode" in encoders[0] && "fec-percentage" in encoders[0]);
    assert.deepEqual(streams.map(({ pad }) => pad).sort(), ["audio_0", "video_0"]);
    const video = streams.find(({ pad }) => pad === "video_0");
    assert.ok(
      video.frames > 0 && video.packets >= video.frames && video["key-frames"] > 0,
      JSON.stringify(video),
    );
  }
});

test("the bus tells of each viewer that joins, connects and leaves", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink.`);
  // It tells nothing of its own candidates: what the sink sees of it is peer-reflexive.
  const hide = () =>
    Object.defineProperty(RTCPeerConnectionIceEvent.prototype, "candidate", { get: () => null });
  await scene.watch({ prepare: [[hide]] });
  const { fields: joined } = await pipeline.viewer("joined");
  const session = joined["session-id"];
  assert.deepEqual(await pipeline.ask("sessions"), [session]);
  const { fields: connected } = await pipeline.viewer("connected", { session });
  assert.equal(connected["peer-id"], joined["peer-id"]);
  assert.equal(connected["local-candidate-type"], "host");
  assert.equal(connected["remote-candidate-type"], "prflx");
  await scene.leave();
  const { fields: left } = await pipeline.viewer("left", { session });
  assert.equal(left.reason, "viewer-left");
  assert.ok(left.message.length > 0);
});

test("at the end of the stream what is inside is sent, sessions end with the reason, and then EOS is posted", async () => {
  // Untuned, x264enc keeps dozens of pictures inside; the last ones come out after the stream has ended.
  const FRAMES = 240;
  const pipeline = await scene.sink(
    `videotestsrc is-live=true num-buffers=${FRAMES} ! video/x-raw,width=320,height=240,framerate=30/1 ! sink.`,
    "video-caps=video/x-h264",
    { env: { GST_PLUGIN_FEATURE_RANK: "x264enc:MAX" } },
  );
  await pipeline.ask("signals");
  await pipeline.ask("setup encoder-setup");
  const page = await scene.watch();
  const left = await pipeline.viewer("left");
  assert.equal(left.fields.reason, "end-of-stream");
  await pipeline.message(({ message }) => message === "eos");
  const at = (wanted) => pipeline.messages.findIndex(wanted);
  assert.ok(at((said) => said === left) < at(({ message }) => message === "eos"), "EOS comes last");
  const [last] = Object.values(await pipeline.ask("sent"));
  assert.ok(
    Math.abs(last / 1e9 - (FRAMES - 1) / 30) < 0.01,
    `the last picture sent is that of ${last / 1e9} s`,
  );
  const ended = () => page.received.find(({ type }) => type.startsWith("endSession"));
  await until(ended);
  assert.equal(ended().type, "endSessionV1_1");
  assert.match(ended().error, /^end-of-stream: /);
  assert.deepEqual(complaints(pipeline), []);
});

test("EOS is posted also when nobody watches", async () => {
  const pipeline = await scene.sink("videotestsrc is-live=true num-buffers=10 ! sink.");
  await pipeline.message(({ message }) => message === "eos");
});

test("a pad that is requested while tabs watch is offered to them, and taken back when it is released", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink.`);
  const page = await scene.watch();
  const sessions = await pipeline.ask("sessions");
  const children = await pipeline.ask("children");
  assert.equal(await pipeline.ask(`add ${source("blue", "width=320,height=240")}`), "video_1");
  await awaitColour(page, isBlue, { target: "extra-video" });
  assert.equal(await pipeline.ask(`add ${TONE} ! audioconvert`), "audio_0");
  await audioLevel(page);
  assert.equal(await tracksOf(page), 3);

  // The first one goes: the way that the others share stays.
  await pipeline.ask("release video_0");
  await untilTracks(page, 2);
  await awaitColour(page, isBlue);
  await audioLevel(page);
  await pipeline.ask("release audio_0");
  await untilTracks(page, 1);
  await awaitFrames(page, 10);
  await pipeline.until("children", (now) => now === children, { timeoutMs: 5000 });
  assert.deepEqual(await pipeline.ask("sessions"), sessions, "the session went on");

  // And again: names are not used twice.
  assert.equal(await pipeline.ask(`add ${source("green")}`), "video_2");
  await untilTracks(page, 2);
  await awaitColour(page, isGreen, { target: "extra-video" });
  assert.deepEqual(complaints(pipeline), []);
});

test("a silent pad holds up nobody, and is offered when it speaks", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink.
    ${source("blue")} ! valve name=valve drop=true ! sink.video_1
    appsrc is-live=true format=time ! sink.video_2`);
  const page = await scene.watch();
  await awaitColour(page, isRed);
  assert.equal(await tracksOf(page), 1);
  await pipeline.ask("set valve drop false");
  await awaitColour(page, isBlue, { target: "extra-video" });
  await pipeline.ask("set valve drop true");
  await awaitFrames(page, 20);
  assert.equal((await pipeline.ask("sessions")).length, 1);
});

test("encoded and raw video go through one session", async () => {
  await scene.sink(`${source("red")} ! x264enc tune=zerolatency speed-preset=superfast
      ! video/x-h264,profile=constrained-baseline ! sink. ${source("blue")} ! sink. ${source("green")} ! vp8enc deadline=1 ! sink.`);
  const page = await scene.watch();
  await awaitColour(page, isRed);
  await awaitColour(page, isBlue, { target: page.locator('[data-testid="extra-video"]').nth(0) });
  await awaitColour(page, isGreen, { target: page.locator('[data-testid="extra-video"]').nth(1) });
});

test("beyond max-viewers a viewer is refused and told why, and comes in when another has left", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink.`, "max-viewers=1");
  const first = await scene.watch();
  const second = await scene.open();
  const left = await pipeline.viewer("left");
  assert.equal(left.fields.reason, "max-viewers");
  assert.equal((await pipeline.ask("sessions")).length, 1);
  await awaitFrames(first, 10);
  await until(() => second.received.some(({ error }) => error?.startsWith("max-viewers: ")));
  await scene.leave(first, second);
  await pipeline.until("sessions", (sessions) => sessions.length === 0);
  await awaitColour(await scene.watch(), isRed);
});

async function until(isIt, timeoutMs = 20_000) {
  const deadline = Date.now() + timeoutMs;
  while (!isIt()) {
    assert.ok(Date.now() < deadline, `${isIt} is still false after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("candidates keep to the range of ports", async () => {
  await scene.sink(`${source("red")} ! sink.`, "min-rtp-port=45100 max-rtp-port=45119");
  const page = await scene.watch();
  const ports = candidatesOf(page).filter(
    ([, , protocol, , , , , , kind]) => protocol === "UDP" && kind !== "tcptype",
  );
  assert.ok(ports.length > 0);
  for (const candidate of ports)
    assert.ok(candidate[5] >= 45_100 && candidate[5] <= 45_119, candidate.join(" "));
});

test("viewers are told the public address in place of the host's own", async () => {
  await scene.sink(`${source("red")} ! sink.`, "public-address=203.0.113.7");
  const page = await scene.watch();
  // Another offer, which might hold the addresses that were found for the first one.
  await scene.pipeline.ask(`add ${source("blue")}`);
  await untilTracks(page, 2);
  const addresses = candidatesOf(page)
    .map((words) => words[4])
    .filter((address) => !address.includes(":"));
  assert.ok(addresses.length > 0);
  assert.deepEqual([...new Set(addresses)], ["203.0.113.7"]);
  const offers = page.received.flatMap(({ sdp }) => (sdp?.type === "offer" ? [sdp.sdp] : []));
  assert.equal(offers.length, 2);
  for (const offer of offers) {
    const told = [...offer.matchAll(/a=candidate:\S+ \d+ \S+ \d+ (\d+\.\d+\.\d+\.\d+) /g)].map(
      ([, address]) => address,
    );
    assert.ok(
      told.every((address) => address === "203.0.113.7"),
      `the offer has ${told}`,
    );
  }
});

test("with do-fec the stream is sent as RED with ULPFEC, and plays although packets are lost", async () => {
  await scene.sink(`${source("ball")} ! sink.`, "do-fec=true do-retransmission=false");
  const types = new Set();
  const relay = new Relay((payloadType, number) => {
    types.add(payloadType);
    return number > 60 && number % 20 === 0;
  });
  try {
    const page = await scene.watch({
      expose: { relayWayTo: (address, port) => relay.wayTo(address, port) },
      prepare: [[throughRelay]],
    });
    const [, red] = /a=rtpmap:(\d+) red\/90000/.exec(await remoteDescription(page));
    while (relay.lost < 6) await awaitFrames(page, 30);
    assert.deepEqual([...types], [Number(red)]);
    const [{ pliCount }] = await statsOf(page, "inbound-rtp");
    assert.ok(
      pliCount < relay.lost / 3,
      `${pliCount} key frames were asked for, and ${relay.lost} packets lost`,
    );
  } finally {
    relay.stop();
  }
});

test("without do-retransmission there is neither NACK nor RTX", async () => {
  await scene.sink(`${source("red")} ! sink.`, "do-retransmission=false");
  const page = await scene.watch();
  const offer = await remoteDescription(page);
  assert.doesNotMatch(offer, /rtx|nack\r?\n/);
  await awaitColour(page, isRed);
});

test("a pad's msid is in the offer", async () => {
  await scene.sink(`${source("red")} ! sink. ${TONE} ! sink.`, "video_0::msid=camera-7 audio_0::msid=mic-1");
  const page = await scene.watch();
  const offer = await remoteDescription(page);
  assert.match(offer, /msid:camera-7 /);
  assert.match(offer, /msid:mic-1 /);
});

test("properties without effect yet are warned of once", async () => {
  const pipeline = await scene.sink(
    `${source("red")} ! sink.`,
    "congestion-control=homegrown forward-metas=timecode do-clock-signalling=true",
  );
  await scene.watch();
  await pipeline.ask("state ready");
  await pipeline.ask("state playing");
  await scene.watch();
  const warnings = complaints(pipeline).map(({ text }) => text);
  assert.equal(warnings.length, 1, warnings.join("\n"));
  for (const name of ["congestion-control", "forward-metas", "do-clock-signalling"])
    assert.match(warnings[0], new RegExp(name));
});

test("a viewer that makes the offer itself gets an answer, and media", async () => {
  const pipeline = await scene.sink(`${source("red")} ! sink. ${TONE} ! sink.`);
  const page = await scene.open({ prepare: [[() => history.replaceState(null, "", location.pathname)]] });
  const outcome = await page.evaluate(async (url) => {
    const connection = new RTCPeerConnection();
    const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
    // What the viewer likes best is not what the producer does.
    const h264 = codecs.filter(({ mimeType }) => mimeType === "video/H264");
    connection.addTransceiver("audio", { direction: "recvonly" });
    connection
      .addTransceiver("video", { direction: "recvonly" })
      .setCodecPreferences([...h264, ...codecs.filter((codec) => !h264.includes(codec))]);
    await connection.setLocalDescription();
    const socket = new WebSocket(url);
    const send = (message) => socket.send(JSON.stringify(message));
    let sessionId;
    connection.onicecandidate = async ({ candidate }) => {
      while (!sessionId) await new Promise((resolve) => setTimeout(resolve, 20));
      if (candidate?.candidate)
        send({
          type: "peer",
          sessionId,
          ice: { candidate: candidate.candidate, sdpMLineIndex: candidate.sdpMLineIndex },
        });
    };
    const video = document.createElement("video");
    video.muted = true;
    video.dataset.testid = "mine";
    video.srcObject = new MediaStream();
    document.body.append(video);
    connection.ontrack = ({ track }) => video.srcObject.addTrack(track);
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no answer")), 20_000);
      socket.onmessage = async ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "welcome") {
          send({ type: "setPeerStatus", roles: ["listener"] });
          send({ type: "list" });
        } else if (message.type === "list") {
          send({
            type: "startSession",
            peerId: message.producers[0].id,
            offer: connection.localDescription.sdp,
          });
        } else if (message.type === "sessionStarted") sessionId = message.sessionId;
        else if (message.type === "peer" && message.sdp) {
          await connection.setRemoteDescription(message.sdp);
          await video.play();
          resolve({ type: message.sdp.type, sdp: message.sdp.sdp });
        } else if (message.type === "peer") {
          await connection.addIceCandidate(message.ice);
        } else if (message.type.startsWith("endSession") || message.type === "error") reject(new Error(data));
      };
    });
  }, scene.server.wsUrl);
  assert.equal(outcome.type, "answer");
  await awaitColour(page, isRed, { target: "mine" });
  await audioLevel(page, { target: "mine" });
  assert.match(outcome.sdp, /a=rtpmap:\d+ VP8\/90000/);
  assert.match(outcome.sdp, /a=rtpmap:\d+ rtx\/90000/);
  assert.deepEqual(await pipeline.ask("factories"), ["vp8enc"]);
  assert.ok((await frameRate(page, 15, "mine")) > 5);
});

test("a file plays in real time", async () => {
  const directory = await mkdtemp(join(tmpdir(), "weir-"));
  try {
    const file = join(directory, "ten-seconds.mkv");
    const made = await startProcess("gst-launch-1.0", [
      ..."videotestsrc num-buffers=300 pattern=red ! video/x-raw,width=320,height=240,framerate=30/1 ! x264enc speed-preset=ultrafast ! h264parse ! mux.".split(
        " ",
      ),
      ..."audiotestsrc num-buffers=468 samplesperbuffer=1024 ! audio/x-raw,rate=48000 ! opusenc ! mux.".split(
        " ",
      ),
      ...`matroskamux name=mux ! filesink location=${file}`.split(" "),
    ]);
    assert.equal((await made.exited).code, 0, made.tail());
    const pipeline = await scene.sink(
      `filesrc location=${file} ! decodebin name=dec dec. ! sink. dec. ! sink.`,
    );
    const began = performance.now();
    const page = await scene.watch();
    await awaitColour(page, isRed);
    await pipeline.message(({ message }) => message === "eos");
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds > 9 && seconds < 13, `ten seconds took ${seconds}`);
  } finally {
    await rm(directory, { recursive: true });
  }
});

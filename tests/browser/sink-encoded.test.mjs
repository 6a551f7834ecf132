/** webrtcsink with encoded input: passed on as it is, never encoded again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  audioLevel,
  awaitColour,
  awaitSize,
  firstFrame,
  frameRate,
  isBlue,
  isRed,
  sinkScene,
  statsOf,
} from "./harness/index.mjs";

const scene = sinkScene();

const source = (pattern, size = "width=640,height=360") =>
  `videotestsrc is-live=true pattern=${pattern} ! video/x-raw,${size},format=I420,framerate=30/1`;
const X264 =
  "x264enc name=enc tune=zerolatency speed-preset=superfast bitrate=1000 ! video/x-h264,profile=constrained-baseline";
const ENCODED = {
  VP8: ["VP8", "vp8enc deadline=1 cpu-used=12 target-bitrate=1000000"],
  VP9: ["VP9", "vp9enc deadline=1 cpu-used=8 target-bitrate=1000000"],
  "H.264 as byte-stream from x264enc": ["H264", `${X264},stream-format=byte-stream`],
  "H.264 as avc from x264enc": ["H264", `${X264},stream-format=avc`],
  "H.264 from openh264enc": ["H264", "openh264enc complexity=low bitrate=1000000 ! h264parse"],
  "H.264 as avc from openh264enc": [
    "H264",
    "openh264enc complexity=low bitrate=1000000 ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
  ],
};

for (const [name, [codec, encoder]] of Object.entries(ENCODED)) {
  test(`${name} is passed on and shown, also to who comes later`, async () => {
    const pipeline = await scene.sink(`${source("red")} ! ${encoder} ! sink.`);
    const page = await scene.watch();
    await awaitColour(page, isRed);
    await awaitSize(page, 640, 360);
    const later = await scene.watch();
    await awaitColour(later, isRed);
    for (const tab of [page, later]) {
      const [inbound] = await statsOf(tab, "inbound-rtp");
      assert.equal(inbound.codec, `video/${codec}`);
      assert.ok((await frameRate(tab, 15)) > 5);
    }
    // The one upstream, and none of ours.
    assert.equal(await pipeline.ask("encoders"), 1);
  });
}

test("encoded Opus is passed on and heard", async () => {
  const pipeline = await scene.sink(
    `${source("red")} ! sink. audiotestsrc is-live=true freq=880 volume=0.5 ! opusenc ! sink.`,
  );
  await pipeline.ask("signals");
  const page = await scene.watch();
  const { frequency } = await audioLevel(page);
  assert.ok(Math.abs(frequency - 880) < 20, `the tone is ${frequency} Hz`);
  const encoders = pipeline.signals("encoder-setup").map((signal) => signal.arguments.at(-1));
  assert.ok(!encoders.includes("opusenc"), `encoders: ${encoders}`);
});

/** A stream with a key frame each four seconds and not one more. */
const SLOW_GOP = `${source("ball")} ! x264enc name=enc tune=zerolatency speed-preset=superfast key-int-max=120
  option-string=scenecut=0 ! video/x-h264,profile=constrained-baseline ! identity name=id ! sink.`;

/** Joins in the middle of a GOP. @returns the page, and how many key frames were made until its first picture. */
async function joinMidGop(pipeline) {
  await scene.watch();
  const { keys: before } = await keyFrame(pipeline);
  await pipeline.until("keys enc", ({ framesSinceKeyFrame }) => framesSinceKeyFrame >= 40);
  const page = await scene.open();
  await page.waitForFunction(() => window.weir?.watchings[0]?.watching.firstFrameMillis !== undefined);
  const { keys } = await pipeline.ask("keys enc");
  return { page, newKeyFrames: keys - before };
}

/** Waits for the next key frame of the encoder. */
async function keyFrame(pipeline) {
  const { keys } = await pipeline.ask("keys enc");
  return pipeline.until("keys enc", (now) => now.keys > keys, { timeoutMs: 10_000 });
}

test("who joins a stream that makes no key frames on request sees its cached pictures at once", async () => {
  const pipeline = await scene.sink(SLOW_GOP);
  await pipeline.ask("deaf enc");
  const { page, newKeyFrames } = await joinMidGop(pipeline);
  assert.equal(newKeyFrames, 0, "it did not wait for the next key frame");
  // It goes on with what is live, at the stream's own pace.
  const rate = await frameRate(page, 20);
  assert.ok(rate > 5, `${rate} fps`);
  const [{ framesDropped, framesDecoded, keyFramesDecoded }] = await statsOf(page, "inbound-rtp");
  assert.ok(framesDecoded > 30, `${framesDecoded} decoded, ${framesDropped} dropped`);
  assert.ok(keyFramesDecoded >= 1);
});

test("with join-policy=next-key-frame who joins waits for the next key frame", async () => {
  const pipeline = await scene.sink(SLOW_GOP, "join-policy=next-key-frame");
  await pipeline.ask("deaf enc");
  const { page, newKeyFrames } = await joinMidGop(pipeline);
  assert.equal(newKeyFrames, 1, "the first picture came with the next key frame");
  await firstFrame(page);
});

for (const policy of ["cached-gop", "next-key-frame"]) {
  test(`with join-policy=${policy} too, an encoder that can be asked for a key frame is asked for one`, async () => {
    const pipeline = await scene.sink(SLOW_GOP, `join-policy=${policy}`);
    await scene.watch();
    const { keys } = await keyFrame(pipeline);
    await pipeline.until("keys enc", ({ framesSinceKeyFrame }) => framesSinceKeyFrame >= 30);
    await scene.open();
    // By itself it would make the next one three seconds later.
    const next = await pipeline.until("keys enc", (now) => now.keys > keys);
    assert.ok(next.lastGop < 110, `the GOP came to its natural end after ${next.lastGop} frames`);
  });
}

test("a GOP beyond the cache's bound is not kept: who joins waits for a key frame", async () => {
  // Noise at 24 Mbit/s: 4 MB are there after a second and a half.
  const pipeline = await scene.sink(`videotestsrc is-live=true pattern=snow
    ! video/x-raw,width=640,height=360,format=I420,framerate=30/1
    ! x264enc name=enc tune=zerolatency speed-preset=ultrafast bitrate=40000 key-int-max=150 option-string=scenecut=0
    ! video/x-h264,profile=constrained-baseline ! sink.`);
  await pipeline.ask("deaf enc");
  await scene.watch();
  const { keys } = await keyFrame(pipeline);
  const bytes = () => pipeline.ask("keys enc").then((now) => now.bytesSinceKeyFrame);
  await pipeline.until("keys enc", (now) => now.bytesSinceKeyFrame > 5_000_000, { timeoutMs: 10_000 });
  const page = await scene.open();
  await page.waitForFunction(() => window.weir?.watchings[0]?.watching.firstFrameMillis !== undefined);
  assert.ok((await pipeline.ask("keys enc")).keys > keys, `a new key frame; ${await bytes()} bytes since`);
});

test("a new size of encoded H.264 reaches who watches", async () => {
  for (const format of ["byte-stream", "avc"]) {
    const pipeline = await scene.sink(`videotestsrc is-live=true pattern=red
      ! capsfilter name=cf caps=video/x-raw,width=640,height=360,format=I420,framerate=30/1 ! ${X264},stream-format=${format} ! sink.`);
    const page = await scene.watch();
    await awaitSize(page, 640, 360);
    await pipeline.ask("set cf caps video/x-raw,width=320,height=240,format=I420,framerate=30/1");
    await awaitSize(page, 320, 240);
    await awaitColour(page, isRed);
    assert.deepEqual(
      pipeline.messages.filter(({ message }) => message === "warning" || message === "error"),
      [],
    );
    await scene.clear();
  }
});

test("another codec comes in and the tab that watches shows it, and then the first one again", async () => {
  const pipeline = await scene.sink(`input-selector name=sel sync-streams=false ! sink.video_0
    ${source("red")} ! vp8enc deadline=1 cpu-used=12 ! sel.sink_0 ${source("blue", "width=320,height=240")} ! ${X264} ! sel.sink_1`);
  const page = await scene.watch();
  await awaitColour(page, isRed);
  const [session] = await pipeline.ask("sessions");
  await pipeline.ask("select sel sink_1");
  await awaitColour(page, isBlue);
  await awaitSize(page, 320, 240);
  // Who comes now finds but one picture.
  const later = await scene.watch();
  await awaitColour(later, isBlue);
  await pipeline.ask("select sel sink_0");
  for (const tab of [page, later]) {
    await awaitColour(tab, isRed);
    assert.equal(await tab.evaluate(() => window.weir.watchings[0].watching.tracks.length), 1);
  }
  const sessions = await pipeline.ask("sessions");
  assert.equal(sessions.length, 2);
  assert.ok(sessions.includes(session), "the session went on");
  assert.deepEqual(
    pipeline.messages.filter(({ message }) => message === "warning" || message === "error"),
    [],
  );
});

test("raw video turns into encoded video and back", async () => {
  const pipeline = await scene.sink(`input-selector name=sel sync-streams=false ! sink.video_0
    ${source("red")} ! sel.sink_0 ${source("blue")} ! ${X264} ! sel.sink_1`);
  const page = await scene.watch();
  await awaitColour(page, isRed);
  const sessions = await pipeline.ask("sessions");
  await pipeline.ask("select sel sink_1");
  await awaitColour(page, isBlue);
  // The one of the branch remains.
  await pipeline.until("encoders", (encoders) => encoders === 1);
  await pipeline.ask("select sel sink_0");
  await awaitColour(page, isRed);
  assert.deepEqual(
    pipeline.messages.filter(({ message }) => message === "warning" || message === "error"),
    [],
  );
});

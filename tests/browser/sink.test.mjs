/** webrtcsink and browsers: one pipeline, many tabs, one encoder. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  audioLevel,
  averageColour,
  awaitColour,
  element,
  expectNoErrors,
  frameRate,
  isBlue,
  isRed,
  screenshot,
  sinkScene,
  statsOf,
  videoSize,
} from "./harness/index.mjs";

const scene = sinkScene();

const source = (pattern, size = "width=640,height=360") =>
  `videotestsrc is-live=true pattern=${pattern} ! video/x-raw,${size},framerate=30/1`;
const RED = source("red");

test("three tabs watch one sink at full size and 30 fps, and one encoder serves them all", async () => {
  const pipeline = await scene.sink(`${source("ball", "width=1280,height=720")} ! sink.`);
  const tabs = [await scene.watch(), await scene.watch(), await scene.watch()];
  assert.equal(await pipeline.ask("encoders"), 1);
  const rates = await steadyRates(tabs, (rate) => rate > 28 && rate < 32);
  for (const [index, page] of tabs.entries()) {
    assert.deepEqual(await videoSize(page), { width: 1280, height: 720 });
    assert.ok(rates[index] > 28 && rates[index] < 32, `the tabs show ${rates.join(", ")} fps`);
    expectNoErrors(page);
  }
  await screenshot(tabs[0], "sink-three-tabs");
  assert.equal((await pipeline.ask("sessions")).length, 3);
  assert.equal(await pipeline.ask("encoders"), 1);

  await scene.leave();
  await pipeline.until("sessions", (sessions) => sessions.length === 0, { timeoutMs: 3000 });
  await pipeline.until("encoders", (encoders) => encoders === 0, { timeoutMs: 3000 });
});

/** The tabs' frame rates over a second; again for a while, as other work on the machine may disturb a second of it. */
async function steadyRates(tabs, isSteady) {
  for (let second = 1; ; second += 1) {
    const rates = await Promise.all(tabs.map((page) => frameRate(page, 30, "video", 60_000)));
    if (rates.every(isSteady) || second === 20) return rates;
  }
}

for (const codec of ["vp8", "vp9", "h264"]) {
  test(`${codec} is encoded, sent and shown`, async () => {
    await scene.sink(`${RED} ! sink.`, `video-caps=video/x-${codec}`);
    const page = await scene.watch();
    await frameRate(page, 10);
    await screenshot(page, `sink-${codec}`);
    const { r, g, b } = await averageColour(page);
    assert.ok(r > 200 && g < 60 && b < 60, `the picture is red: ${r}, ${g}, ${b}`);
    assert.deepEqual(await videoSize(page), { width: 640, height: 360 });
  });
}

for (const [name, codec, others] of [
  ["vp8enc", "vp8", []],
  ["vp9enc", "vp9", []],
  ["x264enc", "h264", ["openh264enc"]],
  ["openh264enc", "h264", ["x264enc"]],
]) {
  test(`${name} encodes where it has the highest rank`, async () => {
    const ranks = [`${name}:MAX`, ...others.map((other) => `${other}:MARGINAL`)].join(",");
    const env = { GST_PLUGIN_FEATURE_RANK: ranks };
    const pipeline = await scene.sink(`${RED} ! sink.`, `video-caps=video/x-${codec}`, { env });
    const page = await scene.watch();
    assert.deepEqual(await pipeline.ask("factories"), [name]);
    await awaitColour(page, isRed);
    const [inbound] = await statsOf(page, "inbound-rtp");
    assert.equal(inbound.codec, `video/${codec.toUpperCase()}`);
    // Whoever comes later gets a key frame of an encoder that makes none by itself.
    const later = await scene.watch();
    await awaitColour(later, isRed);
    assert.deepEqual(await pipeline.ask("factories"), [name]);
  });
}

test("audio is heard", async () => {
  await scene.sink(`${RED} ! sink. audiotestsrc is-live=true wave=sine freq=440 volume=0.5 ! sink.`);
  const page = await scene.watch();
  const { rms, frequency } = await audioLevel(page);
  assert.ok(rms > 0.05, `the level is ${rms}`);
  assert.ok(Math.abs(frequency - 440) < 20, `the tone is ${frequency} Hz`);
});

test("two pictures and two tones go through one session, each with an encoder of its own", async () => {
  const pipeline = await scene.sink(`${RED} ! sink. ${source("blue", "width=320,height=240")} ! sink.
    audiotestsrc is-live=true freq=440 volume=0.4 ! sink. audiotestsrc is-live=true freq=1760 volume=0.4 ! sink.`);
  const page = await scene.watch();
  await awaitColour(page, isRed);
  await awaitColour(page, isBlue, { target: "extra-video" });
  assert.deepEqual(await videoSize(page), { width: 640, height: 360 });
  assert.deepEqual(await videoSize(page, "extra-video"), { width: 320, height: 240 });
  assert.equal((await pipeline.ask("sessions")).length, 1);
  assert.equal(await pipeline.ask("encoders"), 2);
  assert.deepEqual(await tones(page), [440, 1760]);
  await element(page, "tile").first().waitFor();
  await screenshot(page, "sink-two-pictures");
});

/** The loudest frequency of each audio track, to the next multiple of 20 Hz. */
function tones(page) {
  return page.evaluate(async () => {
    const { tracks } = window.weir.watchings[0].watching;
    const context = new AudioContext();
    await context.resume();
    const loudest = async (track) => {
      const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      const spectrum = new Float32Array(analyser.frequencyBinCount);
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        analyser.getFloatFrequencyData(spectrum);
        const peak = spectrum.reduce((a, b) => Math.max(a, b), -Infinity);
        if (peak > -30)
          return Math.round((spectrum.indexOf(peak) * context.sampleRate) / analyser.fftSize / 20) * 20;
      }
    };
    const found = await Promise.all(tracks.filter(({ kind }) => kind === "audio").map(loudest));
    await context.close();
    return found.sort((a, b) => a - b);
  });
}

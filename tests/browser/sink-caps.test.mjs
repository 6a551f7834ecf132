/** webrtcsink with raw input whose caps change while it is watched. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  audioLevel,
  awaitColour,
  awaitSize,
  averageColour,
  firstFrame,
  frameRate,
  isRed,
  sinkScene,
} from "./harness/index.mjs";

const scene = sinkScene();

const caps = (width, height, format = "I420", rate = "30/1") =>
  `video/x-raw,width=${width},height=${height},format=${format},framerate=${rate}`;

for (const [codec, encoder] of [
  ["vp8", "vp8enc"],
  ["vp9", "vp9enc"],
  ["h264", "x264enc"],
  ["h264", "openh264enc"],
]) {
  test(`size, frame rate and format of raw video change while ${encoder} runs, and the tab follows`, async () => {
    const env = { GST_PLUGIN_FEATURE_RANK: `${encoder}:MAX` };
    const pipeline = await scene.sink(
      `videotestsrc is-live=true pattern=red ! capsfilter name=cf caps=${caps(640, 360)} ! sink.`,
      `video-caps=video/x-${codec}`,
      { env },
    );
    const page = await scene.watch();
    await awaitSize(page, 640, 360);
    for (const [width, height] of [
      [320, 240],
      [960, 540],
      [636, 358],
    ]) {
      await pipeline.ask(`set cf caps ${caps(width, height)}`);
      await awaitSize(page, width, height);
      await awaitColour(page, isRed);
    }
    for (const format of ["RGB", "NV12", "Y42B", "I420_10LE"]) {
      await pipeline.ask(`set cf caps ${caps(320, 240, format)}`);
      await awaitSize(page, 320, 240);
      const before = await firstFrame(page);
      // What was made before the change has been shown by then.
      await frameRate(page, 20);
      assert.ok((await firstFrame(page)).presented > before.presented);
      assert.ok(isRed(await averageColour(page)), `${format} is shown in its colours`);
    }
    await pipeline.ask(`set cf caps ${caps(320, 240, "I420", "10/1")}`);
    await untilRate(page, (rate) => rate > 8 && rate < 12);
    await pipeline.ask(`set cf caps ${caps(320, 240, "I420", "30/1")}`);
    await untilRate(page, (rate) => rate > 22);
    assert.deepEqual(await pipeline.ask("factories"), [encoder]);
    assert.deepEqual(
      pipeline.messages.filter(({ message }) => message === "warning" || message === "error"),
      [],
    );
  });
}

async function untilRate(page, isIt) {
  for (let i = 1; ; i += 1) {
    const rate = await frameRate(page, 10);
    if (isIt(rate)) return;
    assert.ok(i < 20, `the tab still shows ${rate} fps`);
  }
}

test("the rate and the channels of raw audio change while it is heard", async () => {
  const pipeline = await scene.sink(`videotestsrc is-live=true ! ${caps(320, 240)} ! sink.
    audiotestsrc is-live=true freq=440 volume=0.5 ! capsfilter name=cf caps=audio/x-raw,rate=48000,channels=1 ! sink.`);
  const page = await scene.watch();
  const heard = async (frequency) => {
    for (let i = 1; ; i += 1) {
      const level = await audioLevel(page);
      if (Math.abs(level.frequency - frequency) < 20) return;
      assert.ok(i < 20, `the tone is still ${level.frequency} Hz`);
    }
  };
  await heard(440);
  for (const [rate, channels] of [
    [44_100, 2],
    [8000, 1],
    [48_000, 2],
  ]) {
    await pipeline.ask(`set cf caps audio/x-raw,rate=${rate},channels=${channels}`);
    await heard(440);
  }
  assert.deepEqual(
    pipeline.messages.filter(({ message }) => message === "warning" || message === "error"),
    [],
  );
});

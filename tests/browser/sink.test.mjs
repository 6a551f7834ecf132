/** webrtcsink and browsers: one pipeline, many tabs, one encoder. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  audioLevel,
  averageColour,
  expectNoErrors,
  firstFrame,
  frameRate,
  launchBrowser,
  openPage,
  pageAddress,
  runPipeline,
  screenshot,
  startServer,
  videoSize,
} from "./harness/index.mjs";

let server;
let browser;
let pipeline;
const pages = [];

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
});

afterEach(async () => {
  await Promise.all(pages.splice(0).map((page) => page.close()));
  await pipeline?.stop();
  pipeline = undefined;
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const RED = "videotestsrc is-live=true pattern=red ! video/x-raw,width=1280,height=720,framerate=30/1";
const MOVING = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=1280,height=720,framerate=30/1";

async function sink(description, properties = "") {
  pipeline = await runPipeline(
    `webrtcsink name=sink signaller::uri=${server.wsUrl} ${properties} ${description}`,
  );
  return pipeline;
}

async function watch() {
  const page = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "all" }));
  pages.push(page);
  await firstFrame(page);
  return page;
}

test("three tabs watch one sink at full size and 30 fps, and one encoder serves them all", async () => {
  await sink(`${MOVING} ! sink.`);
  const tabs = [await watch(), await watch(), await watch()];
  assert.equal(await pipeline.ask("encoders"), 1);
  const rates = await Promise.all(tabs.map((page) => frameRate(page, 90)));
  for (const [index, page] of tabs.entries()) {
    assert.deepEqual(await videoSize(page), { width: 1280, height: 720 });
    assert.ok(rates[index] > 28 && rates[index] < 32, `tab ${index} shows ${rates[index]} fps`);
    expectNoErrors(page);
  }
  await screenshot(tabs[0], "sink-three-tabs");
  assert.equal((await pipeline.ask("sessions")).length, 3);

  await Promise.all(pages.splice(0).map((page) => page.close()));
  await pipeline.until("sessions", (sessions) => sessions.length === 0, { timeoutMs: 3000 });
  await pipeline.until("encoders", (encoders) => encoders === 0, { timeoutMs: 3000 });
});

for (const codec of ["vp8", "vp9", "h264"]) {
  test(`${codec} is encoded, sent and shown`, async () => {
    await sink(`${RED} ! sink.`, `video-caps=video/x-${codec}`);
    const page = await watch();
    await frameRate(page, 10);
    await screenshot(page, `sink-${codec}`);
    const { r, g, b } = await averageColour(page);
    assert.ok(r > 200 && g < 60 && b < 60, `the picture is red: ${r}, ${g}, ${b}`);
    assert.deepEqual(await videoSize(page), { width: 1280, height: 720 });
  });
}

test("audio is heard", async () => {
  await sink(`${RED} ! sink. audiotestsrc is-live=true wave=sine freq=440 volume=0.5 ! sink.`);
  const page = await watch();
  const { rms, frequency } = await audioLevel(page);
  assert.ok(rms > 0.05, `the level is ${rms}`);
  assert.ok(Math.abs(frequency - 440) < 20, `the tone is ${frequency} Hz`);
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  audioLevel,
  awaitChange,
  element,
  expectNoErrors,
  firstFrame,
  frameRate,
  getStats,
  launchBrowser,
  openPage,
  pageAddress,
  readPixels,
  screenshot,
  startServer,
  videoSize,
} from "./harness/index.mjs";

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a camera published in one tab is watched in another", async () => {
  const publisher = await openPage(browser, server.pageUrl);
  await element(publisher, "publish-name").fill("Front door");
  await element(publisher, "publish-camera").click();
  await element(publisher, "publication", { phase: "live" }).waitFor();

  const viewer = await openPage(browser, server.pageUrl);
  const listed = element(viewer, "producer");
  await listed.waitFor();
  assert.match(await listed.innerText(), /Front door/);
  await element(viewer, "watch").click();

  await firstFrame(viewer);
  await element(viewer, "tile", { phase: "playing" }).waitFor();
  assert.deepEqual(await videoSize(viewer), { width: 640, height: 480 });
  const fps = await frameRate(viewer, 60);
  assert.ok(fps > 15 && fps < 35, `the fake camera has 20 or 30 frames per second, seen: ${fps}`);
  await awaitChange(viewer, await readPixels(viewer));
  const { rms } = await audioLevel(viewer);
  assert.ok(rms > 0.01, "the fake microphone's beep is heard");
  assert.equal(await element(publisher, "viewers").innerText(), "1 viewer");

  await element(viewer, "stats", { kind: "video" }).waitFor();
  const number = (id) => element(viewer, `stat-${id}`).first();
  await viewer.waitForFunction(() => {
    const text = (id) => document.querySelector(`[data-testid="stat-${id}"]`)?.textContent ?? "";
    return /\d+ [kM]bit\/s|\d+ Mbit\/s/.test(text("bitrate")) && /[1-9]\d*\.\d fps/.test(text("fps"));
  });
  assert.equal(await number("size").innerText(), "640×480");
  assert.match(await number("codec").innerText(), /^(VP8|VP9|H264|AV1)$/);
  assert.match(await number("round-trip").innerText(), /ms$/);
  assert.match(await element(viewer, "first-frame").innerText(), /First frame after \d+ ms/);
  const stats = await getStats(viewer);
  assert.ok(stats.some(({ type, framesDecoded }) => type === "inbound-rtp" && framesDecoded > 0));
  await screenshot(viewer, "publish-and-watch");

  await element(publisher, "unpublish").click();
  await element(viewer, "tile", { phase: "waiting" }).getByText("The producer is not there").waitFor();
  expectNoErrors(viewer);
  expectNoErrors(publisher);
  await publisher.close();
  await viewer.close();
});

test("a stream that ends is watched again when its producer comes back", async () => {
  const viewer = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "first" }));
  const publisher = await openPage(browser, server.pageUrl);
  const instance = await publish(publisher, { "display-name": "Comes and goes" });
  await element(viewer, "tile", { phase: "playing" }).waitFor();
  const producer = await element(viewer, "tile").getAttribute("data-producer");

  await instance.evaluate((client) => client.close());
  await element(viewer, "tile", { phase: "waiting" }).waitFor();
  await publish(publisher, { "display-name": "Comes and goes" });
  await element(viewer, "tile", { phase: "playing" }).waitFor();

  assert.notEqual(await element(viewer, "tile").getAttribute("data-producer"), producer);
  assert.equal(await element(viewer, "tile").count(), 1);
  await firstFrame(viewer);
  await publisher.close();
  await viewer.close();
});

/** Publishes through the library, with metadata of the test's choice. */
async function publish(page, meta) {
  return page.evaluateHandle(async (meta) => {
    const client = new window.weir.client.constructor({ url: window.weir.config.signallingUrl });
    client.publish(await navigator.mediaDevices.getUserMedia({ video: true }), { meta });
    return client;
  }, meta);
}

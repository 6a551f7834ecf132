import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import {
  awaitChange,
  expectNoErrors,
  FIREFOX,
  firstFrame,
  frameRate,
  getStats,
  launchBrowser,
  launchFirefox,
  openFirefoxPage,
  openPage,
  pageAddress,
  readPixels,
  startServer,
  videoSize,
} from "./harness/index.mjs";

const skip = existsSync(FIREFOX) ? false : "Firefox is not installed";

let server;
let chromium;
let firefox;

before(async () => {
  if (skip) return;
  server = await startServer();
  chromium = await launchBrowser();
  firefox = await launchFirefox();
});

after(async () => {
  await Promise.all([chromium?.close(), firefox?.close()]);
  await server?.stop();
});

test("Firefox watches what Chromium publishes", { skip }, async () => {
  const publisher = await openPage(chromium, server.pageUrl);
  await publisher.click('[data-testid="publish-camera"]');
  const viewer = await openFirefoxPage(firefox, pageAddress(server.pageUrl, { autoplay: "first" }));
  await viewer.waitForSelector('[data-testid="tile"][data-phase="playing"]');
  await watchIsGood(viewer);
  expectNoErrors(viewer);
  await Promise.all([publisher.close(), viewer.close()]);
});

test("Chromium watches what Firefox publishes", { skip }, async () => {
  const publisher = await openFirefoxPage(firefox, server.pageUrl);
  await (await publisher.waitForSelector('[data-testid="publish-camera"]')).click();
  await publisher.waitForSelector('[data-testid="publication"][data-phase="live"]');
  const viewer = await openPage(chromium, pageAddress(server.pageUrl, { autoplay: "first" }));
  await viewer.waitForSelector('[data-testid="tile"][data-phase="playing"]');
  await watchIsGood(viewer);
  expectNoErrors(publisher);
  await Promise.all([publisher.close(), viewer.close()]);
});

test("Firefox goes on playing while the server is gone, and resumes when it is back", { skip }, async () => {
  let local = await startServer();
  const { port, pageUrl } = local;
  try {
    const publisher = await openPage(chromium, pageUrl);
    await publisher.click('[data-testid="publish-camera"]');
    const viewer = await openFirefoxPage(firefox, pageAddress(pageUrl, { autoplay: "first" }));
    await viewer.waitForSelector('[data-testid="tile"][data-phase="playing"]');
    await firstFrame(viewer);
    await local.stop("SIGKILL");
    await viewer.waitForSelector('[data-testid="tile"][data-phase="resuming"]');
    await awaitChange(viewer, await readPixels(viewer));
    local = await startServer({ port });
    await viewer.waitForSelector('[data-testid="tile"][data-phase="playing"]');
    await watchIsGood(viewer);
    // No `expectNoErrors`: to Firefox a socket that cannot be opened is an error of the page.
    await Promise.all([publisher.close(), viewer.close()]);
  } finally {
    await local.stop();
  }
});

async function watchIsGood(viewer) {
  await firstFrame(viewer);
  const { width, height } = await videoSize(viewer);
  assert.equal(width / height, 4 / 3);
  await awaitChange(viewer, await readPixels(viewer));
  const fps = await frameRate(viewer, 30);
  assert.ok(fps > 5, `frames come steadily: ${fps} per second`);
  // Without a sound device Firefox runs no AudioContext, so the sound is not listened to, only counted.
  const sound = (await getStats(viewer)).find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
  assert.ok(sound.packetsReceived > 10, `packets of sound: ${sound.packetsReceived}`);
  await viewer.waitForFunction(() => {
    const text = (id) => document.querySelector(`[data-testid="stat-${id}"]`)?.textContent ?? "";
    return /bit\/s/.test(text("bitrate")) && /fps/.test(text("fps")) && /ms/.test(text("round-trip"));
  });
}

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  awaitFrames,
  element,
  expectNoErrors,
  firstFrame,
  freePort,
  gaps,
  launchBrowser,
  openPage,
  pageAddress,
  screenshot,
  startServer,
  watchGaps,
} from "./harness/index.mjs";

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
});

for (const signal of ["SIGKILL", "SIGTERM"]) {
  test(`the picture goes on while the server is gone (${signal}), and watching resumes when it is back`, async () => {
    let server = await startServer();
    const { port, pageUrl } = server;
    try {
      const publisher = await openPage(browser, pageUrl);
      await element(publisher, "publish-camera").click();
      await element(publisher, "publication", { phase: "live" }).waitFor();
      const viewer = await openPage(browser, pageAddress(pageUrl, { autoplay: "first" }));
      await element(viewer, "tile", { phase: "playing" }).waitFor();
      await firstFrame(viewer);
      const before = await sessionOf(viewer);

      await watchGaps(viewer);
      await server.stop(signal);
      await element(viewer, "connection", { phase: "waiting" }).waitFor();
      await element(viewer, "tile", { phase: "resuming" }).waitFor();
      await awaitFrames(viewer, 40);
      assert.match(
        await element(viewer, "connection-error").innerText(),
        /(cannot be reached|was lost)\.\s+Trying again in \d+ s\./,
      );
      await screenshot(viewer, `server-gone-${signal}`);

      server = await startServer({ port });
      await element(publisher, "publication", { phase: "live" }).waitFor();
      await element(viewer, "tile", { phase: "playing" }).waitFor();
      await awaitFrames(viewer, 20);
      const { longestMs, frames } = await gaps(viewer);
      const after = await sessionOf(viewer);

      assert.notEqual(after.producer, before.producer, "the producer registered anew");
      assert.notEqual(after.peerConnection, before.peerConnection, "there is a new session");
      assert.equal(await element(viewer, "tile").count(), 1);
      assert.equal(await element(viewer, "connection").getAttribute("data-phase"), "ready");
      assert.equal(await element(viewer, "connection-error").count(), 0);
      assert.ok(frames > 60);
      assert.ok(
        longestMs < after.firstFrameMillis + 500,
        `no new frame for ${longestMs} ms, while the new session took ${after.firstFrameMillis} ms`,
      );
      // The old session is over on both sides.
      await publisher.waitForFunction(
        () => document.querySelector('[data-testid="viewers"]')?.textContent === "1 viewer",
      );
      expectNoErrors(viewer);
      expectNoErrors(publisher);
      await publisher.close();
      await viewer.close();
    } finally {
      await server.stop();
    }
  });
}

test("a server that cannot be reached is an understandable error, and no reason to give up", async () => {
  const server = await startServer();
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}/`;
  let late;
  try {
    const page = await openPage(browser, pageAddress(server.pageUrl, { signalling: url }));
    const error = element(page, "connection-error");
    await error.waitFor();
    assert.match(
      await error.innerText(),
      new RegExp(`The signalling server at ${url} cannot be reached\\.\\s+Trying again in \\d+ s\\.`),
    );
    await screenshot(page, "server-unreachable");

    late = await startServer({ port });
    await element(page, "connection", { phase: "ready" }).waitFor();
    assert.equal(await error.count(), 0);
    expectNoErrors(page);
    await page.close();
  } finally {
    await Promise.all([server.stop(), late?.stop()]);
  }
});

test("an address that is none is said to be none, at once and for good", async () => {
  const server = await startServer();
  try {
    const page = await openPage(browser, pageAddress(server.pageUrl, { signalling: "http//nonsense" }));
    await element(page, "connection", { phase: "closed" }).waitFor();
    assert.match(
      await element(page, "connection-error").innerText(),
      /is not the address of a signalling server/,
    );
    await page.close();
  } finally {
    await server.stop();
  }
});

/** Which session the viewer's only tile shows. */
async function sessionOf(page) {
  return page.evaluate(() => {
    const { watching } = window.weir.watchings[0];
    const { peerConnection, producer, firstFrameMillis } = watching;
    window.peerConnections ??= new Map();
    const { peerConnections } = window;
    if (!peerConnections.has(peerConnection)) peerConnections.set(peerConnection, peerConnections.size);
    return { peerConnection: peerConnections.get(peerConnection), producer: producer.id, firstFrameMillis };
  });
}

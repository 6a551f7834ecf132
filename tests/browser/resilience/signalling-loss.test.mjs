/** The signalling server comes and goes; media that flows goes on. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  awaitFrames,
  firstFrame,
  freePort,
  gaps,
  installScriptViewer,
  launchBrowser,
  openPage,
  pageAddress,
  runPipeline,
  startServer,
  watchGaps,
} from "../harness/index.mjs";

const LONGEST_GAP_MS = 1500;
const PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1";

let browser;
let server;
let pipeline;

before(async () => {
  browser = await launchBrowser();
});

afterEach(async () => {
  await pipeline?.stop();
  await server?.stop();
});

after(async () => {
  await browser?.close();
});

async function startSink(uri) {
  pipeline = await runPipeline(`webrtcsink name=sink signaller::uri=${uri} ${PICTURE} ! sink.`);
}

/** A viewer that keeps its connection whatever becomes of the server. @returns its page and its session. */
async function join() {
  const page = await openPage(browser, server.pageUrl);
  await installScriptViewer(page, server.wsUrl);
  return { page, session: await page.evaluate(() => window.viewers.join()) };
}

const said = (kind) => pipeline.messages.filter(({ message }) => message === kind).map(({ text }) => text);

for (const signal of ["SIGKILL", "SIGTERM"]) {
  test(`the sink outlives its server (${signal}): a warning, the picture goes on, and new viewers come later`, async () => {
    server = await startServer();
    const { port, wsUrl } = server;
    await startSink(wsUrl);
    const { page, session } = await join();
    await watchGaps(page, session);

    await server.stop(signal);
    const warning = await pipeline.message(({ message }) => message === "warning", { what: "warning" });
    assert.match(warning.text, /signalling server cannot be reached/);
    await awaitFrames(page, 60, session);

    server = await startServer({ port });
    const tab = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "all" }));
    await firstFrame(tab);
    await awaitFrames(page, 30, session);
    const { longestMs } = await gaps(page, session);
    assert.ok(longestMs < LONGEST_GAP_MS, `the picture stood for ${longestMs} ms`);
    assert.equal((await pipeline.ask("sessions")).length, 2);
    assert.equal(said("warning").length, 1, "one outage is one warning");
    assert.deepEqual(said("error"), []);

    // No server knows of the old session any more; the sink notices by itself that it is over.
    await page.evaluate((id) => window.viewers.close(id), session);
    assert.equal((await pipeline.viewer("left", { session })).fields.reason, "vanished");
    await Promise.all([page.close(), tab.close()]);
  });
}

test("a server that is not there yet is waited for", async () => {
  const port = await freePort();
  await startSink(`ws://127.0.0.1:${port}`);
  const warning = await pipeline.message(({ message }) => message === "warning", { what: "warning" });
  assert.match(warning.text, /signalling server cannot be reached/);

  server = await startServer({ port });
  const tab = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "all" }));
  await firstFrame(tab);
  assert.equal(said("warning").length, 1);
  assert.deepEqual(said("error"), []);
  await tab.close();
});

test("a viewer whose socket drops loses its session, and nobody else does", async () => {
  server = await startServer();
  await startSink(server.wsUrl);
  const [one, other] = [await join(), await join()];
  await watchGaps(other.page, other.session);

  await one.page.evaluate(() => window.viewers.disconnect());
  assert.equal((await pipeline.viewer("left", { session: one.session })).fields.reason, "viewer-left");

  await awaitFrames(other.page, 30, other.session);
  const { longestMs } = await gaps(other.page, other.session);
  assert.ok(longestMs < LONGEST_GAP_MS, `the picture stood for ${longestMs} ms`);
  assert.deepEqual(await pipeline.ask("sessions"), [other.session]);
  assert.deepEqual([...said("warning"), ...said("error")], []);
  await Promise.all([one.page.close(), other.page.close()]);
});

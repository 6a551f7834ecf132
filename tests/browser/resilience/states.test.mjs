/** The sink's states change while viewers come, watch and go. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  awaitFrames,
  expectNoErrors,
  firstFrame,
  installScriptViewer,
  launchBrowser,
  openPage,
  pageAddress,
  runPipeline,
  startServer,
  WireViewer,
} from "../harness/index.mjs";

let server;
let browser;
let pipeline;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
});

afterEach(async () => {
  await pipeline?.stop();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function startSink() {
  pipeline = await runPipeline(
    `webrtcsink name=sink signaller::uri=${server.wsUrl}
     videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=30/1 ! sink.`,
  );
}

const isError = ({ message }) => message === "error";
const countOf = (names) => Object.values(names).reduce((sum, one) => sum + one, 0);

test("a tab resumes whenever the sink is back from READY", { timeout: 60_000 }, async () => {
  await startSink();
  const tab = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "all" }));
  await firstFrame(tab);
  for (let i = 0; i < 3; i += 1) {
    const [session] = await pipeline.ask("sessions");
    assert.equal(await pipeline.ask("state ready"), "success");
    assert.equal((await pipeline.viewer("left", { session })).fields.reason, "stopped");
    assert.deepEqual(await pipeline.ask("sessions"), []);
    assert.notEqual(await pipeline.ask("state playing"), "failure");
    await pipeline.until("sessions", (sessions) => sessions.length === 1);
    await awaitFrames(tab, 5);
  }
  assert.deepEqual(pipeline.messages.filter(isError), []);
  expectNoErrors(tab);
  await tab.close();
});

test(
  "ten times from PLAYING to READY and back, with a viewer each time: nothing piles up",
  { timeout: 120_000 },
  async () => {
    await startSink();
    const page = await openPage(browser, server.pageUrl);
    await installScriptViewer(page, server.wsUrl);
    let before;
    for (let i = 0; i < 10; i += 1) {
      const session = await page.evaluate(() => window.viewers.join());
      before ??= { threads: await pipeline.ask("thread_names"), sockets: await pipeline.ask("sockets") };
      assert.equal(await pipeline.ask("encoders"), 1);
      assert.equal(await pipeline.ask("state ready"), "success");
      assert.deepEqual(await pipeline.ask("sessions"), []);
      assert.equal(await pipeline.ask("encoders"), 0);
      assert.ok(await page.evaluate((id) => window.viewers.ended(id), session));
      assert.notEqual(await pipeline.ask("state playing"), "failure");
    }
    await page.evaluate(() => window.viewers.join());
    await pipeline.until("sockets", (now) => now <= before.sockets);
    await pipeline.until("thread_names", (now) => countOf(now) <= countOf(before.threads), {
      timeoutMs: 40_000,
    });
    assert.deepEqual(pipeline.messages.filter(isError), []);
    await page.close();
  },
);

test(
  "a viewer of a pipeline that pauses for longer than silence may last is still there afterwards",
  { timeout: 60_000 },
  async () => {
    await startSink();
    const page = await openPage(browser, server.pageUrl);
    await installScriptViewer(page, server.wsUrl);
    const session = await page.evaluate(() => window.viewers.join());
    await pipeline.ask("state paused");
    // Nothing can be waited for here: that nothing happens for so long is the point.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    assert.deepEqual(await pipeline.ask("sessions"), [session]);
    await pipeline.ask("state playing");
    await awaitFrames(page, 60, session);
    await page.close();
  },
);

test(
  "PLAYING to NULL while viewers are joining takes no longer than their teardown",
  { timeout: 120_000 },
  async () => {
    await startSink();
    const viewer = await WireViewer.connect(server.wsUrl);
    for (let i = 0; i < 5; i += 1) {
      const producer = await viewer.producer();
      for (let j = 0; j < 20; j += 1) viewer.send({ type: "startSession", peerId: producer });
      const session = await viewer.start(producer);
      if (i % 2 === 0) await viewer.description(session);
      const since = Date.now();
      assert.equal(await pipeline.ask("state null"), "success");
      const took = Date.now() - since;
      assert.ok(took < 4000, `it took ${took} ms`);
      assert.deepEqual(await pipeline.ask("sessions"), []);
      await pipeline.ask("state playing");
    }
    assert.deepEqual(pipeline.messages.filter(isError), []);
    assert.deepEqual(
      pipeline.messages.filter(({ message }) => message === "warning"),
      [],
    );
    await viewer.close();
  },
);

for (const signal of [
  "consumer-pipeline-created",
  "consumer-added",
  "consumer-removed",
  "encoder-setup",
  "payloader-setup",
  "signaller::session-requested",
  "signaller::handle-ice",
  "webrtcbin::on-ice-candidate",
  "webrtcbin::notify::connection-state",
]) {
  test(`a handler of ${signal} may stop the pipeline`, { timeout: 60_000 }, async () => {
    await startSink();
    const page = await openPage(browser, server.pageUrl);
    await installScriptViewer(page, server.wsUrl);
    assert.ok(await pipeline.ask(`on ${signal} ready`));
    if (signal === "consumer-removed") {
      const session = await page.evaluate(() => window.viewers.join());
      await page.evaluate((id) => window.viewers.leave(id), session);
    } else {
      // It never comes to a picture: the session is ended under way.
      page.evaluate(() => window.viewers.join()).catch(() => {});
    }
    await pipeline.message(({ message, signal: name }) => message === "handled" && name === signal, {
      what: `return of the handler of ${signal}`,
    });
    await pipeline.until("sessions", (sessions) => sessions.length === 0);
    await pipeline.until("encoders", (encoders) => encoders === 0);

    assert.ok(await pipeline.ask("off"));
    assert.notEqual(await pipeline.ask("state playing"), "failure");
    const tab = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "all" }));
    await firstFrame(tab);
    assert.deepEqual(pipeline.messages.filter(isError), []);
    await Promise.all([page.close(), tab.close()]);
  });
}

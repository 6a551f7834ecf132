/** Many viewers, one after the other: what each took is given back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { installScriptViewer, launchBrowser, openPage, runPipeline, startServer } from "../harness/index.mjs";

let server;
let browser;
let pipeline;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
  pipeline = await runPipeline(
    `webrtcsink name=sink signaller::uri=${server.wsUrl}
     videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=30/1 ! sink.`,
  );
});

after(async () => {
  await browser?.close();
  await pipeline?.stop();
  await server?.stop();
});

const JOINS = 100;
/** Joins that go by before memory is measured: pools and caches have grown by then. */
const WARM_UP = 20;
/** In KiB: what a viewer may leave behind is nothing; this is what an allocator's fragmentation costs in this many. */
const MEMORY_LIMIT = 8 * 1024;

/** The ways of going. */
const LEAVES = ["leaves", "closes", "drops"];

test(
  `after ${JOINS} joins and leaves, polite or not, everything is as it was before the first`,
  { timeout: 300_000 },
  async () => {
    const page = await openPage(browser, server.pageUrl);
    await installScriptViewer(page, server.wsUrl);
    await cycle(page, "leaves");
    await isIdle();
    const before = await pipeline.ask("thread_names");
    const sockets = await pipeline.ask("sockets");
    const ends = [];
    let memory;

    for (let i = 0; i < JOINS; i += 1) {
      const session = await cycle(page, LEAVES[i % LEAVES.length]);
      ends.push(pipeline.viewer("left", { session }));
      if (i + 1 === WARM_UP) {
        await Promise.all(ends);
        await isIdle();
        memory = await pipeline.ask("memory");
      }
    }

    await Promise.all(ends);
    await isIdle();
    const grown = (await pipeline.ask("memory")) - memory;
    console.log(`# ${JOINS - WARM_UP} viewers left ${grown} KiB behind`);
    await pipeline.until("sockets", (now) => now <= sockets);
    const count = (names) => Object.values(names).reduce((sum, one) => sum + one, 0);
    await pipeline.until("thread_names", (now) => count(now) <= count(before), { timeoutMs: 40_000 });
    assert.ok(grown < MEMORY_LIMIT, `${grown} KiB were not given back`);
    const left = pipeline.messages.filter(({ fields }) => fields?.event === "left");
    assert.equal(left.length, JOINS + 1);
    assert.deepEqual(
      left
        .map(({ fields }) => fields.reason)
        .filter((reason) => reason !== "viewer-left" && reason !== "vanished"),
      [],
    );
    assert.deepEqual(
      pipeline.messages.filter(({ message }) => message === "error" || message === "warning"),
      [],
    );
  },
);

/** One viewer joins, sees a picture and goes in this way. @returns its session. */
async function cycle(page, way) {
  const session = await page.evaluate(() => window.viewers.join());
  if (way === "leaves") await page.evaluate((id) => window.viewers.leave(id), session);
  // Nothing tells of this but the silence that follows.
  if (way === "closes") await page.evaluate((id) => window.viewers.close(id), session);
  if (way === "drops") {
    await page.evaluate(async (id) => {
      window.viewers.disconnect();
      await window.viewers.connect();
      window.viewers.close(id);
    }, session);
  }
  return session;
}

/** No session, and no encoder: none runs for long without a viewer. */
async function isIdle() {
  await pipeline.until("sessions", (sessions) => sessions.length === 0, { timeoutMs: 3000 });
  await pipeline.until("encoders", (encoders) => encoders === 0, { timeoutMs: 4000 });
}

/** Viewers that say nothing where something is due: each is given up in time, and leaves nothing behind. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  answerTo,
  expectNoErrors,
  firstFrame,
  gaps,
  IceResponder,
  installScriptViewer,
  launchBrowser,
  launchVictim,
  openPage,
  pageAddress,
  runPipeline,
  startServer,
  watchGaps,
  WireViewer,
} from "../harness/index.mjs";

const LONGEST_GAP_MS = 1500;
/** What a loaded machine adds to a time-out. */
const MARGIN_MS = 5000;

let server;
let browser;
let victims;
let pipeline;

before(async () => {
  [server, browser, ...victims] = await Promise.all([
    startServer(),
    launchBrowser(),
    launchVictim(),
    launchVictim(),
  ]);
  pipeline = await runPipeline(
    `webrtcsink name=sink signaller::uri=${server.wsUrl}
     videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=30/1 ! sink.
     audiotestsrc is-live=true ! sink.`,
  );
});

after(async () => {
  await browser?.close();
  await Promise.all(victims.map((victim) => victim.end()));
  await pipeline?.stop();
  await server?.stop();
});

async function scriptViewer(browser) {
  const page = await openPage(browser, server.pageUrl);
  await installScriptViewer(page, server.wsUrl);
  return page;
}

/** How long it takes until the application is told that a session is over, and the reason. */
async function end(session, since = Date.now()) {
  const { fields } = await pipeline.viewer("left", { session, timeoutMs: 60_000 });
  return { reason: fields.reason, afterMs: Date.now() - since };
}

function assertEnd({ reason, afterMs }, expected, ms) {
  assert.equal(reason, expected);
  assert.ok(afterMs > ms - 2500 && afterMs < ms + MARGIN_MS, `${expected} after ${afterMs} ms`);
}

async function neverAnswers(producer) {
  const viewer = await WireViewer.connect(server.wsUrl);
  const session = await viewer.start(producer);
  await viewer.description(session);
  assertEnd(await end(session), "no-answer", 15_000);
  assert.match(await viewer.end(session), /^no-answer: \w/);
  await viewer.close();
}

async function neverConnects(producer) {
  const viewer = await WireViewer.connect(server.wsUrl);
  const session = await viewer.start(producer);
  const offer = await viewer.description(session);
  const since = Date.now();
  viewer.sendDescription(session, answerTo(offer));
  assertEnd(await end(session, since), "no-connection", 30_000);
  assert.match(await viewer.end(session), /^no-connection: \w/);
  await viewer.close();
}

async function neverStartsDtls(producer) {
  const viewer = await WireViewer.connect(server.wsUrl);
  const session = await viewer.start(producer);
  const offer = await viewer.description(session);
  const since = Date.now();
  const password = "thepasswordofthisviewer0";
  const responder = await IceResponder.start(password);
  viewer.sendDescription(session, answerTo(offer, { password }));
  viewer.sendCandidate(session, responder.candidate);
  assertEnd(await end(session, since), "no-connection", 30_000);
  assert.ok(responder.checks > 0, "it was reached");
  responder.close();
  await viewer.close();
}

/** A browser stops in its tracks: its socket to the server stays, and nothing comes by any. */
async function freezes([victim]) {
  const page = await scriptViewer(victim);
  const session = await page.evaluate(() => window.viewers.join());
  await victim.signal("SIGSTOP");
  assertEnd(await end(session), "vanished", 12_000);
}

/** A browser is killed: the system closes its socket to the server. */
async function dies([, victim]) {
  const page = await scriptViewer(victim);
  const session = await page.evaluate(() => window.viewers.join());
  await victim.signal("SIGKILL");
  const { reason, afterMs } = await end(session);
  assert.equal(reason, "viewer-left");
  assert.ok(afterMs < MARGIN_MS, `noticed after ${afterMs} ms`);
}

/** Takes nothing at all: webrtcbin lets no DTLS through for it, so that it is never connected. */
async function wantsNothing() {
  const page = await scriptViewer(browser);
  const since = Date.now();
  const direction = { video: "inactive", audio: "inactive" };
  const session = await page.evaluate(
    (direction) => window.viewers.join({ direction, until: "answered" }),
    direction,
  );
  assertEnd(await end(session, since), "no-connection", 30_000);
}

/** Takes the sound only, which costs it few reports, and must not be taken for one that has vanished. */
async function wantsNoPicture() {
  const page = await scriptViewer(browser);
  const session = await page.evaluate(() =>
    window.viewers.join({ direction: { video: "inactive" }, until: "connected" }),
  );
  return async () => {
    assert.ok((await pipeline.ask("sessions")).includes(session), "it was not given up");
    const { video, audio } = await page.evaluate((id) => window.viewers.received(id), session);
    assert.equal(video, 0);
    assert.ok(audio > 10_000, `it received ${audio} bytes of sound`);
    await page.evaluate((id) => window.viewers.leave(id), session);
    assert.equal((await end(session)).reason, "viewer-left");
  };
}

test(
  "viewers that fall silent are given up in time, and leave nothing behind",
  { timeout: 120_000 },
  async () => {
    const page = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "all" }));
    await firstFrame(page);
    const base = { threads: await pipeline.ask("thread_names"), sockets: await pipeline.ask("sockets") };
    const client = await WireViewer.connect(server.wsUrl);
    const producer = await client.producer();
    await client.close();

    await watchGaps(page);
    const leaveWithoutPicture = await wantsNoPicture();
    await Promise.all([
      wantsNothing(),
      neverAnswers(producer),
      neverConnects(producer),
      neverStartsDtls(producer),
      freezes(victims),
      dies(victims),
    ]);
    await leaveWithoutPicture();
    await firstFrame(page);
    const { longestMs } = await gaps(page);

    assert.ok(longestMs < LONGEST_GAP_MS, `somebody else's picture stood for ${longestMs} ms`);
    await assertBackTo(base);
    assert.equal(await pipeline.ask("encoders"), 1);
    assert.equal((await pipeline.ask("sessions")).length, 1);
    assert.deepEqual(
      pipeline.messages.filter(({ message }) => message === "error" || message === "warning"),
      [],
    );
    expectNoErrors(page);
  },
);

/** Waits until threads and sockets are as they were; pools keep a thread for some time after its work is done. */
async function assertBackTo({ threads, sockets }) {
  const count = (names) => Object.values(names).reduce((sum, one) => sum + one, 0);
  await pipeline.until("sockets", (now) => now <= sockets, { timeoutMs: 20_000 });
  await pipeline.until("thread_names", (now) => count(now) <= count(threads), { timeoutMs: 30_000 });
}

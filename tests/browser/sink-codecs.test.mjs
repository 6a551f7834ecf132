/** Which codec a viewer gets of webrtcsink, how many encoders that takes, and that lost packets are sent again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  acceptOnly,
  awaitColour,
  awaitFrames,
  frameRate,
  isRed,
  Relay,
  remoteDescription,
  sinkScene,
  statsOf,
  throughRelay,
} from "./harness/index.mjs";

const scene = sinkScene();

const SOURCE = "videotestsrc is-live=true pattern=red ! video/x-raw,width=640,height=360,framerate=30/1";

/** A tab that accepts only these codecs, in the order of the offer. */
const accepting = (...names) => ({ prepare: [[acceptOnly, names]] });

async function codecOf(page) {
  const [inbound] = await statsOf(page, "inbound-rtp");
  return inbound.codec;
}

test("a viewer that takes none of the codecs that run gets an encoder of its own, which others share", async () => {
  const pipeline = await scene.sink(`${SOURCE} ! sink.`, "", {
    env: { GST_PLUGIN_FEATURE_RANK: "x264enc:MAX" },
  });
  const first = await scene.watch();
  assert.equal(await codecOf(first), "video/VP8");
  assert.deepEqual(await pipeline.ask("factories"), ["vp8enc"]);

  const second = await scene.watch(accepting("H264"));
  assert.equal(await codecOf(second), "video/H264");
  assert.deepEqual(await pipeline.ask("factories"), ["vp8enc", "x264enc"]);

  const third = await scene.watch(accepting("H264"));
  assert.equal(await codecOf(third), "video/H264");
  assert.deepEqual(await pipeline.ask("factories"), ["vp8enc", "x264enc"]);
  for (const page of [first, second, third]) await awaitColour(page, isRed);

  // Each encoder goes when the last who needs it has left.
  await scene.leave(second, third);
  await pipeline.until("factories", (factories) => factories.join() === "vp8enc", { timeoutMs: 3500 });
  await awaitFrames(first, 10);
  await scene.leave();
  await pipeline.until("factories", (factories) => factories.length === 0, { timeoutMs: 3500 });
});

test("a codec that runs goes before one that the application prefers", async () => {
  const pipeline = await scene.sink(`${SOURCE} ! sink.`);
  const first = await scene.watch(accepting("VP9"));
  assert.equal(await codecOf(first), "video/VP9");
  const second = await scene.watch();
  assert.equal(await codecOf(second), "video/VP9");
  assert.deepEqual(await pipeline.ask("factories"), ["vp9enc"]);
  const offered = (await remoteDescription(second)).match(/a=rtpmap:\d+ (VP8|VP9|H264)/g);
  assert.match(offered[0], /VP9/, `the offer begins with what runs: ${offered}`);
  assert.ok(offered.length > 1, `and leaves the choice: ${offered}`);
});

test("video-caps decides where no codec runs", async () => {
  const pipeline = await scene.sink(`${SOURCE} ! sink.`, "video-caps=video/x-vp9;video/x-vp8");
  const page = await scene.watch();
  assert.equal(await codecOf(page), "video/VP9");
  assert.deepEqual(await pipeline.ask("factories"), ["vp9enc"]);
});

test("beyond max-renditions a viewer that needs another encoder is refused, and told why", async () => {
  const pipeline = await scene.sink(`${SOURCE} ! sink.`, "max-renditions=1");
  const first = await scene.watch();
  const refused = await scene.open(accepting("H264"));
  const left = await pipeline.viewer("left");
  assert.equal(left.fields.reason, "encoder-limit");
  await refused.waitForFunction(() => /encoder/.test(document.body.innerText));
  assert.deepEqual(await pipeline.ask("factories"), ["vp8enc"]);
  await awaitFrames(first, 10);
  await awaitColour(await scene.watch(), isRed);
});

for (const codec of ["VP8", "H264", "VP9"]) {
  test(`packets of ${codec} that were lost on the way are sent again`, async () => {
    // All codecs are offered: the repair must fit the one that was chosen.
    await scene.sink(
      `videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1 ! sink.`,
    );
    let media;
    const relay = new Relay((payloadType, number) => {
      media ??= payloadType;
      // Never the repair itself, and not before there is something to see.
      return payloadType === media && number > 30 && number % 25 === 0;
    });
    try {
      const page = await scene.watch({
        expose: { relayWayTo: (address, port) => relay.wayTo(address, port) },
        prepare: [[throughRelay], [acceptOnly, [codec]]],
      });
      assert.equal(await codecOf(page), `video/${codec}`);
      const repaired = await untilRepaired(page, 5);
      assert.ok(relay.lost >= 5, `${relay.lost} of ${relay.packets} were lost`);
      assert.ok(repaired.nackCount >= 5, `${repaired.nackCount} packets were asked for`);
      // With all repaired there is nothing to ask a key frame for.
      assert.ok(repaired.pliCount <= 2, `${repaired.pliCount} key frames were asked for`);
      assert.ok((await frameRate(page, 30)) > 10);
    } finally {
      relay.stop();
    }
  });
}

async function untilRepaired(page, packets) {
  for (let frames = 0; ; frames += 30) {
    await awaitFrames(page, 30);
    const [inbound] = await statsOf(page, "inbound-rtp");
    if (inbound.retransmittedPacketsReceived >= packets) return inbound;
    assert.ok(
      frames < 900,
      `${inbound.retransmittedPacketsReceived} came again, of ${inbound.nackCount} that were asked for`,
    );
  }
}

/** webrtcsrc and browsers: what a tab publishes, a pipeline watches. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { element, launchBrowser, openPage, startPipeline, startServer } from "./harness/index.mjs";

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a camera published by a tab is watched by webrtcsrc, picture and sound, until the tab closes", async () => {
  const waiting = startPipeline(
    `-v webrtcsrc name=src connect-to-first-producer=true signaller::uri=${server.wsUrl} ` +
      "src.video_0 ! videoconvert ! video/x-raw,format=I420 ! fakesink name=picture silent=false " +
      "src.audio_0 ! audioconvert ! fakesink name=sound silent=false",
    { ready: /picture.*last-message.*chain .*dts/, timeoutMs: 60_000 },
  );
  const publisher = await openPage(browser, server.pageUrl);
  await element(publisher, "publish-camera").click();
  await element(publisher, "publication", { phase: "live" }).waitFor();

  const pipeline = await waiting;
  try {
    assert.ok(
      await pipeline.line(/picture.GstPad:sink: caps = video\/x-raw.*width=\(int\)640, height=\(int\)480/),
    );
    await pipeline.line(/sound.*last-message.*chain .*dts/);
    assert.equal(await element(publisher, "viewers").innerText(), "1 viewer");
    await publisher.context().close();
    await pipeline.line(/Got EOS from element "pipeline0"/);
  } finally {
    await pipeline.stop("SIGKILL");
  }
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  awaitFrames,
  element,
  expectNoErrors,
  firstFrame,
  launchBrowser,
  openPage,
  pageAddress,
  startServer,
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

test("pictures that a producer adds and removes come and go, and the first one goes on", async () => {
  const producer = await openPage(browser, server.pageUrl);
  await producer.evaluate(produce, server.wsUrl);
  const viewer = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "first" }));
  await element(viewer, "tile", { phase: "playing" }).waitFor();
  await firstFrame(viewer);
  const extra = element(viewer, "extra-video");
  assert.equal(await extra.count(), 0);

  await producer.evaluate(() => window.producing.add());
  await extra.waitFor({ state: "attached" });
  await firstFrame(viewer, extra);

  await producer.evaluate(() => window.producing.remove());
  await extra.waitFor({ state: "detached" });
  assert.equal(await viewer.evaluate(() => window.weir.watchings[0].watching.stream.getTracks().length), 1);
  await awaitFrames(viewer, 20);
  assert.equal(await element(viewer, "tile").getAttribute("data-phase"), "playing");
  expectNoErrors(viewer);
});

/** Runs in the page: a producer of the wire's version 1.0, written without our library, that renegotiates. */
async function produce(url) {
  const camera = await navigator.mediaDevices.getUserMedia({ video: true });
  const socket = new WebSocket(url);
  const connection = new RTCPeerConnection();
  let sessionId;
  const say = (message) => socket.send(JSON.stringify(message));
  const offer = async () => {
    await connection.setLocalDescription();
    say({ type: "peer", sessionId, sdp: connection.localDescription.toJSON() });
  };
  connection.addEventListener("icecandidate", ({ candidate }) => {
    if (!candidate?.candidate) return;
    const { candidate: line, sdpMLineIndex } = candidate;
    say({ type: "peer", sessionId, ice: { candidate: line, sdpMLineIndex } });
  });
  connection.addTransceiver(camera.getVideoTracks()[0], { direction: "sendonly" });
  let added;
  window.producing = {
    add: async () => {
      added = connection.addTransceiver(camera.getVideoTracks()[0].clone(), { direction: "sendonly" });
      await offer();
    },
    remove: async () => {
      added.stop();
      await offer();
    },
  };
  socket.addEventListener("message", async ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "welcome")
      say({ type: "setPeerStatus", roles: ["producer"], meta: { name: "Raw" } });
    if (message.type === "startSession") {
      sessionId = message.sessionId;
      await offer();
    }
    if (message.type === "peer" && message.sdp) await connection.setRemoteDescription(message.sdp);
    if (message.type === "peer" && message.ice) await connection.addIceCandidate(message.ice);
  });
}

/** `weir-demo`: what a person sees who streams a test picture, a file or a camera with one command. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import {
  audioLevel,
  awaitColour,
  awaitFrames,
  expectNoErrors,
  firstFrame,
  freePort,
  gaps,
  isRed,
  launchBrowser,
  openPage,
  pluginDir,
  screenshot,
  startProcess,
  statsOf,
  videoSize,
  watchGaps,
} from "./harness/index.mjs";

const DEMO = process.env.WEIR_DEMO ?? join(process.env.WEIR_PLUGIN_DIR ?? "../../target/debug", "weir-demo");
const CAMERA = new URL("./harness/camera.py", import.meta.url).pathname;

let browser;
let folder;
const running = [];

before(async () => {
  // The certificate of `--lan` is made by the machine itself.
  browser = await launchBrowser({ args: ["--ignore-certificate-errors"] });
  folder = await mkdtemp(join(tmpdir(), "weir-demo-"));
});
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});
after(async () => {
  await browser?.close();
  if (folder) await rm(folder, { recursive: true });
});

/** Starts a demo and gives the first address that it prints. */
async function demo(...args) {
  const port = await freePort();
  const process = await startProcess(DEMO, ["--port", String(port), ...args], {
    ready: /^ {3}(https?:\/\/\S+)$/,
    env: { XDG_CACHE_HOME: folder },
  });
  running.push(process);
  return { process, url: process.ready[1] };
}

/** Opens a tab that watches the demo and waits for its first frame. */
async function watch(url) {
  const page = await openPage(browser, url);
  running.push({ stop: () => page.context().close() });
  await firstFrame(page);
  return page;
}

/** A red film with a tone of 440 Hz. */
function film(name, seconds, encoding) {
  const path = join(folder, name);
  const inputs = [
    `color=red:size=320x240:rate=30:duration=${seconds}`,
    `sine=frequency=440:duration=${seconds}`,
  ];
  const words = inputs.flatMap((input) => ["-f", "lavfi", "-i", input]);
  execFileSync("ffmpeg", ["-nostdin", "-loglevel", "error", "-y", ...words, ...encoding.split(" "), path]);
  return path;
}

async function codecOf(page) {
  const [{ codec }] = await statsOf(page, "inbound-rtp");
  return codec;
}

test("the test picture is seen and ticks", async () => {
  const { url } = await demo();
  const page = await watch(url);
  assert.deepEqual(await videoSize(page), { width: 1280, height: 720 });
  await audioLevel(page);
  await screenshot(page, "demo-test-picture");
  expectNoErrors(page);
});

test("a film that browsers can play goes through, and begins again without a gap", async () => {
  const path = film("film.mp4", 2, "-c:v libx264 -profile:v main -bf 0 -g 30 -pix_fmt yuv420p -c:a aac");
  const { process, url } = await demo("--source", path);
  assert.ok(process.output.some((line) => /video: video\/x-h264 goes through untouched/.test(line)));
  const page = await watch(url);
  assert.equal(await codecOf(page), "video/H264");
  await watchGaps(page);
  // Three times the film's length.
  await awaitFrames(page, 180);
  const { longestMs } = await gaps(page);
  assert.ok(longestMs < 1000, `${longestMs} ms without a new frame`);
  await awaitColour(page, isRed);
  const { frequency } = await audioLevel(page);
  assert.ok(Math.abs(frequency - 440) < 30, `a tone of ${frequency} Hz`);
  expectNoErrors(page);
});

test("a film with B-frames is encoded anew and seen", async () => {
  const path = film("b-frames.mp4", 2, "-c:v libx264 -bf 2 -b_strategy 0 -g 300 -pix_fmt yuv420p -c:a aac");
  const { process, url } = await demo("--source", path);
  assert.ok(process.output.some((line) => /video: video\/x-h264 is encoded anew, because/.test(line)));
  const page = await watch(url);
  await awaitFrames(page, 90);
  await awaitColour(page, isRed);
});

test("a webm goes through with its sound", async () => {
  const path = film(
    "film.webm",
    2,
    "-c:v libvpx -deadline realtime -cpu-used 8 -g 30 -b:v 300k -c:a libopus",
  );
  const { process, url } = await demo("--source", path);
  const untouched = process.output.filter((line) => /goes through untouched/.test(line));
  assert.equal(untouched.length, 2, "picture and sound");
  const page = await watch(url);
  assert.equal(await codecOf(page), "video/VP8");
  await awaitFrames(page, 90);
  await audioLevel(page);
});

test("an RTSP camera is seen as it is", async () => {
  const port = await freePort();
  running.push(await startProcess("/usr/bin/python3", [CAMERA, String(port), "/live"], { ready: /ready/ }));
  const { process, url } = await demo("--source", `rtsp://127.0.0.1:${port}/live`);
  assert.ok(process.output.some((line) => /video: video\/x-h264 goes through untouched/.test(line)));
  const page = await watch(url);
  assert.equal(await codecOf(page), "video/H264");
  await awaitFrames(page, 60);
  assert.deepEqual(await videoSize(page), { width: 640, height: 360 });
});

test("others in the network watch over HTTPS", async () => {
  const { url } = await demo("--lan");
  assert.match(url, /^https:/);
  const page = await watch(url);
  await awaitFrames(page, 30);
  assert.match(await page.evaluate(() => location.protocol), /^https:/);
});

test("the line that it prints does the same by hand", async () => {
  const path = film(
    'it\'s a "film".mp4',
    8,
    "-c:v libx264 -profile:v main -bf 0 -g 30 -pix_fmt yuv420p -c:a aac",
  );
  const { process: shown, url } = await demo("--source", path);
  const line = await shown.line(/gst-launch-1\.0 /);
  await shown.stop("SIGINT");
  running.splice(running.indexOf(shown), 1);

  const shell = ["-c", `exec env ${line.input.trim()}`];
  running.push(
    await startProcess("bash", shell, {
      ready: /Redistribute latency|PLAYING/,
      env: { GST_PLUGIN_PATH: pluginDir() },
    }),
  );
  const page = await watch(url);
  assert.equal(await codecOf(page), "video/H264");
  await awaitFrames(page, 30);
  await awaitColour(page, isRed);
});

test("an interrupt ends it cleanly while somebody watches", async () => {
  const { process, url } = await demo();
  await watch(url);
  await process.stop("SIGINT");
  assert.deepEqual(await process.exited, { code: 0, signal: null });
});

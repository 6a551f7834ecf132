/**
 * How long a viewer waits: from `startSession` sent to the first frame presented.
 *
 *   cargo xtask bench startup [-- --samples 20]
 *
 * Each sample starts a sink of its own, ours and the incumbent's in turns, in one run and under the same conditions:
 * the same source, signalling server, browser and page. The first viewer finds no encoder running; the later one
 * comes while the first is watching.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  launchBrowser,
  openPage,
  pageAddress,
  ROOT,
  startProcess,
  startServer,
} from "../browser/harness/index.mjs";

const { values: options } = parseArgs({
  options: { samples: { type: "string", default: "20" } },
});
const SAMPLES = Number(options.samples);
const SOURCE =
  "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1";
/** The same for both: one codec, no STUN server, for there is no network. */
const SETTINGS = "video-caps=video/x-vp8 stun-server=NULL";
const PEERS = process.env.WEIR_PEERS_PLUGIN_DIR;
if (!PEERS)
  throw new Error(
    "WEIR_PEERS_PLUGIN_DIR is not set: run this by `cargo xtask bench startup`",
  );

const SINKS = {
  weir: {
    GST_PLUGIN_PATH: process.env.WEIR_PLUGIN_DIR,
    GST_REGISTRY: join(ROOT, "target", "bench-registry.bin"),
  },
  incumbent: {
    GST_PLUGIN_PATH: PEERS,
    GST_REGISTRY: join(ROOT, "target", "bench-peers-registry.bin"),
  },
};

await assertCongestionControl();
const server = await startServer();
const browser = await launchBrowser();
const samples = Object.fromEntries(
  Object.keys(SINKS).map((name) => [name, { first: [], later: [] }]),
);
try {
  for (let i = 0; i < SAMPLES; i += 1) {
    // In turns, so that a machine that warms up favours nobody.
    const names = i % 2 === 0 ? ["weir", "incumbent"] : ["incumbent", "weir"];
    for (const name of names) {
      const { first, later } = await sample(SINKS[name]);
      samples[name].first.push(first);
      samples[name].later.push(later);
      console.log(
        `${name} ${i + 1}/${SAMPLES}: first ${first.toFixed(0)} ms, later ${later.toFixed(0)} ms`,
      );
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
await report();

async function sample(env) {
  const description = `webrtcsink name=sink ${SETTINGS} signaller::uri=${server.wsUrl} ${SOURCE} ! sink.`;
  const sink = await startProcess("gst-launch-1.0", description.split(" "), {
    env,
    ready: /PLAYING|Redistribute/,
  });
  const pages = [];
  try {
    for (const _ of ["first", "later"]) {
      const page = await openPage(
        browser,
        pageAddress(server.pageUrl, { stats: 0 }),
      );
      await page.setViewportSize({ width: 640, height: 480 });
      pages.push(page);
    }
    const millis = [];
    for (const page of pages) {
      await page.locator('[data-testid="producer"]').waitFor();
      await page.locator('[data-testid="watch"]').click();
      const handle = await page.waitForFunction(
        () => window.weir.watchings[0]?.watching.firstFrameMillis,
      );
      millis.push(await handle.jsonValue());
    }
    return { first: millis[0], later: millis[1] };
  } finally {
    await Promise.all(pages.map((page) => page.context().close()));
    await sink.stop("SIGKILL");
  }
}

async function assertCongestionControl() {
  const inspect = await startProcess("gst-inspect-1.0", ["rtpgccbwe"], {
    env: SINKS.incumbent,
  });
  const { code } = await inspect.exited;
  if (code !== 0)
    throw new Error(
      "The incumbent's rtpgccbwe is missing: it would run without congestion control",
    );
}

async function report() {
  const figures = {};
  for (const [name, { first, later }] of Object.entries(samples)) {
    figures[name] = { first: summary(first), later: summary(later) };
  }
  const ratio = (kind) => figures.weir[kind].p50 / figures.incumbent[kind].p50;
  console.log(
    `\nfrom startSession to the first frame, ms; ${SAMPLES} samples each; ${machine()}`,
  );
  console.log(`settings of both: ${SOURCE} ! webrtcsink ${SETTINGS}`);
  console.log(
    "| | first viewer p50 | p95 | later viewer p50 | p95 |\n|---|---|---|---|---|",
  );
  for (const [name, { first, later }] of Object.entries(figures)) {
    console.log(
      `| ${name} | ${first.p50} | ${first.p95} | ${later.p50} | ${later.p95} |`,
    );
  }
  console.log(
    `ours / theirs: first ${ratio("first").toFixed(2)} (target ≤ 1.0), later ${ratio("later").toFixed(2)} (target ≤ 0.7)`,
  );
  const folder = join(ROOT, "target", "bench");
  await mkdir(folder, { recursive: true });
  const file = join(folder, "startup.json");
  await writeFile(
    file,
    JSON.stringify(
      {
        machine: machine(),
        settings: `${SOURCE} ! webrtcsink ${SETTINGS}`,
        figures,
        samples,
      },
      null,
      2,
    ),
  );
  console.log(`written to ${file}`);
}

function summary(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) =>
    Math.round(
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))],
    );
  return { p50: at(0.5), p95: at(0.95) };
}

function machine() {
  return `${cpus().length} × ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`;
}

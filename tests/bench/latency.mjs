/**
 * How old a picture is when it comes out: from a frame into webrtcsink to the same frame, decoded, out of webrtcsrc.
 *
 *   cargo xtask bench latency [-- --rounds 5 --pictures 300 --latencies 20,200 --congestion gcc,disabled]
 *
 * Both elements of a run are of one plugin, ours and the incumbent's in turns, in one run and under the same conditions:
 * the same program at both ends (tests/bench/timecode), source, signalling server, codec, bitrate and jitter buffer. A run
 * whose settings differ from the first one's fails the bench.
 *
 * With `gcc` the incumbent runs as it is used: its estimator moves the bitrate, and its pacer delays packets. With
 * `disabled` both encoders keep one bitrate, which shows what remains without.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT, startProcess, startServer, WireViewer } from "../browser/harness/index.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    pictures: { type: "string", default: "300" },
    latencies: { type: "string", default: "20,200" },
    congestion: { type: "string", default: "gcc,disabled" },
  },
});
const ROUNDS = Number(options.rounds);
const CASES = options.congestion
  .split(",")
  .flatMap((congestion) => options.latencies.split(",").map((latency) => ({ congestion, latency: Number(latency) })));
const title = ({ congestion, latency }) => `${congestion}, ${latency} ms`;
const SOURCE = "appsrc is-live=true, I420 1280x720 at 30 frames/s, a texture that moves";
const TARGET = 0.8;
const PEERS = process.env.WEIR_PEERS_PLUGIN_DIR;
const PROGRAM = process.env.WEIR_TIMECODE;
if (!PEERS || !PROGRAM) {
  throw new Error("WEIR_PEERS_PLUGIN_DIR or WEIR_TIMECODE is not set: run this by `cargo xtask bench latency`");
}

const PLUGINS = {
  weir: { GST_PLUGIN_PATH: process.env.WEIR_PLUGIN_DIR, GST_REGISTRY: "/tmp/weir-bench-registry.bin" },
  incumbent: { GST_PLUGIN_PATH: PEERS, GST_REGISTRY: "/tmp/weir-bench-peers-registry.bin" },
};
const FILES = { weir: /^libgstweir/, incumbent: /^libgstrswebrtc\S* 0\.15\.4/ };

await assertCongestionControl();
const runs = [];
for (let round = 0; round < ROUNDS; round += 1) {
  // In turns, so that a machine that warms up favours nobody.
  const names = round % 2 === 0 ? ["weir", "incumbent"] : ["incumbent", "weir"];
  for (const of of CASES) {
    for (const name of names) {
      const run = { name, ...of, round, ...(await measure(name, of)) };
      assertLike(run);
      runs.push(run);
      const { p50, p95 } = summary(run.latencies);
      console.log(
        `round ${round + 1}/${ROUNDS}, ${title(of)}, ${name}: p50 ${p50} ms, p95 ${p95} ms, ` +
          `${run.unreadable} unreadable, load ${run.load}`,
      );
    }
  }
}
await report();

async function measure(name, { congestion, latency }) {
  const env = PLUGINS[name];
  const load = loadavg()[0].toFixed(1);
  const server = await startServer();
  let sender, receiver, watcher;
  try {
    const place = ["--server", server.wsUrl];
    sender = await startProcess(PROGRAM, ["send", ...place, "--congestion-control", congestion], { env, stdin: "pipe", ready: /^sending$/ });
    watcher = await WireViewer.connect(server.wsUrl);
    const producer = await watcher.producer();
    receiver = await startProcess(
      PROGRAM,
      ["receive", ...place, "--producer", producer, "--latency", String(latency), "--pictures", options.pictures],
      { env },
    );
    const received = JSON.parse((await receiver.line(/^\{.*/, 120_000))[0]);
    sender.write("stop\n");
    const sent = JSON.parse((await sender.line(/^\{.*/))[0]);
    for (const { origin } of [sent, received]) {
      if (!FILES[name].test(origin)) throw new Error(`${name} was measured with ${origin}`);
    }
    const settings = { sink: sent.settings, source: received.settings, jitterBuffers: received.jitter_buffers };
    const { encoder, origin } = sent;
    const { decoders, latencies, unreadable } = received;
    return { origin, load, settings, encoder, decoders, unreadable, latencies: latencies.map((micros) => micros / 1000) };
  } finally {
    await watcher?.close();
    await receiver?.stop("SIGKILL");
    await sender?.stop("SIGKILL");
    await server.stop();
  }
}

/** Fails unless a run was set like the first of its case, and its jitter buffers as they should be. */
function assertLike({ name, congestion, latency, settings, encoder }) {
  const first = runs.find((other) => title(other) === title({ congestion, latency })) ?? { settings, encoder };
  // An estimator moves the bitrate from where both start.
  const comparable = ({ settings: { sink, source }, encoder }) =>
    JSON.stringify({ sink, source, bitrate: congestion === "disabled" && encoder["target-bitrate"] });
  const [ours, theirs] = [comparable({ settings, encoder }), comparable(first)];
  if (ours !== theirs) throw new Error(`${name} is set otherwise than the first run:\n${ours}\n${theirs}`);
  const { jitterBuffers } = settings;
  if (jitterBuffers.length === 0 || jitterBuffers.some((actual) => actual !== latency)) {
    throw new Error(`${name} has jitter buffers of ${jitterBuffers} ms, and not of ${latency}`);
  }
}

async function assertCongestionControl() {
  const inspect = await startProcess("gst-inspect-1.0", ["rtpgccbwe"], { env: PLUGINS.incumbent });
  const { code } = await inspect.exited;
  if (code !== 0) throw new Error("The incumbent's rtpgccbwe is missing: it would run without congestion control");
}

async function report() {
  const figures = {};
  for (const of of CASES) {
    figures[title(of)] = {};
    for (const name of Object.keys(PLUGINS)) {
      const own = runs.filter((run) => run.name === name && title(run) === title(of));
      figures[title(of)][name] = summary(own.flatMap(({ latencies }) => latencies));
    }
  }
  console.log(`\nage of a picture when it comes out, ms; ${ROUNDS} rounds of ${options.pictures} pictures; ${machine()}`);
  console.log(`source of both: ${SOURCE}`);
  console.log(`settings of both: ${JSON.stringify(runs[0].settings)}`);
  for (const name of Object.keys(PLUGINS)) {
    const { origin, encoder, decoders } = runs.find((run) => run.name === name);
    console.log(`${name}: ${origin}, encoder ${JSON.stringify(encoder)}, decoders ${decoders.join(" ")}`);
  }
  console.log("| congestion control, jitter buffer | | p50 | p95 |\n|---|---|---|---|");
  for (const [of, { weir, incumbent }] of Object.entries(figures)) {
    for (const [name, { p50, p95 }] of Object.entries({ weir, incumbent })) {
      console.log(`| ${of} | ${name} | ${p50} | ${p95} |`);
    }
    const ratio = (key) => (weir[key] / incumbent[key]).toFixed(2);
    console.log(`| ${of} | ours / theirs (target ≤ ${TARGET}) | ${ratio("p50")} | ${ratio("p95")} |`);
  }
  const folder = join(ROOT, "target", "bench");
  await mkdir(folder, { recursive: true });
  const file = join(folder, "latency.json");
  const command = `cargo xtask bench latency -- ${process.argv.slice(2).join(" ")}`.trim();
  await writeFile(file, JSON.stringify({ machine: machine(), command, source: SOURCE, figures, runs }, null, 1));
  console.log(`written to ${file}`);
}

function summary(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => Number(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1));
  return { p50: at(0.5), p95: at(0.95) };
}

function machine() {
  return `${cpus().length} × ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`;
}

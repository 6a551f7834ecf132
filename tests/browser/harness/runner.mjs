/** Pipelines that can be asked about themselves: see pipeline.py. */
import { fileURLToPath } from "node:url";
import { pluginDir } from "./paths.mjs";
import { Process, within } from "./process.mjs";

const SCRIPT = fileURLToPath(new URL("pipeline.py", import.meta.url));
/** Debian's Python, which is the one with GStreamer's bindings. */
const PYTHON = "/usr/bin/python3";
const ANSWER_TIMEOUT_MS = 20_000;

/** A running pipeline; the sink that questions are about is named `sink`. */
export class Pipeline extends Process {
  /** @type {object[]} What the bus said. */
  messages = [];
  #answers = [];
  #watchers = new Set();

  constructor(description, { env = {} } = {}) {
    super(PYTHON, [SCRIPT, description], {
      env: { GST_PLUGIN_PATH: pluginDir(), GST_DEBUG_NO_COLOR: "1", ...env },
      stdin: "pipe",
    });
    this.onLine((line) => {
      if (!line.startsWith("{")) return;
      const said = JSON.parse(line);
      if ("answer" in said) this.#answers.shift()?.(said);
      else {
        this.messages.push(said);
        for (const watcher of this.#watchers) watcher(said);
      }
    });
  }

  /** Asks a question, or gives a command. @returns its answer. */
  async ask(question) {
    const answered = new Promise((resolve) => this.#answers.push(resolve));
    this.write(`${question}\n`);
    const { answer, error } = await within(
      ANSWER_TIMEOUT_MS,
      answered,
      () => `no answer to ${question}:\n${this.tail()}`,
    );
    if (error) throw new Error(`${question}: ${error}`);
    return answer;
  }

  /** The first message on the bus, past ones included, that `wanted` is true of. */
  async message(wanted, { timeoutMs = 30_000, what = "a message" } = {}) {
    const past = this.messages.find(wanted);
    if (past) return past;
    let watcher;
    const found = new Promise((resolve) => {
      watcher = (said) => wanted(said) && resolve(said);
      this.#watchers.add(watcher);
    });
    try {
      return await within(timeoutMs, found, () => `no ${what} on the bus:\n${this.tail()}`);
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** The emissions of a signal so far; those of all signals without a name. Needs the command `signals`. */
  signals(name) {
    return this.messages.filter(({ signal }) => signal !== undefined && (name ?? signal) === signal);
  }

  /** The message that a viewer has joined, connected or left. */
  viewer(event, { session, ...options } = {}) {
    const isIt = (said) =>
      said.name === "weir-viewer" &&
      said.fields.event === event &&
      (session === undefined || said.fields["session-id"] === session);
    return this.message(isIt, { what: `viewer that ${event}`, ...options });
  }

  /** Asks again and again until the answer is as wanted. */
  async until(question, wanted, { timeoutMs = 20_000 } = {}) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const answer = await this.ask(question);
      if (wanted(answer)) return answer;
      if (Date.now() > deadline)
        throw new Error(`${question} is still ${JSON.stringify(answer)} after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Starts a pipeline and waits until it plays. */
export async function runPipeline(description, options = {}) {
  const pipeline = new Pipeline(description, options);
  await pipeline.message((said) => said.message === "state" && said.state === "playing", {
    what: "state PLAYING",
  });
  return pipeline;
}

/** Processes of tests: started, awaited by what they print, stopped by their id. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

/** How long a process may take to become ready, and to end, in milliseconds. A loaded machine is slow. */
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
/** What is kept of a process's output for error messages, in lines. */
const KEPT_LINES = 200;

/** A running process. */
export class Process {
  /** @type {string[]} The latest lines of standard output and error. */
  output = [];
  #child;
  #exit;
  #watchers = new Set();

  constructor(command, args, { env = {}, cwd, stdin = "ignore" } = {}) {
    this.name = command.split("/").at(-1);
    this.#child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [stdin, "pipe", "pipe"],
    });
    this.#exit = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => resolve({ code, signal }));
      this.#child.once("error", (error) => resolve({ code: null, signal: null, error }));
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#handleLine(line));
    }
  }

  /** Has `watcher` called with each line from here on. */
  onLine(watcher) {
    this.#watchers.add(watcher);
  }

  /** Writes to the process's standard input, which it was started with. */
  write(text) {
    this.#child.stdin.write(text);
  }

  get pid() {
    return this.#child.pid;
  }

  /** Resolves to `{code, signal}` when the process has ended. */
  get exited() {
    return this.#exit;
  }

  get running() {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.pid !== undefined;
  }

  /** The first line, past ones included, that matches; fails if the process ends first. */
  async line(pattern, timeoutMs = READY_TIMEOUT_MS) {
    for (const line of this.output) {
      const match = pattern.exec(line);
      if (match) return match;
    }
    let watcher;
    const found = new Promise((resolve) => {
      watcher = (line) => {
        const match = pattern.exec(line);
        if (match) resolve(match);
      };
      this.#watchers.add(watcher);
    });
    const ended = this.#exit.then(({ code, signal, error }) => {
      throw new Error(
        `${this.name} ended (${error?.message ?? signal ?? code}) before it printed ${pattern}:\n${this.tail()}`,
      );
    });
    ended.catch(() => {});
    try {
      return await within(timeoutMs, Promise.race([found, ended]), () => {
        return `${this.name} did not print ${pattern}:\n${this.tail()}`;
      });
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** Ends the process and waits until it has ended; with SIGKILL after a while, which counts as a failure. */
  async stop(signal = "SIGTERM") {
    if (!this.running) return this.#exit;
    this.#child.kill(signal);
    try {
      return await within(STOP_TIMEOUT_MS, this.#exit, () => `${this.name} did not end on ${signal}`);
    } catch (error) {
      this.#child.kill("SIGKILL");
      await this.#exit;
      throw error;
    }
  }

  tail(lines = 40) {
    return this.output.slice(-lines).join("\n");
  }

  #handleLine(line) {
    this.output.push(line);
    if (this.output.length > KEPT_LINES) this.output.shift();
    for (const watcher of this.#watchers) watcher(line);
  }
}

/** Starts a process; with `ready`, a pattern, waits until it has printed such a line, found in `process.ready`. */
export async function startProcess(command, args = [], { ready, timeoutMs, ...options } = {}) {
  const started = new Process(command, args, options);
  if (ready) {
    try {
      started.ready = await started.line(ready, timeoutMs);
    } catch (error) {
      await started.stop("SIGKILL");
      throw error;
    }
  }
  return started;
}

/** A TCP port that nothing uses on 127.0.0.1. */
export async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until something accepts connections on a port. */
export async function awaitPort(port, timeoutMs = READY_TIMEOUT_MS) {
  const deadline = Date.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (Date.now() > deadline) throw new Error(`Nothing listens on port ${port} after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function accepts(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** What `promise` resolves to, or a failure with the sentence that `explain` returns once the time is over. */
export async function within(timeoutMs, promise, explain) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${explain()} (within ${timeoutMs} ms)`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

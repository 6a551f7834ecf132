/** The servers inside webrtcsink: pages and signalling from one process, on this machine only unless told otherwise. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import {
  awaitFrames,
  expectNoErrors,
  firstFrame,
  freePort,
  launchBrowser,
  openPage,
  pageAddress,
  Pipeline,
  runPipeline,
  within,
} from "../harness/index.mjs";

const PICTURE =
  "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=30/1 ! sink.";

let browser;
let pipeline;
let directory;
let tls;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "weir-"));
  tls = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const pair = ["-newkey", "rsa:2048", "-nodes", "-keyout", tls.key, "-out", tls.cert];
  await promisify(execFile)("openssl", ["req", "-x509", "-days", "2", ...pair, ...subject]);
  browser = await launchBrowser({ args: ["--ignore-certificate-errors"] });
});

afterEach(async () => {
  await pipeline?.stop();
});

after(async () => {
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
});

async function playsAt(url) {
  const tab = await openPage(browser, pageAddress(url, { autoplay: "all" }));
  await firstFrame(tab);
  await awaitFrames(tab, 20);
  expectNoErrors(tab);
  await tab.close();
}

/** Whether something accepts connections there. */
async function accepts(host, port) {
  const socket = connect(port, host);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

const otherAddresses = () =>
  Object.values(networkInterfaces())
    .flat()
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => address);

test("with its defaults it plays from http://127.0.0.1:8080, and nobody reaches it from elsewhere", async () => {
  pipeline = await runPipeline(
    `webrtcsink name=sink run-signalling-server=true run-web-server=true ${PICTURE}`,
  );
  await playsAt("http://127.0.0.1:8080/");
  for (const port of [8080, 8443]) {
    assert.ok(await accepts("127.0.0.1", port));
    for (const address of otherAddresses()) {
      assert.ok(!(await accepts(address, port)), `${address}:${port} is open`);
    }
  }
});

test("it listens elsewhere when it is told to", async (t) => {
  const [address] = otherAddresses();
  if (!address) return t.skip("this machine has no other address");
  const [signalling, web] = [await freePort(), await freePort()];
  pipeline = await runPipeline(
    `webrtcsink name=sink run-signalling-server=true run-web-server=true signalling-server-host=0.0.0.0
     signalling-server-port=${signalling} web-server-host-addr=http://0.0.0.0:${web}/ ${PICTURE}`,
  );
  assert.ok(await accepts(address, signalling));
  await playsAt(`http://${address}:${web}/`);
});

for (const [what, properties] of Object.entries({
  signalling: (port) => `run-signalling-server=true signalling-server-port=${port}`,
  web: (port) => `run-web-server=true web-server-host-addr=http://127.0.0.1:${port}/`,
})) {
  test(`a port that the ${what} server cannot have is one clear error, and the sink does not start`, async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address();
    pipeline = new Pipeline(`webrtcsink name=sink ${properties(port)} ${PICTURE}`);
    const error = await pipeline.message(({ message }) => message === "error", { what: "error" });
    assert.match(error.text, new RegExp(`${what} server cannot start: .*${port}.*`));
    await within(10_000, pipeline.exited, () => "the pipeline goes on");
    assert.equal(pipeline.messages.filter(({ message }) => message === "error").length, 1);
    assert.ok(!pipeline.messages.some(({ message, state }) => message === "state" && state === "playing"));
    taken.close();
  });
}

test("idle clients and refused handshakes stop nobody, with TLS", { timeout: 90_000 }, async () => {
  const [signalling, web] = [await freePort(), await freePort()];
  pipeline = await runPipeline(
    `webrtcsink name=sink run-signalling-server=true signalling-server-port=${signalling}
     signalling-server-cert=${tls.cert} signalling-server-key=${tls.key}
     run-web-server=true web-server-host-addr=https://127.0.0.1:${web}/
     web-server-cert=${tls.cert} web-server-key=${tls.key} ${PICTURE}`,
  );
  const sockets = await pipeline.ask("sockets");
  const idle = [];
  for (const port of [signalling, web]) {
    for (let i = 0; i < 20; i += 1) {
      // Some say nothing, some begin something that is no handshake and never end it.
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      idle.push(socket);
      if (i % 2) socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
    }
    for (let i = 0; i < 5; i += 1) {
      const refused = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: true, ca: [] });
      const [error] = await once(refused, "error");
      assert.match(String(error), /certificate/);
    }
  }
  await playsAt(`https://127.0.0.1:${web}/`);
  await playsAt(`https://127.0.0.1:${web}/`);
  for (const socket of idle) socket.destroy();
  await pipeline.until("sockets", (now) => now <= sockets);
  assert.deepEqual(
    pipeline.messages.filter(({ message }) => message === "error" || message === "warning"),
    [],
  );
});

test("NULL frees the ports, and PLAYING takes them again", async () => {
  const [signalling, web] = [await freePort(), await freePort()];
  pipeline = await runPipeline(
    `webrtcsink name=sink run-signalling-server=true signalling-server-port=${signalling}
     run-web-server=true web-server-host-addr=http://127.0.0.1:${web}/ ${PICTURE}`,
  );
  for (let i = 0; i < 3; i += 1) {
    await playsAt(`http://127.0.0.1:${web}/`);
    assert.equal(await pipeline.ask("state null"), "success");
    assert.ok(!(await accepts("127.0.0.1", signalling)));
    assert.ok(!(await accepts("127.0.0.1", web)));
    assert.notEqual(await pipeline.ask("state playing"), "failure");
  }
  assert.deepEqual(
    pipeline.messages.filter(({ message }) => message === "error"),
    [],
  );
});

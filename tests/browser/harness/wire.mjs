/** A viewer without a browser: says on the signalling wire whatever a test wants it to say. */
import { createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { crc32 } from "node:zlib";
import WebSocket from "ws";
import { within } from "./process.mjs";

const TIMEOUT_MS = 20_000;

/** A peer on the signalling wire. */
export class WireViewer {
  /** @type {object[]} What the server said. */
  messages = [];
  #socket;
  #watchers = new Set();

  /** Connects, and waits for the welcome. */
  static async connect(url) {
    const viewer = new WireViewer(url);
    await once(viewer.#socket, "open");
    viewer.send({ type: "setProtocolVersion", version: "v1_1" });
    viewer.id = (await viewer.message(({ type }) => type === "welcome")).peerId;
    return viewer;
  }

  constructor(url) {
    this.#socket = new WebSocket(url);
    this.#socket.on("error", () => {});
    this.#socket.on("message", (data) => {
      const message = JSON.parse(data.toString());
      this.messages.push(message);
      for (const watcher of [...this.#watchers]) watcher(message);
    });
  }

  send(message) {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The first message, past ones included, that `wanted` is true of. */
  async message(wanted, { timeoutMs = TIMEOUT_MS, what = "a message" } = {}) {
    const past = this.messages.find(wanted);
    if (past) return past;
    let watcher;
    const found = new Promise((resolve) => {
      watcher = (message) => wanted(message) && resolve(message);
      this.#watchers.add(watcher);
    });
    try {
      return await within(timeoutMs, found, () => `the server did not send ${what}`);
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** The id of the first producer, waited for. */
  async producer({ timeoutMs = TIMEOUT_MS } = {}) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const seen = this.messages.length;
      this.send({ type: "list" });
      const isNew = (message) => message.type === "list" && this.messages.indexOf(message) >= seen;
      const { producers } = await this.message(isNew, { what: "a list" });
      if (producers.length > 0) return producers[0].id;
      if (Date.now() > deadline) throw new Error(`no producer within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Starts a session. @returns its id. */
  async start(producer, offer) {
    const seen = this.messages.length;
    this.send({ type: "startSession", peerId: producer, ...(offer === undefined ? {} : { offer }) });
    const isNew = (message) => message.type === "sessionStarted" && this.messages.indexOf(message) >= seen;
    return (await this.message(isNew, { what: "sessionStarted" })).sessionId;
  }

  /** The offer (or answer) that comes in a session. */
  async description(sessionId, options) {
    const isIt = (message) => message.type === "peer" && message.sessionId === sessionId && message.sdp;
    return (await this.message(isIt, { what: "a description", ...options })).sdp.sdp;
  }

  /** Why a session ended, once it has: what the producer said. */
  async end(sessionId, options) {
    const isIt = (message) =>
      (message.type === "endSessionV1_1" || message.type === "endSession") && message.sessionId === sessionId;
    return (await this.message(isIt, { what: "the end of the session", ...options })).error ?? "";
  }

  hasEnded(sessionId) {
    return this.messages.some(({ type, sessionId: id }) => type.startsWith("endSession") && id === sessionId);
  }

  sendDescription(sessionId, sdp, type = "answer") {
    this.send({ type: "peer", sessionId, sdp: { type, sdp } });
  }

  sendCandidate(sessionId, candidate, sdpMLineIndex = 0) {
    this.send({ type: "peer", sessionId, ice: { candidate, sdpMLineIndex } });
  }

  endSession(sessionId) {
    this.send({ type: "endSession", sessionId });
  }

  /** Goes without a word. */
  drop() {
    this.#socket.terminate();
  }

  async close() {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close();
    await once(this.#socket, "close");
  }
}

/** An m-line of a description, with its attributes. */
function sections(sdp) {
  return sdp
    .split(/\r?\n(?=m=)/)
    .slice(1)
    .map((section) => section.trim().split(/\r?\n/));
}

/** A fingerprint that no certificate has. */
export const FINGERPRINT = `sha-256 ${Array.from({ length: 32 }, () => "AB").join(":")}`;

/**
 * A correct answer to an offer, of a viewer that takes everything and will never be reached.
 *
 * @param options `direction`, `ufrag` and `password`, `candidates`: `a=candidate` values for the first m-line.
 */
export function answerTo(
  offer,
  {
    direction = "recvonly",
    ufrag = randomBytes(3).toString("hex"),
    password = randomBytes(12).toString("hex"),
    candidates = [],
  } = {},
) {
  const media = sections(offer);
  const attribute = (section, name) => section.filter((line) => line.startsWith(`a=${name}`));
  const mids = media.map((section) => attribute(section, "mid:")[0].slice("a=mid:".length));
  const lines = [
    "v=0",
    "o=- 1 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${mids.join(" ")}`,
    ...media.flatMap((section, index) => [
      section[0].replace(/^m=(\w+) \d+/, "m=$1 9"),
      "c=IN IP4 0.0.0.0",
      "a=rtcp:9 IN IP4 0.0.0.0",
      `a=ice-ufrag:${ufrag}`,
      `a=ice-pwd:${password}`,
      `a=fingerprint:${FINGERPRINT}`,
      "a=setup:active",
      ...attribute(section, "mid:"),
      `a=${direction}`,
      "a=rtcp-mux",
      ...attribute(section, "extmap:"),
      ...attribute(section, "rtpmap:"),
      ...attribute(section, "rtcp-fb:"),
      ...attribute(section, "fmtp:"),
      ...(index === 0 ? candidates.map((candidate) => `a=${candidate}`) : []),
    ]),
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/**
 * Answers the checks of an ICE agent (RFC 8445 §7) on a UDP port of this machine, and whatever else comes with silence:
 * a viewer that can be reached and never starts DTLS.
 */
export class IceResponder {
  checks = 0;
  others = 0;
  #socket = createSocket("udp4");
  #password;

  static async start(password) {
    const responder = new IceResponder();
    responder.#password = password;
    responder.#socket.bind(0, ownAddress());
    await once(responder.#socket, "listening");
    responder.#socket.on("message", (packet, from) => responder.#handle(packet, from));
    return responder;
  }

  /** As a candidate of the viewer's. */
  get candidate() {
    const { address, port } = this.#socket.address();
    return `candidate:1 1 UDP 2122260223 ${address} ${port} typ host`;
  }

  close() {
    this.#socket.close();
  }

  #handle(packet, { address, port }) {
    const isRequest = packet.length >= 20 && packet.readUInt16BE(0) === 0x0001;
    if (!isRequest) {
      this.others += 1;
      return;
    }
    this.checks += 1;
    const transaction = packet.subarray(4, 20);
    this.#socket.send(bindingResponse(transaction, address, port, this.#password), port, address);
  }
}

/** An address that ICE agents on this machine send from: they leave out 127.0.0.1. */
function ownAddress() {
  const all = Object.values(networkInterfaces()).flat();
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

/** A binding response with mapped address, integrity and fingerprint (RFC 8489 §14). */
function bindingResponse(transaction, address, port, password) {
  const attribute = (type, value) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value]);
  };
  /** What comes before an attribute counts it in its length already. */
  const message = (attributes, following) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(0x0101, 0);
    head.writeUInt16BE(attributes.length + following, 2);
    return Buffer.concat([head, transaction, attributes]);
  };
  const mapped = Buffer.alloc(8);
  mapped.writeUInt16BE(0x0001, 0);
  mapped.writeUInt16BE(port ^ 0x2112, 2);
  for (const [i, byte] of address.split(".").entries()) mapped[4 + i] = Number(byte) ^ transaction[i];
  let attributes = attribute(0x0020, mapped);
  const integrity = createHmac("sha1", password).update(message(attributes, 24)).digest();
  attributes = Buffer.concat([attributes, attribute(0x0008, integrity)]);
  const fingerprint = Buffer.alloc(4);
  fingerprint.writeUInt32BE((crc32(message(attributes, 8)) ^ 0x5354554e) >>> 0, 0);
  return message(Buffer.concat([attributes, attribute(0x8028, fingerprint)]), 0);
}

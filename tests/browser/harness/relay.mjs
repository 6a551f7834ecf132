/** A relay for UDP on this machine that loses packets: the same ones each time, so that a test can rely on it. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:http";

/**
 * Starts a relay. A page asks it over HTTP (`url`, with `address` and `port`) for a port that leads there.
 *
 * @param loses whether to lose a packet towards the viewer: gets its payload type and its number among RTP packets.
 */
export async function startRelay({ loses }) {
  const relay = new Relay(loses);
  await relay.listen();
  return relay;
}

class Relay {
  /** How many RTP packets came from the producer, and how many of them were lost. */
  packets = 0;
  lost = 0;
  #loses;
  #sockets = [];
  #ways = new Map();
  #http = createServer((request, response) => void this.#answer(request, response));

  constructor(loses) {
    this.#loses = loses;
  }

  async listen() {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    this.url = `http://127.0.0.1:${this.#http.address().port}/`;
  }

  async stop() {
    for (const socket of this.#sockets) socket.close();
    this.#http.close();
    this.#http.closeAllConnections();
    await once(this.#http, "close");
  }

  async #answer(request, response) {
    const query = new URL(request.url, this.url).searchParams;
    const port = await this.#wayTo(query.get("address"), Number(query.get("port")));
    response.writeHead(200, { "Access-Control-Allow-Origin": "*" }).end(String(port));
  }

  #wayTo(address, port) {
    const key = `${address} ${port}`;
    if (!this.#ways.has(key)) this.#ways.set(key, this.#open(address, port));
    return this.#ways.get(key);
  }

  async #open(address, port) {
    const [front, back] = [await this.#socket(), await this.#socket("0.0.0.0")];
    let viewer;
    front.on("message", (data, from) => {
      viewer = from;
      back.send(data, port, address);
    });
    back.on("message", (data) => {
      if (viewer && !this.#isLost(data)) front.send(data, viewer.port, viewer.address);
    });
    return front.address().port;
  }

  /** RTP by its first byte (RFC 7983), RTCP by its second (RFC 5761). */
  #isLost(data) {
    const [first, second] = data;
    const isRtp = first >= 128 && first <= 191 && !(second >= 192 && second <= 223);
    if (!isRtp) return false;
    this.packets += 1;
    const isLost = this.#loses(second & 0x7f, this.packets);
    if (isLost) this.lost += 1;
    return isLost;
  }

  async #socket(address = "127.0.0.1") {
    const socket = createSocket("udp4");
    socket.on("error", () => {});
    socket.bind(0, address);
    await once(socket, "listening");
    this.#sockets.push(socket);
    return socket;
  }
}

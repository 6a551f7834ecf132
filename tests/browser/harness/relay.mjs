/** A relay for UDP on this machine that loses packets: the same ones each time, so that a test can rely on it. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A relay between producers and one viewer. */
export class Relay {
  /** How many RTP packets came from producers, and how many of them were lost. */
  packets = 0;
  lost = 0;
  #loses;
  #sockets = [];
  #ways = new Map();

  /** @param loses whether to lose an RTP packet towards the viewer: gets its payload type and its number. */
  constructor(loses) {
    this.#loses = loses;
  }

  /** The port on 127.0.0.1 that leads to an address. */
  wayTo(address, port) {
    const key = `${address} ${port}`;
    if (!this.#ways.has(key)) this.#ways.set(key, this.#open(address, port));
    return this.#ways.get(key);
  }

  stop() {
    for (const socket of this.#sockets) socket.close();
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

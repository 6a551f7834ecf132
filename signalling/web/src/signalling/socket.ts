import { WeirError } from "../errors";

/** What a socket tells. After `closed` or `refused` it tells nothing more. */
export interface SocketEvents {
  opened(): void;
  text(text: string): void;
  /** The other side closed it, or it never opened. */
  closed(): void;
  /** The browser will never open a socket to this address. */
  refused(error: WeirError): void;
}

/** A WebSocket, as the shell of `connection.ts`. */
export class Socket {
  #socket: WebSocket | undefined;
  readonly #listening = new AbortController();

  constructor(address: string, events: SocketEvents) {
    if (!isWebSocketAddress(address)) {
      events.refused(WeirError.badAddress(address));
      return;
    }
    let socket: WebSocket;
    try {
      socket = new WebSocket(address);
    } catch (cause) {
      const insecure = cause instanceof DOMException && cause.name === "SecurityError";
      events.refused(insecure ? WeirError.insecureServer(address) : WeirError.badAddress(address));
      return;
    }
    this.#socket = socket;
    const { signal } = this.#listening;
    socket.addEventListener(
      "open",
      () => {
        events.opened();
      },
      { signal },
    );
    socket.addEventListener(
      "message",
      ({ data }: MessageEvent<unknown>) => {
        if (typeof data === "string") events.text(data);
      },
      { signal },
    );
    socket.addEventListener(
      "close",
      () => {
        events.closed();
      },
      { signal },
    );
  }

  send(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  close(): void {
    this.#listening.abort();
    this.#socket?.close();
  }
}

/** Browsers take more: relative addresses and `http:` ones, which would hide a slip of the keyboard. */
function isWebSocketAddress(address: string): boolean {
  try {
    return /^wss?:$/.test(new URL(address).protocol);
  } catch {
    return false;
  }
}

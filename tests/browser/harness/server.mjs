/** The signalling server. */
import { PAGES_DIR, serverPath } from "./paths.mjs";
import { startProcess } from "./process.mjs";

/**
 * Starts a signalling server that serves the pages, and waits until it listens.
 *
 * @returns the process, with `port`, `wsUrl` and `pageUrl`.
 */
export async function startServer({ port = 0, args = [] } = {}) {
  const server = await startProcess(serverPath(), ["--port", String(port), "--pages", PAGES_DIR, ...args], {
    ready: /listening on (wss?):\/\/([^/\s]+):(\d+)\/?/,
  });
  const [, scheme, host, actual] = server.ready;
  server.port = Number(actual);
  server.wsUrl = `${scheme}://${host}:${actual}/`;
  server.pageUrl = `${scheme === "wss" ? "https" : "http"}://${host}:${actual}/`;
  return server;
}

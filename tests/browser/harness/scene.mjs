/** What most tests of the sink share: a server, a browser, a pipeline with a sink, and tabs that watch it. */
import { after, afterEach, before } from "node:test";
import { launchBrowser, openPage, pageAddress } from "./browser.mjs";
import { runPipeline } from "./runner.mjs";
import { startServer } from "./server.mjs";
import { firstFrame } from "./video.mjs";

/**
 * Sets the scene for the tests of a file: a server and a browser for all of them; after each test its pages are
 * closed and its pipeline is stopped.
 */
export function sinkScene(options = {}) {
  const scene = new Scene();
  before(async () => {
    [scene.server, scene.browser] = await Promise.all([startServer(options.server), launchBrowser()]);
  });
  afterEach(() => scene.clear());
  after(async () => {
    await scene.browser?.close();
    await scene.server?.stop();
  });
  return scene;
}

class Scene {
  server;
  browser;
  pipeline;
  #pages = [];

  /** Runs a pipeline with a sink named `sink`, registered at the server. @param branches what leads to `sink.` */
  async sink(branches, properties = "", options = {}) {
    this.pipeline = await runPipeline(
      `webrtcsink name=sink signaller::uri=${this.server.wsUrl} ${properties} ${branches}`,
      options,
    );
    return this.pipeline;
  }

  /** Opens a tab that watches everything. @param options those of `openPage`. */
  async open(options) {
    const page = await openPage(this.browser, pageAddress(this.server.pageUrl, { autoplay: "all" }), options);
    this.#pages.push(page);
    return page;
  }

  /** Opens a tab and waits for its first frame. */
  async watch(options) {
    const page = await this.open(options);
    await firstFrame(page);
    return page;
  }

  /** Closes tabs: these, or all. */
  async leave(...pages) {
    const leaving = pages.length > 0 ? pages : [...this.#pages];
    this.#pages = this.#pages.filter((page) => !leaving.includes(page));
    await Promise.all(leaving.map((page) => page.context().close()));
  }

  async clear() {
    await this.leave();
    await this.pipeline?.stop();
    this.pipeline = undefined;
  }
}

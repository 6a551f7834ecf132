/** GStreamer pipelines. */
import { pluginDir } from "./paths.mjs";
import { startProcess } from "./process.mjs";

/** What gst-launch-1.0 prints when the pipeline, not only one of its elements, plays. */
const PLAYS = /from element "pipeline\d+" \(state-changed\).*new-state=\(GstState\)playing/;

/**
 * Starts a pipeline with gst-launch-1.0 and our plugin, and waits until it plays.
 *
 * `stop("SIGINT")` ends it with an EOS; `stop()` and `stop("SIGKILL")` make it vanish.
 *
 * @param {string[]} description one word each, as the shell would pass them: `["videotestsrc", "!", "webrtcsink"]`.
 *   A string is split at white space.
 * @param options `env`, and `ready`: the pattern to wait for in place of the pipeline's state.
 */
export async function startPipeline(description, { env = {}, ready = PLAYS, timeoutMs } = {}) {
  const words = typeof description === "string" ? description.trim().split(/\s+/) : description;
  return startProcess("gst-launch-1.0", ["-e", "-m", ...words], {
    env: { GST_PLUGIN_PATH: pluginDir(), GST_DEBUG_NO_COLOR: "1", ...env },
    ready,
    timeoutMs,
  });
}

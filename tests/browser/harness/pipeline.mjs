/** GStreamer pipelines. */
import { pluginDir } from "./paths.mjs";
import { startProcess } from "./process.mjs";

/**
 * Starts a pipeline with gst-launch-1.0 and our plugin, and waits until it plays.
 *
 * @param {string[]} description one word each, as the shell would pass them: `["videotestsrc", "!", "webrtcsink"]`.
 *   A string is split at white space.
 * @param options `env`, and `ready`: the pattern to wait for in place of the pipeline's state.
 */
export async function startPipeline(description, { env = {}, ready = /PLAYING/, timeoutMs } = {}) {
  const words = typeof description === "string" ? description.trim().split(/\s+/) : description;
  return startProcess("gst-launch-1.0", ["-e", "-m", ...words], {
    env: { GST_PLUGIN_PATH: pluginDir(), GST_DEBUG_NO_COLOR: "1", ...env },
    ready,
    timeoutMs,
  });
}

/** README's recipes: each is run as it stands there, and somebody watches what it sends or sends what it watches. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  awaitPort,
  firstFrame,
  launchBrowser,
  openPage,
  pluginDir,
  ROOT,
  serverPath,
  startProcess,
} from "./harness/index.mjs";

const CAMERA = fileURLToPath(new URL("harness/camera.py", import.meta.url));
const recipes = shellBlocks(await readFile(join(ROOT, "README.md"), "utf8"), "## Recipes");

let folder;
let camera;
let browser;
/** What runs through the recipes that follow: the signalling server, and a producer at it. */
const standing = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-recipes-"));
  const input = "-f lavfi -i testsrc=size=640x360:rate=30 -f lavfi -i sine -t 30";
  const output = "-c:v libx264 -profile:v baseline -pix_fmt yuv420p -g 60 -c:a aac video.mp4";
  const ffmpeg = await startProcess("ffmpeg", `-v error -y ${input} ${output}`.split(" "), { cwd: folder });
  assert.equal((await ffmpeg.exited).code, 0, ffmpeg.tail());
  [camera, browser] = await Promise.all([
    startProcess("/usr/bin/python3", [CAMERA, "8554", "/camera"], { ready: /ready/ }),
    launchBrowser(),
  ]);
});

after(async () => {
  for (const started of standing.reverse()) await started.stop("SIGKILL");
  await camera?.stop("SIGKILL");
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

test("there are a dozen recipes at least", () => assert.ok(recipes.length >= 12, `${recipes.length}`));

for (const recipe of recipes) {
  test(recipe.replaceAll(/\s+/g, " ").slice(0, 100), { timeout: 90_000 }, () => run(recipe));
}

async function run(recipe) {
  if (recipe.startsWith("weir-server")) {
    standing.push(await launch(recipe, { ready: /listening on/ }));
  } else if (recipe.includes("run-web-server=true")) {
    const sink = await launch(recipe);
    try {
      await awaitPort(8080);
      const page = await openPage(browser, "http://127.0.0.1:8080/?autoplay=all");
      await firstFrame(page, "video", 60_000);
      await page.context().close();
    } finally {
      await sink.stop("SIGKILL");
    }
  } else if (recipe.includes("filesink")) {
    const recorder = await launch(recipe, { verbose: true, ready: /filesink.*sink: caps = / });
    const file = join(folder, "recording.mkv");
    while ((await stat(file)).size < 50_000) await new Promise((resolve) => setTimeout(resolve, 100));
    // Interrupted, gst-launch -e ends the file properly.
    await recorder.stop("SIGINT");
    const probe = await startProcess("ffprobe", ["-v", "error", "-show_entries", "stream=codec_name", file]);
    await probe.exited;
    assert.match(probe.tail(), /codec_name=vp8/);
  } else if (recipe.includes("fakevideosink")) {
    const player = await launch(recipe, { verbose: true, ready: /fakevideosink.*caps = video\/x-raw/i });
    await player.stop("SIGKILL");
  } else {
    standing.push(await launch(recipe, { ready: /PLAYING/ }));
  }
}

/** Runs a recipe as a shell would, where the files that it names are. */
function launch(recipe, { verbose = false, ready } = {}) {
  const command = verbose ? recipe.replace("gst-launch-1.0", "gst-launch-1.0 -v") : recipe;
  return startProcess("/bin/bash", ["-c", `exec ${command}`], {
    cwd: folder,
    ready,
    timeoutMs: 60_000,
    env: {
      PATH: `${dirname(serverPath())}:${process.env.PATH}`,
      GST_PLUGIN_PATH: pluginDir(),
      GST_DEBUG_NO_COLOR: "1",
    },
  });
}

/** The shell commands of a section of a page, one each. */
function shellBlocks(markdown, heading) {
  const section = markdown.slice(markdown.indexOf(heading)).split(/\n## /)[0].slice(heading.length);
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) =>
    block.replaceAll("\\\n", " ").trim(),
  );
}

/** Where things are: environment variables first, then where a build puts them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Where screenshots and other evidence is kept. `WEIR_ARTIFACTS_DIR` */
export const ARTIFACTS_DIR = process.env.WEIR_ARTIFACTS_DIR ?? join(ROOT, "tests", "artifacts");

/** The pages as built by `npm run build:pages`. `WEIR_PAGES_DIR` */
export const PAGES_DIR = process.env.WEIR_PAGES_DIR ?? join(ROOT, "signalling", "web", "dist", "pages");

/** The directory that holds `libgstweir.so`. `WEIR_PLUGIN_DIR` */
export function pluginDir() {
  return process.env.WEIR_PLUGIN_DIR ?? directoryWith("libgstweir.so");
}

/** The signalling server's executable. `WEIR_SERVER` */
export function serverPath() {
  return process.env.WEIR_SERVER ?? join(directoryWith("weir-server"), "weir-server");
}

/** The browser's executable. `WEIR_CHROMIUM` */
export const CHROMIUM = process.env.WEIR_CHROMIUM ?? "/usr/bin/chromium";

/** Firefox, where it is installed. `WEIR_FIREFOX` */
export const FIREFOX = process.env.WEIR_FIREFOX ?? "/usr/bin/firefox-esr";

function directoryWith(file) {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const directories = ["release", "debug"].map((profile) => join(target, profile));
  const found = directories.find((directory) => existsSync(join(directory, file)));
  if (!found) throw new Error(`${file} is neither in ${directories.join(" nor in ")}: build it first`);
  return found;
}

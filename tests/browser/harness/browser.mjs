/** Browsers and pages. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { ARTIFACTS_DIR, CHROMIUM } from "./paths.mjs";

const CHROMIUM_ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

/** Starts Chromium with a fresh profile, a fake camera and a fake microphone. */
export async function launchBrowser({ args = [] } = {}) {
  return chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_ARGS, ...args] });
}

/**
 * Opens a page in a tab. What it logs and what fails in it is kept in `page.log`, so that a test can show it, and a
 * page error fails whatever waits with `expectNoErrors(page)`.
 */
export async function openPage(browser, url) {
  // A context of its own is a window of its own: a tab behind another one shows no frames.
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
  const page = await context.newPage();
  page.log = [];
  page.on("console", (message) => page.log.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => page.log.push(`uncaught: ${error.stack ?? error.message}`));
  await page.goto(String(url));
  return page;
}

/** Fails if a script on the page threw something that nobody caught. */
export function expectNoErrors(page) {
  const errors = page.log.filter((line) => line.startsWith("uncaught:"));
  if (errors.length > 0) throw new Error(`The page has errors:\n${errors.join("\n")}`);
}

/** The page's address with parameters: `pageAddress(server.pageUrl, { signalling: url, autoplay: "all" })`. */
export function pageAddress(pageUrl, parameters = {}) {
  const url = new URL(pageUrl);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** An element of the page by its `data-testid`, and, where given, by its `data-…` attributes. */
export function element(page, testId, data = {}) {
  const attributes = Object.entries(data).map(([name, value]) => `[data-${name}="${value}"]`);
  return page.locator(`[data-testid="${testId}"]${attributes.join("")}`);
}

/** Keeps a picture of the page as evidence. @returns where it is. */
export async function screenshot(page, name) {
  await mkdir(ARTIFACTS_DIR, { recursive: true });
  const path = join(ARTIFACTS_DIR, `${name}.png`);
  await page.screenshot({ path });
  return path;
}

/**
 * Starts a Chromium that can be stopped in its tracks, as one whose machine has lost the network.
 *
 * @returns the browser, with `signal(name)`, which sends a signal to all of its processes.
 */
export async function launchVictim() {
  const server = await chromium.launchServer({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
  const browser = await chromium.connect(server.wsEndpoint());
  const { pid } = server.process();
  browser.signal = async (name) => {
    for (const one of [pid, ...(await descendants(pid))]) process.kill(one, name);
  };
  browser.end = () => server.kill();
  return browser;
}

async function descendants(pid) {
  const tasks = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, "utf8")),
  );
  const children = lists.flatMap((list) => list.split(" ").filter(Boolean).map(Number));
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}

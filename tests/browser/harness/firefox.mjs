/** Firefox, driven by Puppeteer over WebDriver BiDi: Playwright drives only a build of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { FIREFOX } from "./paths.mjs";

const PREFERENCES = {
  "media.navigator.permission.disabled": true,
  "media.navigator.streams.fake": true,
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "media.autoplay.block-webaudio": false,
  "media.peerconnection.ice.loopback": true,
  "app.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

/** Starts Firefox with a fresh profile, a fake camera and a fake microphone. */
export async function launchFirefox() {
  const home = await mkdtemp(join(tmpdir(), "weir-firefox-"));
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox: PREFERENCES,
    env: { ...process.env, HOME: home },
  });
  const close = browser.close.bind(browser);
  browser.close = async () => {
    await close();
    await rm(home, { recursive: true, force: true });
  };
  return browser;
}

/** Opens a page of Puppeteer's in a tab, with what it logs in `page.log`, as `openPage` does for Chromium. */
export async function openFirefoxPage(browser, url) {
  const page = await browser.newPage();
  page.log = [];
  page.on("console", (message) => page.log.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => page.log.push(`uncaught: ${error.stack ?? error.message}`));
  await page.goto(String(url));
  await page.waitForFunction(() => window.weir !== undefined);
  return page;
}

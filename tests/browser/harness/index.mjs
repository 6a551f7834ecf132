/** Everything that a browser test needs. */
export * from "./browser.mjs";
export * from "./firefox.mjs";
export * from "./paths.mjs";
export * from "./pipeline.mjs";
export * from "./process.mjs";
export * from "./relay.mjs";
export * from "./runner.mjs";
export * from "./scene.mjs";
export * from "./script-viewer.mjs";
export * from "./server.mjs";
export * from "./video.mjs";
export * from "./viewers.mjs";
export * from "./wire.mjs";

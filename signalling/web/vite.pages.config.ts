import { defineConfig } from "vite";

/** The pages that the signalling server serves: everything they need, nothing from elsewhere. */
export default defineConfig({
  root: "pages",
  base: "./",
  publicDir: "public",
  build: {
    outDir: "../dist/pages",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { host: "127.0.0.1" },
});

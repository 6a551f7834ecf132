import { defineConfig } from "vite";

/** The library, as one ES module without dependencies. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "dist/lib",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: true,
    minify: false,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "weir-client" },
  },
});

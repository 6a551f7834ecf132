import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import globals from "globals";
import tseslint from "typescript-eslint";

/** The pure machines: time and chance are arguments, and the browser is out of reach. */
const PURE = [
  "src/engine.ts",
  "src/errors.ts",
  "src/signalling/{backoff,connection,directory,wire}.ts",
  "src/sessions/**/*.ts",
  "src/media/{sdp,stats}.ts",
];

const impure = (name, message) => ({ name, message });

export default defineConfig(
  { ignores: ["dist/", "node_modules/", "src/protocol/"] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/explicit-module-boundary-types": "error",
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    files: PURE,
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        impure("window", "A pure machine knows no browser."),
        impure("document", "A pure machine knows no browser."),
        impure("performance", "Time is an argument."),
        impure("setTimeout", "A machine says when it wants to be woken."),
        impure("setInterval", "A machine says when it wants to be woken."),
        impure("fetch", "A pure machine does no I/O."),
        impure("WebSocket", "A pure machine does no I/O."),
        impure("RTCPeerConnection", "A pure machine does no I/O."),
      ],
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "Time is an argument." },
        { object: "Math", property: "random", message: "Chance is an argument." },
      ],
    },
  },
  {
    files: ["**/*.js"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "@typescript-eslint/explicit-module-boundary-types": "off" },
    languageOptions: { globals: globals.node },
  },
);

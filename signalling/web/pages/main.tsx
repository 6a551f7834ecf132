import { render } from "preact";
import { App } from "./app";
import { fetchServedConfig, pageConfig } from "./config";
import { PageModel } from "./model";
import "./style.css";

declare global {
  interface Window {
    /**
     * A handle for tests and for the console: what the page shows and can do. `weir.client` is the client that
     * watches, `weir.watch(id)` does what a click on “Watch” does, `weir.watchings` and `weir.publications` are what
     * runs. See `README.md` beside the sources.
     */
    weir?: PageModel;
  }
}

const model = new PageModel(pageConfig(new URL(location.href), await fetchServedConfig()));
window.weir = model;
window.addEventListener("pagehide", (event) => {
  if (!event.persisted) model.close();
});
const root = document.getElementById("app");
if (root) render(<App model={model} />, root);

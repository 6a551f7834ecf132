/** Which producers are watched without a click. */
export type Autoplay = "none" | "first" | "all";

/** What the page was asked for, by its address and by the server that it came from. */
export interface PageConfig {
  readonly signallingUrl: string;
  /** The producer to watch at once. */
  readonly producer?: string;
  readonly autoplay: Autoplay;
  /** Whether numbers and graphs are shown. */
  readonly stats: boolean;
}

/**
 * The page's configuration.
 *
 * @param address the page's address: `?signalling=` goes first, then the server's word, then the page's own origin;
 *   `?producer=`, `?autoplay=first|all` and `?stats=0` say what is shown.
 * @param served what `config.json` beside the page holds, if there is one: `{"signallingUrl": "wss://…"}`.
 */
export function pageConfig(address: URL, served: unknown): PageConfig {
  const parameters = address.searchParams;
  const producer = parameters.get("producer");
  const autoplay = parameters.get("autoplay");
  return {
    signallingUrl: parameters.get("signalling") ?? servedUrl(served) ?? ownUrl(address),
    ...(producer !== null && producer !== "" && { producer }),
    autoplay: autoplay === "first" || autoplay === "all" ? autoplay : "none",
    stats: parameters.get("stats") !== "0",
  };
}

/** What the server that the page came from says; undefined if it says nothing. */
export async function fetchServedConfig(): Promise<unknown> {
  try {
    const response = await fetch("config.json", { cache: "no-store" });
    return response.ok ? ((await response.json()) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

function servedUrl(served: unknown): string | undefined {
  if (typeof served !== "object" || served === null || !("signallingUrl" in served)) return undefined;
  const { signallingUrl } = served;
  return typeof signallingUrl === "string" && signallingUrl !== "" ? signallingUrl : undefined;
}

function ownUrl(address: URL): string {
  return `${address.protocol === "https:" ? "wss" : "ws"}://${address.host}/`;
}

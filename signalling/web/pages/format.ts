import type { StreamStats } from "../src";

/** What stands where a browser does not tell. */
const UNKNOWN = "–";

export function formatBitrate(bitsPerSecond: number | undefined): string {
  if (bitsPerSecond === undefined) return UNKNOWN;
  if (bitsPerSecond >= 1_000_000) return `${(bitsPerSecond / 1_000_000).toFixed(2)} Mbit/s`;
  return `${Math.round(bitsPerSecond / 1000)} kbit/s`;
}

export function formatMillis(millis: number | undefined): string {
  if (millis === undefined) return UNKNOWN;
  return `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`;
}

export function formatRate(framesPerSecond: number | undefined): string {
  return framesPerSecond === undefined ? UNKNOWN : `${framesPerSecond.toFixed(1)} fps`;
}

export function formatSize({ width, height }: Pick<StreamStats, "width" | "height">): string {
  return width === undefined || height === undefined ? UNKNOWN : `${width}×${height}`;
}

export function formatLoss({
  lossRatio,
  packetsLost,
}: Pick<StreamStats, "lossRatio" | "packetsLost">): string {
  if (packetsLost === undefined) return UNKNOWN;
  const share = lossRatio === undefined ? "" : ` (${(lossRatio * 100).toFixed(1)} %)`;
  return `${packetsLost}${share}`;
}

export function formatCount(count: number | undefined): string {
  return count === undefined ? UNKNOWN : String(count);
}

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { PeerStats } from "../src";
import { mainStream } from "./hooks";

/** How much of the past is shown, in seconds. */
const WINDOW_S = 60;
const HEIGHT = 90;
/** The same as in the style sheet; both can be read on a light and on a dark page. */
const BITRATE_COLOUR = "#1a8fb5";
const RATE_COLOUR = "#c9741a";
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- uPlot declares the enum and does not export it.
const RIGHT: uPlot.Axis.Side = 1;

/** The bit rate and the frame rate of the main stream over the last minute. */
export function Graph({ stats }: { readonly stats: PeerStats | undefined }): JSX.Element {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const history = useRef<[number[], (number | null)[], (number | null)[]]>([[], [], []]);

  useEffect(() => {
    const element = container.current;
    if (!element) return undefined;
    const made = new uPlot(options(element.clientWidth), history.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, []);

  useEffect(() => {
    const stream = mainStream(stats);
    if (!stats || !stream) return;
    const [times, bitrates, rates] = history.current;
    times.push(stats.at / 1000);
    bitrates.push(stream.bitrate === undefined ? null : stream.bitrate / 1000);
    rates.push(stream.framesPerSecond ?? null);
    while ((times[0] ?? Infinity) < stats.at / 1000 - WINDOW_S)
      for (const row of history.current) row.shift();
    plot.current?.setData(history.current);
  }, [stats]);

  return (
    <figure>
      <figcaption class="quiet">
        The last minute: <span class="kbps">kbit/s</span>, <span class="fps">frames/s</span>
      </figcaption>
      <div
        class="graph"
        ref={container}
        role="img"
        aria-label="Bit rate and frame rate over the last minute"
        data-testid="graph"
      />
    </figure>
  );
}

function options(width: number): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: "#888",
    grid: { stroke: "#8883", width: 1 },
    ticks: { show: false },
    size: 34,
  };
  return {
    width,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    padding: [6, 0, 8, 0],
    scales: {
      x: { time: false, range: (_plot, _min, max) => [max - WINDOW_S, max] },
      kbps: { range: (_plot, _min, max) => [0, Math.max(100, max * 1.15)] },
      fps: { range: (_plot, _min, max) => [0, Math.max(30, max * 1.15)] },
    },
    axes: [
      { show: false },
      { ...axis, scale: "kbps", stroke: BITRATE_COLOUR, space: 24 },
      { ...axis, scale: "fps", side: RIGHT, stroke: RATE_COLOUR, grid: { show: false }, space: 24 },
    ],
    series: [
      {},
      { label: "kbit/s", scale: "kbps", stroke: BITRATE_COLOUR, width: 1.5, spanGaps: true },
      { label: "fps", scale: "fps", stroke: RATE_COLOUR, width: 1.5, spanGaps: true },
    ],
  };
}

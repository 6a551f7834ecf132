import { useCallback, useEffect, useState } from "preact/hooks";
import type { PeerStats } from "../src";
import type { PageModel } from "./model";

/** Renders the component again whenever the model changes. */
export function useModel(model: PageModel): void {
  const again = useRerender();
  useEffect(() => {
    // What changed between rendering and listening is caught up with.
    again();
    return model.on("changed", again);
  }, [model]);
}

/** How often numbers are taken, in milliseconds. */
export const STATS_INTERVAL_MS = 1000;

/** The latest numbers of something, taken once a second while `enabled`. */
export function useStats<Stats>(measure: () => Promise<Stats>, enabled: boolean): Stats | undefined {
  const [stats, setStats] = useState<Stats>();
  useEffect(() => {
    if (!enabled) return undefined;
    let current = true;
    const timer = setInterval(() => {
      void measure().then((latest) => {
        if (current) setStats(() => latest);
      });
    }, STATS_INTERVAL_MS);
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, [enabled]);
  return stats;
}

/** The seconds until `at`, on `performance.now()`'s clock, counted down; undefined if there is nothing to await. */
export function useCountdown(at: number | undefined): number | undefined {
  const again = useRerender();
  useEffect(() => {
    if (at === undefined) return undefined;
    const timer = setInterval(() => {
      again();
    }, 500);
    return () => {
      clearInterval(timer);
    };
  }, [at]);
  return at === undefined ? undefined : Math.max(0, Math.ceil((at - performance.now()) / 1000));
}

/** The numbers worth a graph: those of the first video, or else of the first sound. */
export function mainStream(stats: PeerStats | undefined): PeerStats["streams"][number] | undefined {
  return stats?.streams[0];
}

function useRerender(): () => void {
  const [, setCount] = useState(0);
  return useCallback(() => {
    setCount((count) => count + 1);
  }, []);
}

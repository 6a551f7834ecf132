import type { JSX } from "preact";
import type { PeerStats, StreamStats } from "../src";
import { formatBitrate, formatCount, formatLoss, formatMillis, formatRate, formatSize } from "./format";

/** One column of numbers for each stream of a peer connection. */
export function Numbers({ stats }: { readonly stats: PeerStats | undefined }): JSX.Element {
  const streams = stats?.streams ?? [];
  if (streams.length === 0) return <p class="numbers quiet">No numbers yet.</p>;
  return (
    <div class="numbers">
      {streams.map((stream) => (
        <dl key={stream.id} data-testid="stats" data-kind={stream.kind} data-codec={stream.codec ?? ""}>
          {rows(stream).map(([id, label, value]) => (
            <div key={id}>
              <dt>{label}</dt>
              <dd data-testid={`stat-${id}`}>{value}</dd>
            </div>
          ))}
        </dl>
      ))}
      {stats?.path && (
        <p class="quiet" data-testid="path">
          {[stats.path.local, stats.path.remote].filter((kind) => kind !== undefined).join(" ↔ ")}
          {stats.path.protocol !== undefined && ` over ${stats.path.protocol.toUpperCase()}`}
        </p>
      )}
    </div>
  );
}

type Row = readonly [id: string, label: string, value: string];

function rows(stream: StreamStats): readonly Row[] {
  const common: Row[] = [
    ["codec", stream.kind === "video" ? "Video" : "Audio", stream.codec ?? "–"],
    ["bitrate", "Bit rate", formatBitrate(stream.bitrate)],
  ];
  const picture: Row[] = [
    ["size", "Size", formatSize(stream)],
    ["fps", "Frame rate", formatRate(stream.framesPerSecond)],
    ["freezes", "Freezes", formatCount(stream.freezes)],
  ];
  const network: Row[] = [
    ["round-trip", "Round trip", formatMillis(stream.roundTripMs)],
    ["jitter-buffer", "Jitter buffer", formatMillis(stream.jitterBufferMs)],
    ["loss", "Lost packets", formatLoss(stream)],
  ];
  return [...common, ...(stream.kind === "video" ? picture : []), ...network];
}

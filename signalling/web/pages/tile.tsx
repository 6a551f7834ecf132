import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { play, type Playback, type Watching, type WatchState } from "../src";
import { formatMillis } from "./format";
import { Graph } from "./graph";
import { useStats } from "./hooks";
import { producerName } from "./names";
import { Numbers } from "./numbers";

/** One watched producer: its picture, its numbers, its buttons. */
export function Tile({
  watching,
  showStats,
}: {
  readonly watching: Watching;
  readonly showStats: boolean;
}): JSX.Element {
  const { state, stream } = watching;
  const name = producerName(state.producer);
  const picture = useRef<HTMLDivElement>(null);
  const [muted, setMuted] = useState(true);
  const [playback, setPlayback] = useState<Playback>("muted");
  const [tracks, setTracks] = useState(watching.tracks);
  const [firstFrame, setFirstFrame] = useState(watching.firstFrameMillis);
  const stats = useStats(() => watching.stats(), showStats);
  useEffect(() => watching.on("tracks", setTracks), [watching]);
  useEffect(() => watching.on("firstframe", setFirstFrame), [watching]);
  const videos = tracks.filter((track) => track.kind === "video");
  const hasSound = tracks.some((track) => track.kind === "audio");

  return (
    <article
      class="tile"
      aria-label={name}
      data-testid="tile"
      data-producer={state.producer.id}
      data-phase={state.phase}
      data-first-frame-millis={firstFrame}
    >
      <div class="picture" ref={picture}>
        <Video stream={stream} muted={muted} onPlayback={setPlayback} label={name} testId="video" />
        {videos.slice(1).map((track, index) => (
          <ExtraVideo key={track.id} track={track} label={`${name}, picture ${index + 2}`} />
        ))}
        <Overlay state={state} />
        {playback === "blocked" && (
          <button
            type="button"
            class="big"
            data-testid="play"
            onClick={() => {
              const video = picture.current?.querySelector("video");
              if (video) void play(video, stream).then(setPlayback);
            }}
          >
            Play
          </button>
        )}
      </div>
      <header>
        <h3 title={name}>{name}</h3>
        {hasSound && (
          <button
            type="button"
            aria-pressed={!muted}
            data-testid="sound"
            onClick={() => {
              setMuted(!muted);
            }}
          >
            {muted ? "Unmute" : "Mute"}
          </button>
        )}
        <button
          type="button"
          aria-label={`Show ${name} on the full screen`}
          onClick={() => {
            void picture.current?.requestFullscreen();
          }}
        >
          Full screen
        </button>
        <button
          type="button"
          aria-label={`Stop watching ${name}`}
          data-testid="stop"
          onClick={() => {
            watching.close();
          }}
        >
          Stop
        </button>
      </header>
      {showStats && (
        <div class="details">
          <Graph stats={stats} />
          <Numbers stats={stats} />
          {firstFrame !== undefined && (
            <p class="quiet" data-testid="first-frame">
              First frame after {formatMillis(firstFrame)}
            </p>
          )}
        </div>
      )}
    </article>
  );
}

interface VideoProps {
  readonly stream: MediaStream;
  readonly muted: boolean;
  readonly label: string;
  readonly testId: string;
  readonly onPlayback?: (playback: Playback) => void;
}

/** A video element that plays a stream whenever there is something in it to play. */
export function Video({ stream, muted, label, testId, onPlayback }: VideoProps): JSX.Element {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (!video) return undefined;
    video.muted = muted;
    const start = (): void => {
      void play(video, stream).then(onPlayback);
    };
    start();
    stream.addEventListener("addtrack", start);
    return () => {
      stream.removeEventListener("addtrack", start);
    };
  }, [stream, muted]);
  return <video ref={element} aria-label={label} data-testid={testId} muted autoplay playsInline />;
}

/** A further video track of the same producer: a media element plays only one. */
function ExtraVideo({
  track,
  label,
}: {
  readonly track: MediaStreamTrack;
  readonly label: string;
}): JSX.Element {
  const [stream] = useState(() => new MediaStream([track]));
  return <Video stream={stream} muted label={label} testId="extra-video" />;
}

/** What is going on, wherever that is not simply the picture. */
function Overlay({ state }: { readonly state: WatchState }): JSX.Element | null {
  const text = describe(state);
  return (
    <p class={text === "" ? "overlay empty" : "overlay"} role="status" data-testid="tile-status">
      {text}
    </p>
  );
}

function describe({ phase, error }: WatchState): string {
  switch (phase) {
    case "playing":
    case "closed":
      return "";
    case "starting":
      return "Starting …";
    case "resuming":
      return `Reconnecting … ${error?.message ?? ""}`;
    case "waiting":
      return error?.message ?? "Waiting for the signalling server …";
  }
}

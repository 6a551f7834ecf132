import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { formatBitrate, formatRate, formatSize } from "./format";
import { useStats } from "./hooks";
import type { PageModel, PagePublication, Source } from "./model";
import { Video } from "./tile";

/** Buttons to publish camera or screen, and what is published. */
export function Publish({ model }: { readonly model: PageModel }): JSX.Element {
  const [name, setName] = useState("");
  const [asking, setAsking] = useState(false);
  const publish = (source: Source): void => {
    setAsking(true);
    const fallback = source === "camera" ? "Camera" : "Screen";
    void model.publish(source, name.trim() === "" ? fallback : name.trim()).finally(() => {
      setAsking(false);
    });
  };
  return (
    <section aria-labelledby="publish-heading" class="panel">
      <h2 id="publish-heading">Publish</h2>
      <label>
        Name
        <input
          value={name}
          maxLength={60}
          placeholder="Camera"
          data-testid="publish-name"
          onInput={(event) => {
            setName(event.currentTarget.value);
          }}
        />
      </label>
      <div class="row">
        <button
          type="button"
          disabled={asking}
          data-testid="publish-camera"
          onClick={() => {
            publish("camera");
          }}
        >
          Camera
        </button>
        <button
          type="button"
          disabled={asking}
          data-testid="publish-screen"
          onClick={() => {
            publish("screen");
          }}
        >
          Screen
        </button>
      </div>
      {model.publications.map((publication) => (
        <Published key={publication.key} publication={publication} />
      ))}
    </section>
  );
}

function Published({ publication }: { readonly publication: PagePublication }): JSX.Element {
  const { publishing, client, source } = publication;
  const { phase, consumers } = publishing.state;
  const stats = useStats(() => publishing.stats(), true);
  const video = stats?.flatMap(({ streams }) => streams).find(({ kind }) => kind === "video");
  const label = source === "camera" ? "Your camera" : "Your screen";
  return (
    <article
      class="published"
      aria-label={label}
      data-testid="publication"
      data-phase={phase}
      data-producer={client.state.peerId ?? ""}
    >
      <Video stream={publishing.stream} muted label={`${label}, preview`} testId="preview" />
      <p>
        {label}: {phase === "live" ? "live" : "connecting …"},{" "}
        <span data-testid="viewers">{consumers === 1 ? "1 viewer" : `${consumers} viewers`}</span>
      </p>
      {video && (
        <p class="quiet">
          {[
            video.codec,
            formatSize(video),
            formatRate(video.framesPerSecond),
            formatBitrate(video.bitrate),
          ].join(", ")}
        </p>
      )}
      <button
        type="button"
        data-testid="unpublish"
        aria-label={`Stop publishing ${label.toLowerCase()}`}
        onClick={() => {
          publishing.close();
        }}
      >
        Stop
      </button>
    </article>
  );
}

import type { JSX } from "preact";
import type { ConnectionState } from "../src";
import { useCountdown, useModel } from "./hooks";
import type { PageModel } from "./model";
import { producerName } from "./names";
import { Publish } from "./publish";
import { Tile } from "./tile";

export function App({ model }: { readonly model: PageModel }): JSX.Element {
  useModel(model);
  const { watchings, config } = model;
  return (
    <>
      <header class="top">
        <h1>Weir</h1>
        <Connection state={model.client.state} url={config.signallingUrl} />
      </header>
      <Notices model={model} />
      <div class="columns">
        <aside>
          <Producers model={model} />
          <Publish model={model} />
        </aside>
        <main aria-label="What you watch">
          {watchings.length === 0 ? (
            <p class="empty-grid">Nothing is being watched. Choose a stream from the list.</p>
          ) : (
            <div class="grid" data-count={Math.min(watchings.length, 4)}>
              {watchings.map(({ key, watching }) => (
                <Tile key={key} watching={watching} showStats={config.stats} />
              ))}
            </div>
          )}
        </main>
      </div>
    </>
  );
}

function Connection({ state, url }: { readonly state: ConnectionState; readonly url: string }): JSX.Element {
  const seconds = useCountdown(state.retryAt);
  const again = seconds === undefined ? "" : ` Trying again in ${seconds} s.`;
  return (
    <div class="connection" data-testid="connection" data-phase={state.phase}>
      <p role="status">
        <span class={`lamp ${state.phase}`} aria-hidden="true" />
        {summary(state)} <span class="quiet">{url}</span>
      </p>
      {state.error && (
        <p role="alert" class="problem" data-testid="connection-error">
          {state.error.message}
          <span aria-live="off">{again}</span>
        </p>
      )}
    </div>
  );
}

function summary({ phase }: ConnectionState): string {
  switch (phase) {
    case "idle":
    case "dialling":
    case "joining":
      return "Connecting …";
    case "ready":
      return "Connected";
    case "waiting":
      return "Not connected";
    case "closed":
      return "Closed";
  }
}

function Notices({ model }: { readonly model: PageModel }): JSX.Element {
  return (
    <div class="notices" role="alert">
      {model.notices.map(({ key, text }) => (
        <p key={key} class="problem" data-testid="notice">
          {text}
          <button
            type="button"
            aria-label="Dismiss"
            onClick={() => {
              model.dismiss(key);
            }}
          >
            ×
          </button>
        </p>
      ))}
    </div>
  );
}

function Producers({ model }: { readonly model: PageModel }): JSX.Element {
  const { producers } = model.client;
  return (
    <section aria-labelledby="producers-heading" class="panel">
      <h2 id="producers-heading">Streams</h2>
      {producers.length === 0 && <p class="quiet">Nobody is producing anything yet.</p>}
      <ul>
        {producers.map((producer) => (
          <li key={producer.id} data-testid="producer" data-producer={producer.id}>
            <span title={producer.id}>
              {producerName(producer)}
              {model.isOwn(producer.id) && " (yours)"}
            </span>
            <button
              type="button"
              disabled={model.isWatched(producer.id)}
              aria-label={`Watch ${producerName(producer)}`}
              data-testid="watch"
              onClick={() => {
                model.watch(producer.id);
              }}
            >
              {model.isWatched(producer.id) ? "Watching" : "Watch"}
            </button>
          </li>
        ))}
      </ul>
      {producers.length > 1 && (
        <button
          type="button"
          data-testid="watch-all"
          onClick={() => {
            model.watchAll();
          }}
        >
          Watch all
        </button>
      )}
    </section>
  );
}

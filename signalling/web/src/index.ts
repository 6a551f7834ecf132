/**
 * Watch and publish WebRTC streams through a signalling server.
 *
 * ```ts
 * const client = new WeirClient({ url: "wss://example.org:8443/" });
 * client.on("producers", ([first]) => {
 *   if (!first) return;
 *   const watching = client.watch(first.id);
 *   void play(video, watching.stream);
 * });
 * ```
 *
 * @packageDocumentation
 */
export { WeirClient, type ClientEvents, type ClientOptions, type PublishOptions } from "./client";
export { Reason, WeirError } from "./errors";
export { TypedEventTarget } from "./events";
export { captureCamera, captureScreen } from "./media/capture";
export { play, type Playback } from "./media/playback";
export {
  computeStats,
  type PathStats,
  type PeerStats,
  type StatsRecord,
  type StatsSnapshot,
  type StreamStats,
} from "./media/stats";
export { Publishing, type PublishingEvents } from "./publishing";
export type { PublicationPhase, PublicationState } from "./sessions/publication";
export type { WatchPhase, WatchState } from "./sessions/watch";
export { DEFAULT_BACKOFF, type BackoffOptions } from "./signalling/backoff";
export type { ConnectionPhase, ConnectionState } from "./signalling/connection";
export type { Producer } from "./signalling/directory";
export { Watching, type WatchingEvents } from "./watching";

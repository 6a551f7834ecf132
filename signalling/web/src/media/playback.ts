/** What came of starting to play. */
export type Playback =
  /** It plays as was wished. */
  | "playing"
  /** It plays without sound, which browsers demand until the user did something on the page. */
  | "muted"
  /** It does not play: browsers may demand a click even for silent video. */
  | "blocked";

/**
 * Plays a stream in a video element, under the browser's autoplay policy: with sound unless the element is muted, else
 * without, else not at all. The page should then show a button that unmutes, or calls this again.
 */
export async function play(video: HTMLVideoElement, stream: MediaStream): Promise<Playback> {
  if (video.srcObject !== stream) video.srcObject = stream;
  video.playsInline = true;
  if (await starts(video)) return video.muted ? "muted" : "playing";
  video.muted = true;
  return (await starts(video)) ? "muted" : "blocked";
}

/** Anything but the policy's refusal, like being interrupted by a new stream, is not the user's business. */
async function starts(video: HTMLVideoElement): Promise<boolean> {
  try {
    await video.play();
  } catch (cause) {
    return !(cause instanceof DOMException && cause.name === "NotAllowedError");
  }
  return true;
}

/** How often the decoder is asked where the screen does not tell, in milliseconds. */
const POLL_MS = 250;

/**
 * Calls `listener` once, when the first frame of a received video track is presented.
 *
 * Where nothing is presented, because the page is hidden or the browser has no `requestVideoFrameCallback`, the
 * first decoded frame counts.
 *
 * @returns a function that stops waiting.
 */
export function onFirstFrame(
  connection: RTCPeerConnection,
  track: MediaStreamTrack,
  listener: (now: number) => void,
): () => void {
  // An element of our own: the page's may show another session's picture until this one's is there.
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  const hasFrameCallback = "requestVideoFrameCallback" in video;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    clearInterval(poll);
    video.srcObject = null;
  };
  const report = (): void => {
    if (stopped) return;
    stop();
    listener(performance.now());
  };
  const poll = setInterval(() => {
    if (hasFrameCallback && !document.hidden) return;
    void framesDecoded(connection, track).then((frames) => {
      if (frames > 0) report();
    });
  }, POLL_MS);
  // Before anything is decoded, Chromium presents a black picture of two by two pixels.
  const presented = (_now: number, { width }: VideoFrameCallbackMetadata): void => {
    if (width > 2) report();
    else if (!stopped) video.requestVideoFrameCallback(presented);
  };
  if (hasFrameCallback) video.requestVideoFrameCallback(presented);
  video.play().catch(() => undefined);
  return stop;
}

async function framesDecoded(connection: RTCPeerConnection, track: MediaStreamTrack): Promise<number> {
  let frames = 0;
  try {
    const report = await connection.getStats(track);
    report.forEach((entry: { type: string; framesDecoded?: number }) => {
      if (entry.type === "inbound-rtp") frames += entry.framesDecoded ?? 0;
    });
  } catch {
    // The connection was closed, or the track is no longer its own: no frame will come.
  }
  return frames;
}

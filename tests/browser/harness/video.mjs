/**
 * What a video element shows, and what a stream sounds like.
 *
 * A `target` is a `data-testid`, or a CSS selector if it has a character that no test id has. The first match counts
 * unless a locator of Playwright's is given.
 */

/** How long to wait for frames and sound, in milliseconds. A test that gets there has failed. */
const TIMEOUT_MS = 30_000;

/**
 * Waits for `count` presented frames.
 *
 * @returns of each frame `now` (ms), `mediaTime` (s), `presented` (the count since the element began), `width`, `height`.
 */
export async function awaitFrames(page, count, target = "video", timeoutMs = TIMEOUT_MS) {
  return evaluateOn(
    page,
    target,

    (video, { count, timeoutMs }) =>
      new Promise((resolve, reject) => {
        const frames = [];
        const late = setTimeout(() => {
          const { readyState, paused, currentTime, videoWidth, videoHeight } = video;
          const state = JSON.stringify({ readyState, paused, currentTime, videoWidth, videoHeight });
          reject(
            new Error(`${frames.length} of ${count} frames within ${timeoutMs} ms; the element: ${state}`),
          );
        }, timeoutMs);
        const next = (now, { mediaTime, presentedFrames, width, height }) => {
          // Before anything is decoded, Chromium presents a black picture of two by two pixels.
          if (width > 2) frames.push({ now, mediaTime, presented: presentedFrames, width, height });
          if (frames.length < count) video.requestVideoFrameCallback(next);
          else {
            clearTimeout(late);
            resolve(frames);
          }
        };
        video.requestVideoFrameCallback(next);
      }),
    { count, timeoutMs },
  );
}

/** Waits for the next presented frame. */
export async function firstFrame(page, target = "video", timeoutMs = TIMEOUT_MS) {
  const [frame] = await awaitFrames(page, 1, target, timeoutMs);
  return frame;
}

/** Frames per second, measured over so many presented frames. Frames that the screen skipped are counted too. */
export async function frameRate(page, frames = 60, target = "video", timeoutMs = TIMEOUT_MS) {
  const seen = await awaitFrames(page, frames + 1, target, timeoutMs);
  const [first, last] = [seen[0], seen.at(-1)];
  return ((last.presented - first.presented) * 1000) / (last.now - first.now);
}

/** The size of the picture, in pixels. */
export async function videoSize(page, target = "video") {
  return evaluateOn(page, target, (video) => ({ width: video.videoWidth, height: video.videoHeight }));
}

/**
 * The pixels of the present frame, scaled down to `width`×`height`, as an array of [r, g, b].
 */
export async function readPixels(page, { width = 16, height = 9, target = "video" } = {}) {
  return evaluateOn(
    page,
    target,

    (video, { width, height }) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(video, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, height);
      return Array.from({ length: width * height }, (_, i) => [
        data[4 * i],
        data[4 * i + 1],
        data[4 * i + 2],
      ]);
    },
    { width, height },
  );
}

/** The mean colour of a region of the present frame. @param region fractions of the picture, 0 to 1. */
export async function averageColour(page, region = { x: 0, y: 0, width: 1, height: 1 }, target = "video") {
  return evaluateOn(
    page,
    target,
    (video, { x, y, width, height }) => {
      const { videoWidth, videoHeight } = video;
      const [w, h] = [
        Math.max(1, Math.round(width * videoWidth)),
        Math.max(1, Math.round(height * videoHeight)),
      ];
      const canvas = new OffscreenCanvas(w, h);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(video, x * videoWidth, y * videoHeight, w, h, 0, 0, w, h);
      const { data } = context.getImageData(0, 0, w, h);
      const sum = [0, 0, 0];
      for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c += 1) sum[c] += data[i + c];
      const [r, g, b] = sum.map((value) => value / (w * h));
      return { r, g, b };
    },
    region,
  );
}

/** Waits until the picture is of a colour: `isIt({r, g, b})`. */
export async function awaitColour(page, isIt, { target = "video", timeoutMs = TIMEOUT_MS } = {}) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    await firstFrame(page, target, timeoutMs);
    const colour = await averageColour(page, undefined, target);
    if (isIt(colour)) return colour;
    if (Date.now() > deadline)
      throw new Error(`The picture is still ${JSON.stringify(colour)} after ${timeoutMs} ms`);
  }
}

/** Colours for {@link awaitColour}, as codecs leave them. */
export const isRed = ({ r, g, b }) => r > 180 && g < 70 && b < 70;
export const isGreen = ({ r, g, b }) => r < 70 && g > 180 && b < 70;
export const isBlue = ({ r, g, b }) => r < 70 && g < 70 && b > 180;

/** Waits until the picture has a size. */
export async function awaitSize(page, width, height, { target = "video", timeoutMs = TIMEOUT_MS } = {}) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const frame = await firstFrame(page, target, timeoutMs);
    if (frame.width === width && frame.height === height) return;
    if (Date.now() > deadline)
      throw new Error(`The picture is still ${frame.width}x${frame.height} after ${timeoutMs} ms`);
  }
}

/** The mean absolute difference of two results of {@link readPixels}, from 0 to 255. */
export function pixelDifference(a, b) {
  const differences = a.flatMap((pixel, i) => pixel.map((value, c) => Math.abs(value - b[i][c])));
  return differences.reduce((sum, value) => sum + value, 0) / differences.length;
}

/** Waits until the picture differs from `before` by more than `threshold`. @returns the pixels then. */
export async function awaitChange(page, before, { threshold = 1, target = "video", frames = 300 } = {}) {
  for (let i = 0; i < frames; i += 1) {
    await firstFrame(page, target);
    const pixels = await readPixels(page, { target });
    if (pixelDifference(before, pixels) > threshold) return pixels;
  }
  throw new Error(`The picture did not change in ${frames} frames`);
}

/**
 * Records when frames are presented until {@link gaps} is asked. The element may be given other streams meanwhile.
 */
export async function watchGaps(page, target = "video") {
  await evaluateOn(page, target, (video) => {
    const record = { times: [performance.now()] };
    video.weirGaps = record;
    const next = (now) => {
      record.times.push(now);
      if (video.weirGaps === record) video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  });
}

/** Ends what {@link watchGaps} began. @returns `{frames, longestMs}`: the longest time without a new frame. */
export async function gaps(page, target = "video") {
  return evaluateOn(page, target, (video) => {
    const { times } = video.weirGaps;
    delete video.weirGaps;
    times.push(performance.now());
    const steps = times.slice(1).map((time, i) => time - times[i]);
    return { frames: times.length - 2, longestMs: Math.max(...steps) };
  });
}

/**
 * Listens to what an element's stream carries, whether or not the element is muted, until it is louder than `above`.
 *
 * @param above a root mean square from 0 to 1; negative to take whatever comes first.
 * @returns `rms`, and `frequency`: the loudest one, in Hz.
 */
export async function audioLevel(page, { target = "video", above = 0.01, timeoutMs = TIMEOUT_MS } = {}) {
  return evaluateOn(
    page,
    target,

    async (video, { above, timeoutMs }) => {
      const context = new AudioContext();
      const stream = new MediaStream(video.srcObject.getAudioTracks());
      const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
      context.createMediaStreamSource(stream).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      const spectrum = new Float32Array(analyser.frequencyBinCount);
      const deadline = performance.now() + timeoutMs;
      let rms = 0;
      try {
        // Where it needs a gesture it stays silent, which the deadline finds out.
        void context.resume();
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          analyser.getFloatTimeDomainData(samples);
          rms = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
          if (rms > above) break;
          if (performance.now() > deadline) throw new Error(`No louder than ${rms} within ${timeoutMs} ms`);
        }
        analyser.getFloatFrequencyData(spectrum);
        const loudest = spectrum.indexOf(spectrum.reduce((a, b) => Math.max(a, b), -Infinity));
        return { rms, frequency: (loudest * context.sampleRate) / analyser.fftSize };
      } finally {
        await context.close();
      }
    },
    { above, timeoutMs },
  );
}

/** The raw statistics of what the page watches: an array of `RTCStats`, of the watching with this index. */
export async function getStats(page, index = 0) {
  return page.evaluate(async (index) => {
    const report = await window.weir.watchings[index].watching.peerConnection.getStats();
    return [...report.values()];
  }, index);
}

/** Calls a function with the element, in the page. Works with the pages of Playwright and of Puppeteer. */
async function evaluateOn(page, target, callback, argument) {
  if (typeof target !== "string") return target.evaluate(callback, argument);
  const selector = /^[\w-]+$/.test(target) ? `[data-testid="${target}"]` : target;
  await page.waitForSelector(selector, { state: "attached", timeout: TIMEOUT_MS });
  return page.$eval(selector, callback, argument);
}

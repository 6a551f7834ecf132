/**
 * The answer to `offer`, asking for stereo sound wherever the offer announces it.
 *
 * A receiver of Opus says with `stereo=1` that it prefers two channels (RFC 7587, section 6.1), and Chromium mixes
 * down to one where its own answer does not say so, although the sender announced two with `sprop-stereo=1`.
 */
export function withStereo(answer: string, offer: string): string {
  const offered = sections(offer);
  return sections(answer)
    .map((section, index) => {
      const counterpart = offered[index];
      return counterpart && announcesStereo(counterpart) ? askForStereo(section) : section;
    })
    .join("");
}

/** The session part and then each media section, with the line ends left as they are. */
function sections(sdp: string): string[] {
  return sdp.split(/(?=^m=)/m);
}

function announcesStereo(section: string): boolean {
  const payload = opusPayload(section);
  if (payload === undefined) return false;
  return parameters(section, payload).some((parameter) => /^\s*sprop-stereo=1\s*$/.test(parameter));
}

function askForStereo(section: string): string {
  const payload = opusPayload(section);
  if (payload === undefined) return section;
  const present = parameters(section, payload);
  if (present.some((parameter) => /^\s*stereo=/.test(parameter))) return section;
  return present.length > 0
    ? section.replace(new RegExp(`^(a=fmtp:${payload} [^\\r\\n]*)`, "m"), "$1;stereo=1")
    : section.replace(
        new RegExp(`^(a=rtpmap:${payload} [^\\r\\n]*)(\\r?\\n|$)`, "m"),
        `$1\r\na=fmtp:${payload} stereo=1$2`,
      );
}

function opusPayload(section: string): string | undefined {
  return section.startsWith("m=audio") ? /^a=rtpmap:(\d+) opus\/48000\/2/im.exec(section)?.[1] : undefined;
}

function parameters(section: string, payload: string): string[] {
  return new RegExp(`^a=fmtp:${payload} ([^\\r\\n]*)`, "m").exec(section)?.[1]?.split(";") ?? [];
}

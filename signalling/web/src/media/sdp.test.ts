import { expect, test } from "vitest";
import { withStereo } from "./sdp";

const session = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\n";
const video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n";
const audio = (payload: number, ...fmtp: string[]): string =>
  `m=audio 9 UDP/TLS/RTP/SAVPF ${payload}\r\na=mid:1\r\na=rtpmap:${payload} opus/48000/2\r\n` +
  fmtp.map((parameters) => `a=fmtp:${payload} ${parameters}\r\n`).join("");

test("stereo that is announced is asked for", () => {
  const offer = session + video + audio(97, "sprop-stereo=1;sprop-maxcapturerate=48000");
  const answer = session + video + audio(97, "minptime=10;useinbandfec=1");
  expect(withStereo(answer, offer)).toBe(session + video + audio(97, "minptime=10;useinbandfec=1;stereo=1"));
});

test("it is asked for where the answer has no parameters at all", () => {
  const offer = session + audio(97, "sprop-stereo=1");
  expect(withStereo(session + audio(97), offer)).toBe(session + audio(97, "stereo=1"));
});

test.each([
  ["mono", session + audio(97, "minptime=10"), session + audio(97, "minptime=10")],
  ["no sound", session + video, session + video],
  ["an answer that says so itself", session + audio(97, "sprop-stereo=1"), session + audio(97, "stereo=0")],
  ["an offer that is no description", "nonsense", session + audio(97)],
  ["fewer m-lines than the offer's", session + video + audio(97, "sprop-stereo=1"), session + video],
])("nothing changes with %s", (_what, offer, answer) => {
  expect(withStereo(answer, offer)).toBe(answer);
});

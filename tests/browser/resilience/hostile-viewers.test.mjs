/** Viewers that send nonsense: each ends its own session, and nobody else notices. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  answerTo,
  expectNoErrors,
  FINGERPRINT,
  firstFrame,
  gaps,
  installScriptViewer,
  launchBrowser,
  openPage,
  pageAddress,
  runPipeline,
  startServer,
  watchGaps,
  WireViewer,
} from "../harness/index.mjs";

/** A picture that stands this long has stopped; what a loaded machine does is shorter. */
const LONGEST_GAP_MS = 1500;
const CANDIDATE = "candidate:1 1 UDP 2122260223 192.0.2.1 50000 typ host";

let server;
let browser;
let pipeline;
let page;
let producer;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
  pipeline = await runPipeline(
    `webrtcsink name=sink signaller::uri=${server.wsUrl}
     videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=30/1 ! sink.
     audiotestsrc is-live=true ! sink.`,
  );
  page = await openPage(browser, pageAddress(server.pageUrl, { autoplay: "all" }));
  await firstFrame(page);
  const viewer = await WireViewer.connect(server.wsUrl);
  producer = await viewer.producer();
  await viewer.close();
});

after(async () => {
  await browser?.close();
  await pipeline?.stop();
  await server?.stop();
});

/** Runs `attack` while somebody watches, and asserts that nothing of it is seen. */
async function unnoticed(attack) {
  const viewer = await WireViewer.connect(server.wsUrl);
  await watchGaps(page);
  try {
    await attack(viewer);
  } finally {
    await viewer.close();
  }
  await firstFrame(page);
  const { longestMs } = await gaps(page);
  await pipeline.until("sessions", (sessions) => sessions.length === 1);
  assert.ok(longestMs < LONGEST_GAP_MS, `somebody else's picture stood for ${longestMs} ms`);
  assert.deepEqual(
    pipeline.messages.filter(({ message }) => message === "error"),
    [],
  );
  expectNoErrors(page);
}

/** The reason that the application was told for the end of a session. */
async function reasonOf(session) {
  return (await pipeline.viewer("left", { session })).fields.reason;
}

const OFFERS = {
  nothing: "",
  "white space": " \r\n ",
  words: "hello",
  "a version and no more": "v=0\r\n",
  "a session without media": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
  "an m-line without a transport":
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n",
  "media that nobody has":
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=image 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n" +
    `a=ice-ufrag:abcd\r\na=ice-pwd:${"p".repeat(24)}\r\na=fingerprint:${FINGERPRINT}\r\na=setup:actpass\r\n`,
  "codecs that nobody has":
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=recvonly\r\n" +
    `a=rtpmap:96 THEORA/90000\r\na=ice-ufrag:abcd\r\na=ice-pwd:${"p".repeat(24)}\r\na=fingerprint:${FINGERPRINT}\r\n` +
    "a=setup:actpass\r\n",
  "ten thousand lines": `v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n${"m=video 9 RTP/AVP 96\r\n".repeat(8000)}`,
};

test("an offer that is none ends its own session with a reason", { timeout: 120_000 }, () =>
  unnoticed(async (viewer) => {
    for (const [what, offer] of Object.entries(OFFERS)) {
      const session = await viewer.start(producer, offer);
      const reason = await viewer.end(session, { what: `an end for ${what}` });
      assert.match(reason, /^(bad-description|bad-offer|no-common-codec): \w/, what);
    }
  }),
);

/** Replaces something that has to be there. */
const replace = (pattern, replacement) => (sdp) => {
  assert.match(sdp, pattern);
  return sdp.replace(pattern, replacement);
};
const without = (pattern) => replace(new RegExp(`${pattern}\r\n`, "g"), "");
const added =
  (...lines) =>
  (sdp) =>
    `${sdp}${lines.join("\r\n")}\r\n`;
const sectionsOf = (sdp) => sdp.split(/(?=^m=)/m);

/** What cannot be an answer: it ends the session. */
const BROKEN = {
  nothing: () => "",
  "white space": () => "\r\n\r\n",
  words: () => "I would rather not",
  JSON: () => '{"type":"answer"}',
  "bytes that are no text": () => "\u0001\u0002\uFFFD\u0007",
  "a version and no more": () => "v=0\r\n",
  "a version that does not exist": replace(/^v=0/, "v=1"),
  "half a line": (sdp) => sdp.slice(0, 60),
  "half of it": (sdp) => sdp.slice(0, sdp.indexOf("a=ice-pwd")),
  "no media": (sdp) => sectionsOf(sdp)[0],
  "one m-line too few": (sdp) => sectionsOf(sdp).slice(0, 2).join(""),
  "one m-line too many": (sdp) => sdp + sectionsOf(sdp)[1].replace(/a=mid:.*/, "a=mid:other"),
  "a hundred m-lines": (sdp) => sectionsOf(sdp)[0] + sectionsOf(sdp)[1].repeat(100),
  "m-lines in another order": (sdp) => [0, 2, 1].map((i) => sectionsOf(sdp)[i]).join(""),
  "audio for video": replace(/^m=video/m, "m=audio"),
  "a data channel for video": replace(
    /^m=video \d+ \S+ .*/m,
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  ),
  "mids that were not offered": replace(/a=mid:/g, "a=mid:x"),
  "the same mid twice": replace(/a=mid:.*/g, "a=mid:same"),
  "a mid of a thousand letters": replace(/a=mid:.*/, `a=mid:${"m".repeat(1000)}`),
  "no mids": without("a=mid:.*"),
  "no ufrag": without("a=ice-ufrag:.*"),
  "an empty ufrag": replace(/a=ice-ufrag:.*/g, "a=ice-ufrag:"),
  "no password": without("a=ice-pwd:.*"),
  "no fingerprint": without("a=fingerprint:.*"),
  "an empty fingerprint": replace(/a=fingerprint:.*/g, "a=fingerprint:"),
  "no setup": without("a=setup:.*"),
  "a setup that does not exist": replace(/a=setup:.*/g, "a=setup:sometime"),
  "our own setup": replace(/a=setup:.*/g, "a=setup:actpass"),
  "credentials that differ within the bundle": replace(/a=ice-ufrag:.*/, "a=ice-ufrag:other"),
  "everything refused": replace(/^m=(\w+) 9/gm, "m=$1 0"),
  "codecs that were not offered": replace(/^a=rtpmap:(\d+) (VP8|VP9|H264|opus|rtx)/gim, "a=rtpmap:$1 X-$2"),
  "no codecs": without("a=(rtpmap|fmtp|rtcp-fb):.*"),
  "clock rates that do not exist": replace(/^(a=rtpmap:\d+ \w+)\/\d+/gm, "$1/1"),
};

/** Strange, but an answer: it ends the session or does not, and must do no harm. */
const STRANGE = {
  "payload types that do not exist": replace(/^(m=video 9 \S+) .*/m, "$1 300 -1 x 128"),
  "ports beyond the last": replace(/^m=video 9/m, "m=video 99999"),
  "a fingerprint that is none": replace(/a=fingerprint:.*/g, "a=fingerprint:sha-256 no"),
  "a fingerprint of an unknown kind": replace(/a=fingerprint:sha-256/g, "a=fingerprint:sha-1000000"),
  "a password of one letter": replace(/a=ice-pwd:.*/g, "a=ice-pwd:p"),
  "a password of ten thousand letters": replace(/a=ice-pwd:.*/g, `a=ice-pwd:${"p".repeat(10_000)}`),
  "format parameters of a hundred kilobytes": added(`a=fmtp:96 x=${"y".repeat(100_000)}`),
  "a thousand retransmission formats of each other": added(
    ...Array.from({ length: 1000 }, (_, i) => `a=fmtp:${96 + (i % 32)} apt=${96 + ((i + 1) % 32)}`),
  ),
  "header extensions beyond the last": added(
    "a=extmap:0 urn:x",
    "a=extmap:99999 urn:y",
    "a=extmap:x",
    "a=extmap:",
  ),
  "the same header extension a thousand times": added(
    ...Array.from({ length: 1000 }, (_, i) => `a=extmap:${i % 16} urn:ietf:params:rtp-hdrext:sdes:mid`),
  ),
  "feedback that does not exist": added("a=rtcp-fb:* everything", "a=rtcp-fb:", "a=rtcp-fb:x y z"),
  "sources that are no numbers": added(
    "a=ssrc:x cname:y",
    "a=ssrc:",
    "a=ssrc:99999999999 msid",
    "a=ssrc-group:FID 1 x",
  ),
  "simulcast that nobody offered": added("a=rid:1 recv", "a=rid:", "a=simulcast:recv 1;2", "a=simulcast:"),
  "an empty bundle": replace(/a=group:BUNDLE .*/, "a=group:BUNDLE "),
  "a bundle of strangers": replace(/a=group:BUNDLE .*/, "a=group:BUNDLE a b c"),
  "no bundle": without("a=group:.*"),
  "no direction": without("a=recvonly"),
  "every direction": replace(/a=recvonly/g, "a=recvonly\r\na=sendonly\r\na=inactive"),
  "it sends as well": replace(/a=recvonly/g, "a=sendrecv"),
  "no c-line": without("c=.*"),
  "a c-line of nonsense": replace(/c=.*/g, "c=IN IP6 example.org/x/y"),
  "no rtcp-mux": without("a=rtcp-mux"),
  "two hundred kilobytes of nothing": (sdp) => sdp + "a=x-padding:0123456789\r\n".repeat(7_500),
  "line breaks of another system": replace(/\r\n/g, "\n"),
};

for (const [kind, answers] of Object.entries({ BROKEN, STRANGE })) {
  const count = Object.keys(answers).length;
  test(
    kind === "BROKEN"
      ? `each of ${count} broken answers ends its own session with a reason`
      : `none of ${count} strange answers harms anybody`,
    { timeout: 300_000 },
    () =>
      unnoticed(async (viewer) => {
        for (const [what, change] of Object.entries(answers)) {
          const session = await viewer.start(producer);
          const offer = await viewer.description(session, { what: `an offer before ${what}` });
          viewer.sendDescription(session, change(answerTo(offer)));
          if (kind === "BROKEN") {
            const reason = await viewer.end(session, { what: `an end for ${what}` });
            assert.match(reason, /^(bad-description|bad-answer|no-common-codec): \w/, what);
            assert.match(await reasonOf(session), /^(bad-answer|no-common-codec)$/, what);
          } else {
            // The sink has read the answer by the time that it makes the next offer.
            const next = await viewer.start(producer);
            await viewer.description(next);
            viewer.endSession(next);
            viewer.endSession(session);
            const reason = await reasonOf(session);
            assert.match(reason, /^(viewer-left|bad-answer|no-common-codec)$/, what);
          }
        }
      }),
  );
}

test(
  "an offer in place of an answer, a second answer and an answer that comes early",
  { timeout: 60_000 },
  () =>
    unnoticed(async (viewer) => {
      const early = await viewer.start(producer);
      viewer.sendDescription(early, answerTo("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:video0\r\n"));
      const offer = await viewer.description(early);
      viewer.sendDescription(early, answerTo(offer));
      viewer.sendDescription(early, answerTo(offer));
      viewer.sendDescription(early, "nonsense, after all was said");
      assert.match(await viewer.end(early), /^bad-(description|answer): /);

      // The server lets nobody but the producer offer within a session.
      const turned = await viewer.start(producer);
      viewer.sendDescription(turned, await viewer.description(turned), "offer");
      viewer.endSession(turned);
      assert.equal(await reasonOf(turned), "viewer-left");
    }),
);

test("an answer to somebody else's session is ignored", { timeout: 60_000 }, () =>
  unnoticed(async (viewer) => {
    const other = await WireViewer.connect(server.wsUrl);
    const session = await viewer.start(producer);
    const offer = await viewer.description(session);
    other.sendDescription(session, "nonsense");
    other.sendCandidate(session, "nonsense");
    other.endSession(session);
    viewer.sendDescription(session, answerTo(offer));
    await other.close();
    assert.ok(!viewer.hasEnded(session));
    viewer.endSession(session);
    assert.equal(await reasonOf(session), "viewer-left");
  }),
);

const GARBAGE = [
  "",
  "x",
  "candidate:",
  "candidate:1 1 UDP 1 192.0.2.1 0 typ host",
  "candidate:1 1 UDP 1 0.0.0.0 50000 typ host",
  "candidate:1 1 UDP 1 224.0.0.1 50000 typ host",
  "candidate:1 1 UDP 1 example.org 50000 typ host",
  "candidate:1 1 SCTP 1 192.0.2.1 50000 typ host",
  "candidate:1 1 UDP 99999999999 192.0.2.1 50000 typ host",
  "candidate:1 1 UDP 1 192.0.2.1 50000 typ ghost",
  `candidate:${"9".repeat(900)} 1 UDP 1 192.0.2.1 50000 typ host`,
  `candidate:1 1 UDP 1 192.0.2.1 50000 typ host ${"x".repeat(4000)}`,
  "candidate:1 1 UDP 1 192.0.2.1 50000 typ host\r\na=setup:passive",
  "candidate:1 1 UDP 1 192.0.2.1 50000 typ host\u0000",
];

test("candidates that are none are ignored until there are too many", { timeout: 60_000 }, () =>
  unnoticed(async (viewer) => {
    const session = await viewer.start(producer);
    const offer = await viewer.description(session);
    viewer.sendDescription(session, answerTo(offer));
    for (const mline of [0, 1, 7, 4_294_967_295]) {
      for (const candidate of GARBAGE) viewer.sendCandidate(session, candidate, mline);
      viewer.sendCandidate(session, CANDIDATE, mline);
    }
    const next = await viewer.start(producer);
    await viewer.description(next);
    assert.ok(!viewer.hasEnded(session), "56 of them are no reason to end the session");

    for (let i = 0; i < 200; i += 1) viewer.sendCandidate(session, "candidate:nonsense");
    assert.match(await viewer.end(session), /^too-many-bad-candidates: /);
    assert.equal(await reasonOf(session), "too-many-bad-candidates");
    viewer.endSession(next);
  }),
);

test("candidates within the answer count like all others", { timeout: 60_000 }, () =>
  unnoticed(async (viewer) => {
    const session = await viewer.start(producer);
    const offer = await viewer.description(session);
    const candidates = Array.from(
      { length: 201 },
      (_, i) => `candidate:1 1 UDP 1 host${i}.example.org 5000 typ host`,
    );
    viewer.sendDescription(session, answerTo(offer, { candidates }));
    assert.match(await viewer.end(session), /^too-many-bad-candidates: /);
  }),
);

test("a flood of good candidates ends its session", { timeout: 60_000 }, () =>
  unnoticed(async (viewer) => {
    const session = await viewer.start(producer);
    const offer = await viewer.description(session);
    viewer.sendDescription(session, answerTo(offer));
    for (let port = 10_000; port < 11_001; port += 1) {
      viewer.sendCandidate(session, `candidate:1 1 UDP 1 192.0.2.1 ${port} typ host`);
    }
    assert.match(await viewer.end(session), /^too-many-bad-candidates: /);
  }),
);

test("a viewer with another certificate than it announced gets nothing", { timeout: 60_000 }, () =>
  unnoticed(async () => {
    const impostor = await openPage(browser, server.pageUrl);
    await installScriptViewer(impostor, server.wsUrl);
    const session = await impostor.evaluate(
      (fingerprint) => window.viewers.join({ until: "connected", fingerprint }),
      FINGERPRINT,
    );
    assert.equal(await reasonOf(session), "bad-certificate");
    assert.deepEqual(await impostor.evaluate((id) => window.viewers.received(id), session), {
      video: 0,
      audio: 0,
    });
    await impostor.close();
  }),
);

test("a flood of requests for sessions leaves nothing behind", { timeout: 120_000 }, async () => {
  const left = () => pipeline.messages.filter(({ fields }) => fields?.event === "left").length;
  const flood = async (viewer) => {
    const before = left();
    for (let i = 0; i < 250; i += 1) viewer.send({ type: "startSession", peerId: producer });
    const started = ({ type }) => type === "sessionStarted";
    const all = () => viewer.messages.filter(started).length === 250;
    await viewer.message(all, { what: "250 sessions" });
    // Gone without a word: the server ends what it had begun.
    viewer.drop();
    await pipeline.message(() => left() >= before + 250, { timeoutMs: 60_000, what: "250 that left" });
    assert.equal((await pipeline.ask("sessions")).length, 1);
  };
  const [threads, sockets] = [await pipeline.ask("threads"), await pipeline.ask("sockets")];
  const isOver = async () => {
    await pipeline.until("sockets", (now) => now <= sockets, { timeoutMs: 30_000 });
    await pipeline.until("threads", (now) => now <= threads + 2, { timeoutMs: 40_000 });
  };
  // The first makes the allocator's arenas grow, one for each of so many threads; they are kept, and enough.
  await unnoticed(flood);
  await isOver();
  const memory = await pipeline.ask("memory");
  await unnoticed(flood);
  await isOver();
  const grown = (await pipeline.ask("memory")) - memory;
  assert.ok(grown < 16 * 1024, `${grown} KiB were not given back`);
});

test("a process that may open few files refuses viewers rather than dying of them", { timeout: 60_000 }, () =>
  unnoticed(async (viewer) => {
    await pipeline.ask("limit_files 1024");
    for (let i = 0; i < 250; i += 1) viewer.send({ type: "startSession", peerId: producer });
    const isBusy = ({ type, error }) => type === "endSessionV1_1" && error.startsWith("busy: ");
    await viewer.message(isBusy, { what: "a refusal" });
    const warning = await pipeline.message(({ message }) => message === "warning", { what: "warning" });
    assert.match(warning.text, /ulimit -n/);
    for (const { sessionId } of viewer.messages.filter(({ type }) => type === "sessionStarted")) {
      viewer.endSession(sessionId);
    }
    await pipeline.until("sessions", (sessions) => sessions.length === 1);

    const session = await viewer.start(producer);
    await viewer.description(session);
    viewer.endSession(session);
    assert.equal(pipeline.messages.filter(({ message }) => message === "warning").length, 1);
  }),
);

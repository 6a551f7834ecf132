/** Viewers with needs of their own: scripts for `prepare` of a page, which run before the page's. */

/** The viewer accepts only these codecs (`"H264"`, `"VP8"` …), as a device with but one decoder does. */
export function acceptOnly(names) {
  const { setRemoteDescription } = RTCPeerConnection.prototype;
  const accepted = RTCRtpReceiver.getCapabilities("video").codecs.filter(({ mimeType }) =>
    [...names, "rtx"].some((name) => mimeType.toLowerCase() === `video/${name}`.toLowerCase()),
  );
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    await setRemoteDescription.call(this, description);
    for (const transceiver of this.getTransceivers())
      if (transceiver.receiver.track.kind === "video") transceiver.setCodecPreferences(accepted);
  };
}

/**
 * The producer's candidates are replaced by the relay's that `ports` maps their ports to; all media then goes
 * through it. Those of no known port are left out.
 */
export function throughRelay(relayAddress) {
  const { addIceCandidate } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addIceCandidate = async function (candidate) {
    const words = candidate?.candidate?.split(" ") ?? [];
    if (words.length < 8) return addIceCandidate.call(this, candidate);
    const [address, port] = words.slice(4, 6);
    if (words[2].toUpperCase() !== "UDP" || address.includes(":")) return undefined;
    const url = `${relayAddress}?address=${address}&port=${port}`;
    words[4] = "127.0.0.1";
    words[5] = await (await fetch(url)).text();
    return addIceCandidate.call(this, { ...candidateInit(candidate), candidate: words.join(" ") });
  };
  const candidateInit = ({ sdpMid, sdpMLineIndex, usernameFragment }) => ({
    sdpMid,
    sdpMLineIndex,
    usernameFragment,
  });
}

/** Numbers of what a page receives by its peer connection: the statistics of this kind (`"inbound-rtp"` …). */
export async function statsOf(page, type, kind = "video") {
  return page.evaluate(
    async ({ type, kind }) => {
      const report = await window.weir.watchings[0].watching.peerConnection.getStats();
      const all = [...report.values()];
      const found = all.filter((one) => one.type === type && (one.kind ?? kind) === kind);
      return found.map((one) => ({
        ...one,
        codec: all.find((other) => other.id === one.codecId)?.mimeType,
      }));
    },
    { type, kind },
  );
}

/** The description that the page was sent last. */
export async function remoteDescription(page) {
  return page.evaluate(() => window.weir.watchings[0].watching.peerConnection.remoteDescription.sdp);
}

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
 * All media of the producer's comes through a relay: its candidates are replaced by ports of the relay that lead to
 * them, and it is told none of the page's, so that it finds no other way. Needs `relay.wayTo` as `relayWayTo`.
 */
export function throughRelay() {
  Object.defineProperty(RTCPeerConnectionIceEvent.prototype, "candidate", { get: () => null });
  const { addIceCandidate } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addIceCandidate = async function (candidate) {
    const words = candidate?.candidate?.split(" ") ?? [];
    if (words.length < 8) return addIceCandidate.call(this, candidate);
    const [address, port] = words.slice(4, 6);
    if (words[2].toUpperCase() !== "UDP" || address.includes(":")) return undefined;
    words[4] = "127.0.0.1";
    words[5] = await window.relayWayTo(address, Number(port));
    const { sdpMid, sdpMLineIndex } = candidate;
    return addIceCandidate.call(this, { sdpMid, sdpMLineIndex, candidate: words.join(" ") });
  };
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

import type { Ice } from "../protocol/Ice";
import type { Sdp } from "../protocol/Sdp";
import { withStereo } from "./sdp";

/** What a peer connection tells. */
export interface PeerEvents {
  /** The description that was asked for was made and applied. */
  localDescription(description: Sdp): void;
  /** A description could not be made or applied. */
  negotiationFailed(details: string): void;
  localCandidate(ice: Ice): void;
  connectionState(state: RTCPeerConnectionState): void;
  /** The tracks that are received changed. */
  tracks(tracks: readonly MediaStreamTrack[]): void;
}

/** A peer connection, as the shell of `sessions/session.ts`: does what it is told, and tells what happens. */
export class Peer {
  readonly connection: RTCPeerConnection;
  readonly #events: PeerEvents;
  readonly #listening = new AbortController();
  readonly #transports = new Set<RTCDtlsTransport>();
  #tracks: readonly MediaStreamTrack[] = [];

  /** @param published what is sent; nothing if media is received. */
  constructor(configuration: RTCConfiguration, events: PeerEvents, published?: MediaStream) {
    this.#events = events;
    const connection = new RTCPeerConnection(configuration);
    this.connection = connection;
    const { signal } = this.#listening;
    connection.addEventListener(
      "icecandidate",
      ({ candidate }) => {
        this.#tellCandidate(candidate);
      },
      { signal },
    );
    connection.addEventListener(
      "connectionstatechange",
      () => {
        events.connectionState(connection.connectionState);
      },
      { signal },
    );
    connection.addEventListener(
      "track",
      () => {
        this.#updateTracks();
      },
      { signal },
    );
    if (published) this.#send(published);
  }

  /** The tracks that are received, in the order of their m-lines. */
  get tracks(): readonly MediaStreamTrack[] {
    return this.#tracks;
  }

  createOffer(): void {
    this.#negotiate(async () => {
      const { sdp = "" } = await this.connection.createOffer();
      await this.connection.setLocalDescription({ type: "offer", sdp });
      return { type: "offer", sdp };
    });
  }

  acceptOffer(offer: string): void {
    this.#negotiate(async () => {
      await this.connection.setRemoteDescription({ type: "offer", sdp: offer });
      const answer = await this.connection.createAnswer();
      const sdp = withStereo(answer.sdp ?? "", offer);
      await this.connection.setLocalDescription({ type: "answer", sdp });
      return { type: "answer", sdp };
    });
  }

  acceptAnswer(sdp: string): void {
    this.#negotiate(async () => {
      await this.connection.setRemoteDescription({ type: "answer", sdp });
      return undefined;
    });
  }

  addCandidate({ candidate, sdpMLineIndex, sdpMid, usernameFragment }: Ice): void {
    const init: RTCIceCandidateInit = { candidate, sdpMLineIndex };
    if (sdpMid !== undefined) init.sdpMid = sdpMid;
    if (usernameFragment !== undefined) init.usernameFragment = usernameFragment;
    // One unusable candidate, of an unknown transport or another generation, is no reason to give up.
    this.connection.addIceCandidate(init).catch(() => undefined);
  }

  close(): void {
    this.#listening.abort();
    this.connection.close();
  }

  #send(published: MediaStream): void {
    for (const track of published.getTracks()) this.connection.addTrack(track, published);
    for (const transceiver of this.connection.getTransceivers()) transceiver.direction = "sendonly";
  }

  #negotiate(step: () => Promise<Sdp | undefined>): void {
    step().then(
      (description) => {
        if (this.#listening.signal.aborted) return;
        this.#updateTracks();
        this.#watchTransports();
        if (description) this.#events.localDescription(description);
      },
      (cause: unknown) => {
        if (this.#listening.signal.aborted) return;
        this.#events.negotiationFailed(cause instanceof Error ? cause.message : String(cause));
      },
    );
  }

  #tellCandidate(candidate: RTCIceCandidate | null): void {
    // The end of candidates is not told: servers of the wire's version 1.0 have no form for it.
    if (!candidate || candidate.candidate === "") return;
    const ice: Ice = { candidate: candidate.candidate, sdpMLineIndex: candidate.sdpMLineIndex ?? 0 };
    if (candidate.sdpMid !== null) ice.sdpMid = candidate.sdpMid;
    if (candidate.usernameFragment !== null) ice.usernameFragment = candidate.usernameFragment;
    this.#events.localCandidate(ice);
  }

  /** A peer that says goodbye closes its DTLS transport, long before ICE finds out that nobody is there. */
  #watchTransports(): void {
    for (const { transport } of this.connection.getSenders()) {
      if (!transport || this.#transports.has(transport)) continue;
      this.#transports.add(transport);
      const tellIfClosed = (): void => {
        if (transport.state === "closed") this.#events.connectionState("closed");
      };
      transport.addEventListener("statechange", tellIfClosed, { signal: this.#listening.signal });
    }
  }

  #updateTracks(): void {
    const tracks = this.connection
      .getTransceivers()
      .filter(isReceiving)
      .map((transceiver) => transceiver.receiver.track)
      .filter((track) => track.readyState === "live");
    const same =
      tracks.length === this.#tracks.length && tracks.every((track, i) => track === this.#tracks[i]);
    if (same) return;
    this.#tracks = tracks;
    this.#events.tracks(tracks);
  }
}

/** Before the answer is applied, only what we would take is known; afterwards, what was agreed upon. */
function isReceiving({ currentDirection, direction, mid }: RTCRtpTransceiver): boolean {
  if (mid === null) return false;
  const effective = currentDirection ?? direction;
  return effective === "recvonly" || effective === "sendrecv";
}

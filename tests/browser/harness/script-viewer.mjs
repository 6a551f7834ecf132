/**
 * A viewer in a page that is nothing but a script: plain RTCPeerConnections, which do what a test tells them to, and
 * no client library that would mend anything.
 */

/** Puts `window.viewers` into a page: see the methods below. Any page of the server's origin will do. */
export async function installScriptViewer(page, wsUrl) {
  await page.evaluate(install, wsUrl);
}

/** Runs in the page. */
async function install(wsUrl) {
  const messages = [];
  const watchers = new Set();
  let socket;

  const message = async (wanted, timeoutMs = 20_000) => {
    const past = messages.find(wanted);
    if (past) return past;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no message like ${wanted}`)), timeoutMs);
      const watcher = (one) => {
        if (!wanted(one)) return;
        clearTimeout(late);
        watchers.delete(watcher);
        resolve(one);
      };
      watchers.add(watcher);
    });
  };
  const send = (one) => socket.send(JSON.stringify(one));

  window.viewers = {
    sessions: new Map(),

    async connect() {
      messages.length = 0;
      socket = new WebSocket(wsUrl);
      socket.onmessage = ({ data }) => {
        const one = JSON.parse(data);
        messages.push(one);
        for (const watcher of [...watchers]) watcher(one);
      };
      await message(({ type }) => type === "welcome");
    },

    disconnect() {
      socket.close();
    },

    /** The producers, once there are any. */
    async producers() {
      for (;;) {
        const seen = messages.length;
        send({ type: "list" });
        const { producers } = await message((one) => one.type === "list" && messages.indexOf(one) >= seen);
        if (producers.length > 0) return producers;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },

    /** The end of a session, as the other side told it. */
    ended: (session) =>
      message(({ type, sessionId }) => type.startsWith("endSession") && sessionId === session).then(
        () => true,
      ),

    /**
     * Watches the first producer, until it has `answered`, until it is `connected` or until there is a picture.
     * `direction`: of each kind of media, if it is not to be received. `fingerprint`: of a certificate that is not its
     * own, to answer with.
     *
     * @returns the session's id, which is also the video element's test id.
     */
    async join({ direction = {}, until = "playing", fingerprint } = {}) {
      const producers = await this.producers();
      const seen = messages.length;
      const isNew = (type) => (one) => one.type === type && messages.indexOf(one) >= seen;
      send({ type: "startSession", peerId: producers[0].id });
      const { sessionId } = await message(isNew("sessionStarted"));
      const connection = new RTCPeerConnection();
      this.sessions.set(sessionId, connection);
      const connected = new Promise((resolve, reject) => {
        connection.onconnectionstatechange = () => {
          if (connection.connectionState === "connected") resolve();
          if (connection.connectionState === "failed") reject(new Error("the connection failed"));
        };
      });
      const frames = new Promise((resolve) => {
        connection.ontrack = ({ track, streams }) => {
          if (track.kind !== "video") return;
          const video = document.createElement("video");
          video.muted = true;
          video.dataset.testid = sessionId;
          document.body.append(video);
          video.srcObject = streams[0] ?? new MediaStream([track]);
          video.requestVideoFrameCallback(resolve);
          video.play().catch(() => {});
        };
      });
      connection.onicecandidate = ({ candidate }) => {
        if (!candidate) return;
        const { candidate: text, sdpMLineIndex } = candidate;
        send({ type: "peer", sessionId, ice: { candidate: text, sdpMLineIndex } });
      };
      const isOurs = (what) => (one) => one.type === "peer" && one.sessionId === sessionId && one[what];
      const { sdp } = await message(isOurs("sdp"));
      await connection.setRemoteDescription(sdp);
      for (const transceiver of connection.getTransceivers()) {
        transceiver.direction = direction[transceiver.receiver.track.kind] ?? transceiver.direction;
      }
      await connection.setLocalDescription();
      const { type, sdp: answer } = connection.localDescription;
      const told = fingerprint ? answer.replace(/a=fingerprint:.*/g, `a=fingerprint:${fingerprint}`) : answer;
      send({ type: "peer", sessionId, sdp: { type, sdp: told } });
      const added = new Set();
      const add = (one) => {
        if (!isOurs("ice")(one) || added.has(one)) return;
        added.add(one);
        connection.addIceCandidate(one.ice).catch(() => {});
      };
      watchers.add(add);
      messages.forEach(add);
      if (until !== "answered") await connected;
      if (until === "playing") await frames;
      return sessionId;
    },

    /** Ends a session as a well-behaved viewer does. */
    leave(sessionId) {
      send({ type: "endSession", sessionId });
      this.close(sessionId);
    },

    /** Closes the connection and says nothing. */
    close(sessionId) {
      this.sessions.get(sessionId).close();
      this.sessions.delete(sessionId);
      document.querySelector(`[data-testid="${sessionId}"]`)?.remove();
    },

    /** How many bytes a session has received of each kind of media. */
    async received(sessionId) {
      const bytes = { video: 0, audio: 0 };
      for (const one of (await this.sessions.get(sessionId).getStats()).values()) {
        if (one.type === "inbound-rtp") bytes[one.kind] += one.bytesReceived;
      }
      return bytes;
    },
  };
  await window.viewers.connect();
}

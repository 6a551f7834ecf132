//! The life of one viewer's session.

use std::{fmt, time::Duration};

use weir_units::Timestamp;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// No answer came in time.
    NoAnswer,
    /// No connection came about in time.
    NoConnection,
    /// The connection failed.
    ConnectionFailed,
    /// Nothing was heard of the viewer any more.
    Vanished,
    /// The viewer's offer cannot be used.
    BadOffer,
    /// The viewer's answer cannot be used.
    BadAnswer,
    /// The viewer takes none of the codecs.
    NoCommonCodec,
    /// The viewer takes only codecs for which no encoder may be started.
    EncoderLimit,
    /// There are as many viewers as there may be.
    MaxViewers,
    /// The viewer sent too many candidates that cannot be used, or too many at all.
    TooManyBadCandidates,
    /// The viewer left.
    ViewerLeft,
    /// The producer left.
    ProducerLeft,
    /// The media ended.
    EndOfStream,
    /// The element was stopped.
    Stopped,
    /// Sending to the viewer took too long.
    Stalled,
    /// Something went wrong on this side.
    Internal,
}

impl EndReason {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::NoAnswer,
        Self::NoConnection,
        Self::ConnectionFailed,
        Self::Vanished,
        Self::BadOffer,
        Self::BadAnswer,
        Self::NoCommonCodec,
        Self::EncoderLimit,
        Self::MaxViewers,
        Self::TooManyBadCandidates,
        Self::ViewerLeft,
        Self::ProducerLeft,
        Self::EndOfStream,
        Self::Stopped,
        Self::Stalled,
        Self::Internal,
    ];

    /// A stable name, for peers, messages and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAnswer => "no-answer",
            Self::NoConnection => "no-connection",
            Self::ConnectionFailed => "connection-failed",
            Self::Vanished => "vanished",
            Self::BadOffer => "bad-offer",
            Self::BadAnswer => "bad-answer",
            Self::NoCommonCodec => "no-common-codec",
            Self::EncoderLimit => "encoder-limit",
            Self::MaxViewers => "max-viewers",
            Self::TooManyBadCandidates => "too-many-bad-candidates",
            Self::ViewerLeft => "viewer-left",
            Self::ProducerLeft => "producer-left",
            Self::EndOfStream => "end-of-stream",
            Self::Stopped => "stopped",
            Self::Stalled => "stalled",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for EndReason {
    /// A sentence for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoAnswer => "no answer to the offer came in time",
            Self::NoConnection => "no connection came about in time",
            Self::ConnectionFailed => "the connection failed",
            Self::Vanished => "nothing has been heard of the viewer",
            Self::BadOffer => "the offer cannot be used",
            Self::BadAnswer => "the answer cannot be used",
            Self::NoCommonCodec => "the viewer takes none of the codecs of the stream",
            Self::EncoderLimit => "the viewer takes only codecs for which no further encoder may be started",
            Self::MaxViewers => "there are as many viewers as there may be",
            Self::TooManyBadCandidates => "too many candidates that cannot be used",
            Self::ViewerLeft => "the viewer left",
            Self::ProducerLeft => "the producer left",
            Self::EndOfStream => "the stream has ended",
            Self::Stopped => "the producer was stopped",
            Self::Stalled => "sending to the viewer took too long",
            Self::Internal => "something went wrong on the producer's side",
        })
    }
}

/// The state of a peer connection (W3C WebRTC, RTCPeerConnectionState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Nothing happens yet.
    New,
    /// Candidates are being tried, or DTLS is under way.
    Connecting,
    /// Media can flow.
    Connected,
    /// It does not flow at the moment.
    Disconnected,
    /// It will not flow any more.
    Failed,
    /// Closed from this side.
    Closed,
}

/// The patience with a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifecycleConfig {
    /// From the offer to the answer.
    pub answer: Duration,
    /// From the offer to the connection.
    pub connection: Duration,
    /// Of RTCP, while connected and sending.
    pub silence: Duration,
}

impl Default for LifecycleConfig {
    /// 15 s, 30 s, 12 s.
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(15),
            connection: Duration::from_secs(30),
            silence: Duration::from_secs(12),
        }
    }
}

/// What the shell must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// Tell the application that a viewer has joined: its answer was accepted.
    Joined,
    /// Tell the application that media can flow to it; sending may begin. Once in a session's life.
    Connected,
    /// Tear the session down, tell the peer why and tell the application that the viewer has left. The last command.
    End {
        /// Why.
        reason: EndReason,
    },
}

/// The life of one viewer's session: facts in, deadlines and commands out.
///
/// After the end, facts are ignored.
#[derive(Clone, Debug)]
pub struct SessionLifecycle {
    config: LifecycleConfig,
}

impl SessionLifecycle {
    /// A session in which nothing has happened.
    pub fn new(config: LifecycleConfig) -> Self {
        Self { config }
    }

    /// Our offer went out (first or renewed): the answer and, unless connected, the connection are awaited from here on.
    pub fn handle_offer_sent(&mut self, now: Timestamp) {
        let _ = (now, self.config);
    }

    /// The answer (to our offer) was accepted, or our answer to the viewer's offer went out. `sending` says whether
    /// anything is sent by it: who gets nothing may be silent.
    pub fn handle_answer_accepted(&mut self, sending: bool, now: Timestamp) {
        let _ = (sending, now);
    }

    /// The peer connection is in a new state.
    pub fn handle_connection_state(&mut self, state: ConnectionState, now: Timestamp) {
        let _ = (state, now);
    }

    /// RTCP of the viewer's has come in.
    pub fn handle_rtcp(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// The session ends for a reason from outside.
    pub fn handle_end(&mut self, reason: EndReason) {
        let _ = reason;
    }

    /// The time of [`SessionLifecycle::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// What to do next.
    pub fn poll_command(&mut self) -> Option<SessionCommand> {
        None
    }

    /// When to call [`SessionLifecycle::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Whether media can flow.
    pub fn is_connected(&self) -> bool {
        false
    }

    /// Why it ended, if it has.
    pub fn end_reason(&self) -> Option<EndReason> {
        None
    }
}

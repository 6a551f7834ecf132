//! The life of one viewer's session.

use std::{collections::VecDeque, fmt, time::Duration};

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
    /// The viewer's certificate is not the one that it announced.
    BadCertificate,
    /// The viewer takes none of the codecs.
    NoCommonCodec,
    /// The viewer takes only codecs for which no encoder may be started.
    EncoderLimit,
    /// There are as many viewers as there may be.
    MaxViewers,
    /// The producer cannot serve another viewer at the moment.
    Busy,
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
    pub const ALL: [Self; 18] = [
        Self::NoAnswer,
        Self::NoConnection,
        Self::ConnectionFailed,
        Self::Vanished,
        Self::BadOffer,
        Self::BadAnswer,
        Self::BadCertificate,
        Self::NoCommonCodec,
        Self::EncoderLimit,
        Self::MaxViewers,
        Self::Busy,
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
            Self::BadCertificate => "bad-certificate",
            Self::NoCommonCodec => "no-common-codec",
            Self::EncoderLimit => "encoder-limit",
            Self::MaxViewers => "max-viewers",
            Self::Busy => "busy",
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
            Self::BadCertificate => "the viewer's certificate is not the one that it announced",
            Self::NoCommonCodec => "the viewer takes none of the codecs of the stream",
            Self::EncoderLimit => "the viewer takes only codecs for which no further encoder may be started",
            Self::MaxViewers => "there are as many viewers as there may be",
            Self::Busy => "the producer cannot serve another viewer at the moment",
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
    /// From the request for the session, or else the offer, to the connection.
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
    answer_due: Option<Timestamp>,
    connection_due: Option<Timestamp>,
    has_joined: bool,
    link: Link,
    /// Whether the application was told of the connection.
    is_announced: bool,
    /// Whether anything is sent to which the viewer would respond.
    is_sending: bool,
    last_heard: Timestamp,
    end: Option<EndReason>,
    commands: VecDeque<SessionCommand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// Never connected so far.
    Pending,
    Up,
    /// Was up, and is interrupted.
    Down,
}

impl SessionLifecycle {
    /// A session in which nothing has happened.
    pub fn new(config: LifecycleConfig) -> Self {
        Self {
            config,
            answer_due: None,
            connection_due: None,
            has_joined: false,
            link: Link::Pending,
            is_announced: false,
            is_sending: false,
            last_heard: Timestamp::ZERO,
            end: None,
            commands: VecDeque::new(),
        }
    }

    /// The viewer has asked for the session: the connection is awaited from here on, whatever else happens first.
    pub fn handle_requested(&mut self, now: Timestamp) {
        if self.end.is_none() {
            self.await_connection(now);
        }
    }

    /// Our offer went out (first or renewed): the answer and, unless connected, the connection are awaited from here on.
    pub fn handle_offer_sent(&mut self, now: Timestamp) {
        if self.end.is_none() {
            self.answer_due.get_or_insert(now + self.config.answer);
            self.await_connection(now);
        }
    }

    /// The answer (to our offer) was accepted, or our answer to the viewer's offer went out. `sending` says whether
    /// anything is sent by it: who gets nothing may be silent.
    pub fn handle_answer_accepted(&mut self, sending: bool, now: Timestamp) {
        if self.end.is_some() {
            return;
        }
        self.answer_due = None;
        self.await_connection(now);
        if !self.has_joined {
            self.has_joined = true;
            self.commands.push_back(SessionCommand::Joined);
        }
        self.handle_sending(sending, now);
        self.announce_connection();
    }

    /// Media to the viewer has stopped or started, for instance with the pipeline. Silence counts from the start on.
    pub fn handle_sending(&mut self, sending: bool, now: Timestamp) {
        if sending && !self.is_sending {
            self.last_heard = self.last_heard.max(now);
        }
        self.is_sending = sending;
    }

    /// The peer connection is in a new state.
    pub fn handle_connection_state(&mut self, state: ConnectionState, now: Timestamp) {
        if self.end.is_some() {
            return;
        }
        match (state, self.link) {
            (ConnectionState::Connected, _) => {
                self.link = Link::Up;
                self.connection_due = None;
                self.last_heard = self.last_heard.max(now);
                self.announce_connection();
            }
            (ConnectionState::Disconnected, Link::Up) => {
                self.link = Link::Down;
                // If nothing was sent so far, silence did not count.
                if !self.is_sending {
                    self.last_heard = self.last_heard.max(now);
                }
            }
            (ConnectionState::Failed, _) | (ConnectionState::Closed, Link::Pending) => {
                self.handle_end(EndReason::ConnectionFailed);
            }
            // We close only after the end, so this was the viewer's doing.
            (ConnectionState::Closed, Link::Up | Link::Down) => self.handle_end(EndReason::ViewerLeft),
            (ConnectionState::New | ConnectionState::Connecting | ConnectionState::Disconnected, _) => {}
        }
    }

    /// RTCP of the viewer's has come in.
    pub fn handle_rtcp(&mut self, now: Timestamp) {
        self.last_heard = self.last_heard.max(now);
    }

    /// The session ends for a reason from outside.
    pub fn handle_end(&mut self, reason: EndReason) {
        if self.end.is_none() {
            self.end = Some(reason);
            self.commands.push_back(SessionCommand::End { reason });
        }
    }

    /// The time of [`SessionLifecycle::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let due = self
            .deadlines()
            .into_iter()
            .flatten()
            .filter(|(at, _)| *at <= now);
        if let Some((_, reason)) = due.min_by_key(|(at, _)| *at) {
            self.handle_end(reason);
        }
    }

    /// What to do next.
    pub fn poll_command(&mut self) -> Option<SessionCommand> {
        self.commands.pop_front()
    }

    /// When to call [`SessionLifecycle::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.end.is_some() {
            return None;
        }
        self.deadlines().into_iter().flatten().map(|(at, _)| at).min()
    }

    /// Whether media can flow.
    pub fn is_connected(&self) -> bool {
        self.end.is_none() && self.link == Link::Up
    }

    /// Why it ended, if it has.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.end
    }

    fn await_connection(&mut self, now: Timestamp) {
        if self.link == Link::Pending {
            self.connection_due.get_or_insert(now + self.config.connection);
        }
    }

    /// Once, and not before the viewer has joined, in whichever order shells learn of the two.
    fn announce_connection(&mut self) {
        if self.has_joined && self.link == Link::Up && !self.is_announced {
            self.is_announced = true;
            self.commands.push_back(SessionCommand::Connected);
        }
    }

    fn deadlines(&self) -> [Option<(Timestamp, EndReason)>; 3] {
        let is_listening = match self.link {
            Link::Pending => false,
            Link::Up => self.is_sending,
            Link::Down => true,
        };
        let silence_due = is_listening.then(|| self.last_heard + self.config.silence);
        [
            self.answer_due.map(|at| (at, EndReason::NoAnswer)),
            self.connection_due.map(|at| (at, EndReason::NoConnection)),
            silence_due.map(|at| (at, EndReason::Vanished)),
        ]
    }
}

#[cfg(test)]
mod tests;

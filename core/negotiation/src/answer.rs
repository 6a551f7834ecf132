//! Answers: what a viewer takes of what it was offered.

use weir_units::{Mid, PayloadType};

use crate::{Direction, ExtensionIds, Format, MatchScore, MediaKind, SdpError};

/// An m-line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaAnswer {
    /// Its number, from 0.
    pub index: usize,
    /// What it carries.
    pub kind: MediaKind,
    /// Its tag.
    pub mid: Option<Mid>,
    /// The viewer wants nothing of it.
    pub rejected: bool,
    /// Which way the viewer wants media to flow, as the viewer sees it.
    pub direction: Direction,
    /// Whether we may send: offered so, not rejected, and the viewer receives.
    pub may_send: bool,
    /// The formats it takes, in its order.
    pub formats: Vec<AcceptedFormat>,
    /// Header extensions.
    pub extensions: ExtensionIds,
}

/// A format that the viewer takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedFormat {
    /// The format with the viewer's payload types, retransmissions and parameters: what to send with.
    pub format: Format,
    /// The payload type under which it was offered.
    pub offered: PayloadType,
    /// How well its parameters match.
    pub score: MatchScore,
    /// It sends generic NACKs.
    pub nack: bool,
    /// It sends picture loss indications.
    pub pli: bool,
    /// It sends full intra requests.
    pub fir: bool,
    /// It sends transport-wide congestion control feedback.
    pub transport_cc: bool,
}

/// Why an answer is none to the offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The answer cannot be used, whatever it answers.
    #[error("bad answer: {0}")]
    Sdp(#[from] SdpError),
    /// The offer cannot be read: a mistake on our side.
    #[error("bad offer: {0}")]
    Offer(SdpError),
    /// It does not have as many m-lines as the offer (RFC 3264 §6).
    #[error("{offered} media sections were offered and {answered} answered")]
    MediaCount {
        /// In the offer.
        offered: usize,
        /// In the answer.
        answered: usize,
    },
    /// An m-line is of another kind than the offered one.
    #[error("media section {index} was offered as {offered} and answered as {answered}")]
    MediaKind {
        /// Of the m-line, from 0.
        index: usize,
        /// In the offer.
        offered: MediaKind,
        /// In the answer.
        answered: MediaKind,
    },
    /// An m-line has another tag than the offered one (RFC 8843 §7.3).
    #[error("media section {index} was answered with another mid")]
    Mid {
        /// Of the m-line, from 0.
        index: usize,
    },
    /// The viewer wants to use an m-line that was not offered for use.
    #[error("media section {index} was answered though it was not offered")]
    NotOffered {
        /// Of the m-line, from 0.
        index: usize,
    },
}

impl AnswerError {
    /// A stable name of the error, for peers and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Sdp(error) => error.code(),
            Self::Offer(_) => "answer-to-bad-offer",
            Self::MediaCount { .. } => "answer-media-count",
            Self::MediaKind { .. } => "answer-media-kind",
            Self::Mid { .. } => "answer-mid",
            Self::NotOffered { .. } => "answer-not-offered",
        }
    }
}

/// Reads an answer against the offer that it answers.
///
/// # Errors
/// It is no answer to this offer; see [`AnswerError`].
pub fn read_answer(offer: &str, answer: &str) -> Result<Vec<MediaAnswer>, AnswerError> {
    let _ = (offer, answer);
    Err(AnswerError::Sdp(SdpError::Empty))
}

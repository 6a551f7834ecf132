//! Answers: what a viewer takes of what it was offered.

use weir_units::{Mid, PayloadType};

use crate::{
    Direction, ExtensionIds, Format, MatchScore, MediaKind, OfferedFormat, SdpError, match_fmtp,
    sdp::{self, Section},
};

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
    let offered = sdp::parse(offer).and_then(|session| sdp::read_sections(&session, false));
    let offered = offered.map_err(AnswerError::Offer)?;
    let answered = sdp::read_sections(&sdp::parse(answer)?, true)?;
    if offered.len() != answered.len() {
        return Err(AnswerError::MediaCount {
            offered: offered.len(),
            answered: answered.len(),
        });
    }
    let sections = offered.iter().zip(answered).enumerate();
    sections
        .map(|(index, (offered, answered))| read_section(index, offered, answered))
        .collect()
}

fn read_section(index: usize, offered: &Section, answered: Section) -> Result<MediaAnswer, AnswerError> {
    if offered.kind != answered.kind {
        return Err(AnswerError::MediaKind {
            index,
            offered: offered.kind,
            answered: answered.kind,
        });
    }
    let has_other_mid = matches!((offered.mid, answered.mid), (Some(ours), Some(theirs)) if ours != theirs);
    if has_other_mid {
        return Err(AnswerError::Mid { index });
    }
    if offered.rejected && !answered.rejected {
        return Err(AnswerError::NotOffered { index });
    }
    let formats = if answered.rejected {
        Vec::new()
    } else {
        answered
            .formats
            .into_iter()
            .filter_map(|format| accept(&offered.formats, format))
            .collect()
    };
    Ok(MediaAnswer {
        index,
        kind: answered.kind,
        mid: answered.mid.or(offered.mid),
        rejected: answered.rejected,
        direction: answered.direction,
        may_send: !answered.rejected && offered.direction.sends() && answered.direction.receives(),
        formats,
        extensions: answered.extensions.intersection(offered.extensions),
    })
}

/// The offered format that an answered one means: the one of the same payload type (RFC 3264 §6.1), or else the one
/// whose parameters match best.
fn accept(offered: &[OfferedFormat], answered: OfferedFormat) -> Option<AcceptedFormat> {
    let theirs = &answered.format;
    let score = |ours: &OfferedFormat| {
        let ours = &ours.format;
        if ours.codec != theirs.codec {
            return None;
        }
        let score = match_fmtp(ours.codec, &ours.fmtp, &theirs.fmtp)?;
        Some((ours.payload_type == theirs.payload_type, score))
    };
    let matches = offered.iter().filter_map(|ours| Some((score(ours)?, ours)));
    // The first of equals: max_by_key takes the last.
    let ((_, score), ours) = matches.rev().max_by_key(|(score, _)| *score)?;
    Some(AcceptedFormat {
        offered: ours.format.payload_type,
        score,
        nack: ours.nack && answered.nack,
        pli: ours.pli && answered.pli,
        fir: ours.fir && answered.fir,
        transport_cc: ours.transport_cc && answered.transport_cc,
        format: answered.format,
    })
}

impl ExtensionIds {
    /// The extensions that both sides know, with the ids of `self`.
    fn intersection(self, other: Self) -> Self {
        Self {
            mid: other.mid.and(self.mid),
            rid: other.rid.and(self.rid),
            repaired_rid: other.repaired_rid.and(self.repaired_rid),
            twcc: other.twcc.and(self.twcc),
            abs_send_time: other.abs_send_time.and(self.abs_send_time),
            audio_level: other.audio_level.and(self.audio_level),
        }
    }
}

#[cfg(test)]
mod tests;

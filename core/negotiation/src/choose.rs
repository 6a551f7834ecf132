//! Which of the codecs that a viewer takes it gets.

use crate::{Codec, EndReason, Format};

/// Why a viewer gets no codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It takes none of those there are.
    #[error("the viewer takes none of the codecs of this stream")]
    NoCommonCodec,
    /// It takes none of those that run, and no further encoder may be started.
    #[error("the viewer takes none of the running codecs, and no further encoder may be started")]
    EncoderLimit,
}

impl Refusal {
    /// Why the session ends.
    pub const fn end_reason(self) -> EndReason {
        match self {
            Self::NoCommonCodec => EndReason::NoCommonCodec,
            Self::EncoderLimit => EndReason::EncoderLimit,
        }
    }
}

/// The format that a viewer gets: the first of `preferences` that it accepts, but one that already runs goes first; a
/// new codec is started only for a viewer that takes none that runs.
///
/// `accepted` are the formats of the viewer's answer, in its order; of several formats of one codec the first counts.
///
/// # Errors
/// It takes none, or only ones that would need an encoder more than `encoders_left`.
pub fn choose_codec(
    preferences: &[Codec],
    accepted: &[Format],
    running: &[Codec],
    encoders_left: usize,
) -> Result<Format, Refusal> {
    let first = |allowed: &dyn Fn(Codec) -> bool| {
        preferences
            .iter()
            .filter(|codec| allowed(**codec))
            .find_map(|codec| accepted.iter().find(|format| format.codec == *codec))
    };
    if let Some(format) = first(&|codec| running.contains(&codec)) {
        return Ok(format.clone());
    }
    match first(&|_| true) {
        Some(format) if encoders_left > 0 => Ok(format.clone()),
        Some(_) => Err(Refusal::EncoderLimit),
        None => Err(Refusal::NoCommonCodec),
    }
}

#[cfg(test)]
mod tests;

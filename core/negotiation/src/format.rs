//! Formats: codecs with payload types and parameters.

use std::{convert::Infallible, fmt, str::FromStr};

use weir_units::PayloadType;

use crate::{Codec, MediaKind};

/// The parameters of a format (`a=fmtp`), in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fmtp(Vec<(String, String)>);

/// A codec as it is offered or taken: under which payload type, with which parameters, repaired or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// The codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: PayloadType,
    /// The payload type of its retransmissions (RFC 4588), if there are any.
    pub rtx: Option<PayloadType>,
    /// Its parameters.
    pub fmtp: Fmtp,
}

/// How well the parameters of a format match, from 1; more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchScore(pub u8);

/// There are more formats than dynamic payload types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more formats than there are dynamic payload types")]
pub struct OutOfPayloadTypes;

/// Gives each codec a payload type and, if `rtx`, each video codec one for its retransmissions right after it.
///
/// From 96 to 127, then from 35 to 63.
///
/// # Errors
/// There are more formats than that.
pub fn assign_payload_types(codecs: &[Codec], rtx: bool) -> Result<Vec<Format>, OutOfPayloadTypes> {
    let mut free = dynamic_payload_types();
    codecs
        .iter()
        .map(|codec| {
            let payload_type = free.next().ok_or(OutOfPayloadTypes)?;
            let rtx = if rtx && codec.kind() == MediaKind::Video {
                Some(free.next().ok_or(OutOfPayloadTypes)?)
            } else {
                None
            };
            Ok(Format {
                codec: *codec,
                payload_type,
                rtx,
                fmtp: Fmtp::new(),
            })
        })
        .collect()
}

/// Whether a receiver with `theirs` takes what a sender with `ours` sends, and how well they match.
pub fn match_fmtp(codec: Codec, ours: &Fmtp, theirs: &Fmtp) -> Option<MatchScore> {
    let equal = |name, default| ours.value_or(name, default) == theirs.value_or(name, default);
    match codec {
        Codec::Vp8 => Some(MatchScore(1)),
        // RFC 9628 §6: the profile of the stream, or the one that is decoded.
        Codec::Vp9 => equal("profile-id", "0").then_some(MatchScore(1)),
        Codec::H264 => match_h264(ours, theirs),
        // RFC 7798 §7.1: the profile must be the same; a higher tier or level than declared may still be decoded.
        Codec::H265 => {
            let number = |fmtp: &Fmtp, name, default| fmtp.number_or(name, default);
            let fits = number(ours, "tier-flag", 0)? <= number(theirs, "tier-flag", 0)?
                && number(ours, "level-id", 93)? <= number(theirs, "level-id", 93)?;
            let matches = equal("profile-id", "1") && equal("tx-mode", "SRST");
            matches.then_some(MatchScore(1 + u8::from(fits)))
        }
        // The highest profile that the receiver decodes.
        Codec::Av1 => {
            let (ours, theirs) = (ours.number_or("profile", 0)?, theirs.number_or("profile", 0)?);
            (ours <= theirs).then_some(MatchScore(1 + u8::from(ours == theirs)))
        }
        // RFC 7587 §6.1: all parameters are wishes; every receiver decodes everything.
        Codec::Opus => Some(MatchScore(1 + u8::from(equal("stereo", "0")))),
    }
}

/// 96 to 127, then 35 to 63: what is not static, and not in the way of RTCP on the same port (RFC 5761 §4).
pub(crate) fn dynamic_payload_types() -> impl Iterator<Item = PayloadType> {
    (96..=127).chain(35..=63).filter_map(PayloadType::new)
}

fn match_h264(ours: &Fmtp, theirs: &Fmtp) -> Option<MatchScore> {
    // RFC 6184 §8.2.2: both sides must use the same packetization mode.
    let mode = |fmtp: &Fmtp| fmtp.number_or("packetization-mode", 0);
    if mode(ours)? != mode(theirs)? {
        return None;
    }
    let (sent, taken) = (H264Level::of(ours)?, H264Level::of(theirs)?);
    let is_asymmetric = [ours, theirs]
        .iter()
        .all(|fmtp| fmtp.value("level-asymmetry-allowed") == Some("1"));
    let profile_score = if sent.profile == taken.profile {
        3
    } else if taken.profile.decodes(sent.profile) {
        1
    } else {
        return None;
    };
    // A level too low is no reason to refuse: receivers decode more than they declare.
    let fits = is_asymmetric || sent.level <= taken.level;
    Some(MatchScore(profile_score + u8::from(fits)))
}

/// What a profile-level-id says (RFC 6184 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct H264Level {
    profile: H264Profile,
    /// Twice level_idc, so that level 1b fits in between.
    level: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum H264Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    PredictiveHigh444,
}

impl H264Level {
    /// If there is no profile-level-id, browsers mean constrained baseline, level 3.1, where the RFC means baseline,
    /// level 1.
    const DEFAULT: &str = "42e01f";

    fn of(fmtp: &Fmtp) -> Option<Self> {
        let id = fmtp.value_or("profile-level-id", Self::DEFAULT);
        if id.len() != 6 || !id.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let [_, profile_idc, constraints, level_idc] = u32::from_str_radix(id, 16).ok()?.to_be_bytes();
        let profile = H264Profile::of(profile_idc, constraints)?;
        let is_1b = level_idc == 11 && constraints & 0x10 != 0 && profile_idc <= 88;
        let level = if is_1b { 21 } else { 2 * u16::from(level_idc) };
        Some(Self { profile, level })
    }
}

impl H264Profile {
    /// By profile_idc and the constraint flags, set0 in the highest bit (RFC 6184 table 5).
    fn of(profile_idc: u8, constraints: u8) -> Option<Self> {
        let set = |number: u8| constraints & (0x80 >> number) != 0;
        match profile_idc {
            0x42 if set(1) => Some(Self::ConstrainedBaseline),
            0x4d if set(0) => Some(Self::ConstrainedBaseline),
            0x58 if set(0) && set(1) => Some(Self::ConstrainedBaseline),
            0x42 => Some(Self::Baseline),
            0x58 if set(0) => Some(Self::Baseline),
            0x4d => Some(Self::Main),
            0x64 if set(4) && set(5) => Some(Self::ConstrainedHigh),
            0x64 => Some(Self::High),
            0xf4 => Some(Self::PredictiveHigh444),
            _ => None,
        }
    }

    /// Whether a decoder of this profile decodes streams of the other one (H.264 §A.2).
    fn decodes(self, sent: Self) -> bool {
        match sent {
            Self::ConstrainedBaseline => true,
            Self::Baseline => self == Self::Baseline,
            Self::Main => matches!(self, Self::Main | Self::High | Self::PredictiveHigh444),
            Self::ConstrainedHigh => {
                matches!(self, Self::ConstrainedHigh | Self::High | Self::PredictiveHigh444)
            }
            Self::High => matches!(self, Self::High | Self::PredictiveHigh444),
            Self::PredictiveHigh444 => self == Self::PredictiveHigh444,
        }
    }
}

impl Fmtp {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `name=value; name=value …`. A part without `=` is a name with an empty value; one
    /// without a name is left out.
    pub fn parse(parameters: &str) -> Self {
        let parameter = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.trim().to_owned(), value.trim().to_owned())
        };
        Self(
            parameters
                .split(';')
                .map(parameter)
                .filter(|(name, _)| !name.is_empty())
                .collect(),
        )
    }

    /// The value of a parameter, by its name in any case.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Sets a parameter, in the place of the one of this name if there is one.
    pub fn set(&mut self, name: &str, value: &str) {
        match self
            .0
            .iter_mut()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
        {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameters in order, names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn value_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.value(name).unwrap_or(default)
    }

    /// `None` if there is a value that is no number.
    fn number_or(&self, name: &str, default: u32) -> Option<u32> {
        self.value(name).map_or(Some(default), |value| value.parse().ok())
    }
}

impl FromStr for Fmtp {
    type Err = Infallible;

    fn from_str(parameters: &str) -> Result<Self, Infallible> {
        Ok(Self::parse(parameters))
    }
}

impl fmt::Display for Fmtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            let separator = if index > 0 { ";" } else { "" };
            let equals = if value.is_empty() { "" } else { "=" };
            write!(f, "{separator}{name}{equals}{value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Formats: codecs with payload types and parameters.

use std::{convert::Infallible, fmt, str::FromStr};

use weir_units::PayloadType;

use crate::Codec;

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
    let _ = (codecs, rtx);
    Err(OutOfPayloadTypes)
}

/// Whether a receiver with `theirs` takes what a sender with `ours` sends, and how well they match.
pub fn match_fmtp(codec: Codec, ours: &Fmtp, theirs: &Fmtp) -> Option<MatchScore> {
    let _ = (codec, ours, theirs);
    None
}

impl Fmtp {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `name=value; name=value …`. Whatever is there has a meaning: a part without `=` is a name without value.
    pub fn parse(parameters: &str) -> Self {
        let _ = parameters;
        Self::default()
    }

    /// The value of a parameter, by its name in any case.
    pub fn value(&self, name: &str) -> Option<&str> {
        let _ = name;
        None
    }

    /// Sets a parameter.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameters in order, names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
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
        let _ = f;
        Ok(())
    }
}

//! Reading session descriptions, with limits.

use weir_units::{Mid, PayloadType};

use crate::Format;

/// Longest session description that is read, in bytes.
pub const MAX_SDP_LEN: usize = 256 * 1024;

/// Most m-lines that a session description may have.
pub const MAX_MEDIA: usize = 64;

/// Which way media flows, as the one who wrote the description sees it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways; what counts if nothing is said.
    #[default]
    SendRecv,
    /// It sends.
    SendOnly,
    /// It receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether the writer sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Ids of the header extensions that matter here (RFC 8285 §5), each if it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`.
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`.
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`.
    pub repaired_rid: Option<u8>,
    /// Transport-wide congestion control.
    pub twcc: Option<u8>,
    /// Absolute send time.
    pub abs_send_time: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464).
    pub audio_level: Option<u8>,
}

/// A format of an m-line with the feedback that was negotiated for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedFormat {
    /// The format.
    pub format: Format,
    /// `nack`: generic NACK (RFC 4585 §6.2.1).
    pub nack: bool,
    /// `nack pli` (RFC 4585 §6.3.1).
    pub pli: bool,
    /// `ccm fir` (RFC 5104 §4.3.1).
    pub fir: bool,
    /// `transport-cc`.
    pub transport_cc: bool,
}

/// Why text is no session description that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// There is none.
    #[error("the session description is empty")]
    Empty,
    /// Longer than [`MAX_SDP_LEN`].
    #[error("the session description is longer than {MAX_SDP_LEN} bytes")]
    TooLong,
    /// Not the grammar of RFC 8866; the parser's words.
    #[error("the session description cannot be read: {0}")]
    Unparsable(String),
    /// It describes no media.
    #[error("the session description has no media")]
    NoMedia,
    /// More than [`MAX_MEDIA`].
    #[error("the session description has more than {MAX_MEDIA} media sections")]
    TooManyMedia,
    /// Two m-lines have the same mid, or a mid is not a token of at most 32 characters.
    #[error("media section {index} has a bad or repeated mid")]
    BadMid {
        /// Of the m-line, from 0.
        index: usize,
    },
    /// No ICE user fragment and password for an m-line that is not rejected (RFC 8839 §5.4).
    #[error("media section {index} has no ICE credentials")]
    NoIceCredentials {
        /// Of the m-line, from 0.
        index: usize,
    },
    /// No certificate fingerprint for an m-line that is not rejected (RFC 8122 §5).
    #[error("media section {index} has no certificate fingerprint")]
    NoFingerprint {
        /// Of the m-line, from 0.
        index: usize,
    },
    /// No payload type is left for a retransmission format.
    #[error("no payload type is left")]
    OutOfPayloadTypes,
}

impl SdpError {
    /// A stable name of the error, for peers and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "sdp-empty",
            Self::TooLong => "sdp-too-long",
            Self::Unparsable(_) => "sdp-unparsable",
            Self::NoMedia => "sdp-no-media",
            Self::TooManyMedia => "sdp-too-many-media",
            Self::BadMid { .. } => "sdp-bad-mid",
            Self::NoIceCredentials { .. } => "sdp-no-ice-credentials",
            Self::NoFingerprint { .. } => "sdp-no-fingerprint",
            Self::OutOfPayloadTypes => "sdp-out-of-payload-types",
        }
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "shape first")]
struct Unused(Mid, PayloadType);

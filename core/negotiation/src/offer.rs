//! Offers: completing ours, reading those of others.

use weir_units::Mid;

use crate::{Direction, ExtensionIds, Format, MediaKind, OfferedFormat, SdpError};

/// Feedback messages that are offered for every codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// `nack`, for video.
    pub nack: bool,
    /// `nack pli`, for video.
    pub pli: bool,
    /// `ccm fir`, for video.
    pub fir: bool,
    /// `transport-cc`, for audio and video.
    pub transport_cc: bool,
}

/// How an offer is completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferOptions {
    /// Every video codec gets a retransmission format.
    pub rtx: bool,
    /// Numbers to prefer for those, by the payload type of the codec; others are found.
    pub formats: Vec<Format>,
    /// Feedback to offer.
    pub feedback: Feedback,
    /// m-lines that would send and receive only send.
    pub send_only: bool,
}

/// An m-line of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaOffer {
    /// Its number, from 0.
    pub index: usize,
    /// What it carries.
    pub kind: MediaKind,
    /// Its tag.
    pub mid: Option<Mid>,
    /// It is not in use: port 0, and not merely bundled.
    pub rejected: bool,
    /// Which way the offerer wants media to flow.
    pub direction: Direction,
    /// The formats that are known here, in the offerer's order.
    pub formats: Vec<OfferedFormat>,
    /// Header extensions.
    pub extensions: ExtensionIds,
    /// The identifier of the media stream (`a=msid`, RFC 8830), if it is given and not `-`.
    pub stream_id: Option<String>,
}

/// Adds to an offer of webrtcbin's what it leaves out: a retransmission format for every codec, not only the first;
/// feedback for every codec; the direction. Whatever else is there stays as it is. Completing twice changes nothing.
///
/// # Errors
/// It is no session description, or there are too few payload types.
pub fn complete_offer(sdp: &str, options: &OfferOptions) -> Result<String, SdpError> {
    let _ = options;
    Ok(sdp.to_owned())
}

/// Reads an offer.
///
/// # Errors
/// It is no session description, or one that a WebRTC peer cannot answer.
pub fn read_offer(offer: &str) -> Result<Vec<MediaOffer>, SdpError> {
    let _ = offer;
    Err(SdpError::Empty)
}

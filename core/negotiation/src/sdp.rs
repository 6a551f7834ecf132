//! Reading session descriptions, with limits.

use std::collections::BTreeMap;

use sdp_types::{Attribute, ExtMap, Media, ParserError, RtcpFb, RtcpFbPt, RtcpFbVal, RtpMap, Session};
use weir_units::{Mid, NameError, PayloadType};

use crate::{Codec, Feedback, Fmtp, Format, MediaKind};

/// Longest session description that is read, in bytes.
pub const MAX_SDP_LEN: usize = 256 * 1024;

/// Most m-lines that a session description may have.
pub const MAX_MEDIA: usize = 64;

/// The hash of a certificate (RFC 8122 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash function's name, in lower case: `sha-256`.
    pub function: String,
    /// The hash.
    pub hash: Vec<u8>,
}

/// All certificates that a description announces, those that cannot be read left out.
pub fn fingerprints(sdp: &str) -> Vec<Fingerprint> {
    let values = sdp.lines().filter_map(|line| line.strip_prefix("a=fingerprint:"));
    let mut fingerprints: Vec<_> = values.filter_map(Fingerprint::parse).collect();
    fingerprints.dedup();
    fingerprints
}

impl Fingerprint {
    /// `function hash`, the hash in hexadecimal bytes with colons between them.
    fn parse(value: &str) -> Option<Self> {
        let (function, hash) = value.trim().split_once(' ')?;
        let byte = |byte: &str| {
            let is_byte = byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_byte.then(|| u8::from_str_radix(byte, 16).ok()).flatten()
        };
        Some(Self {
            function: function.to_ascii_lowercase(),
            hash: hash.trim().split(':').map(byte).collect::<Option<_>>()?,
        })
    }
}

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

/// Parses a session description within the limits.
pub(crate) fn parse(text: &str) -> Result<Session, SdpError> {
    if text.len() > MAX_SDP_LEN {
        return Err(SdpError::TooLong);
    }
    if text.trim().is_empty() {
        return Err(SdpError::Empty);
    }
    let session = Session::parse(text.as_bytes()).map_err(|error| match error {
        // The only error that would repeat the peer's bytes.
        ParserError::InvalidVersion(line, _) => {
            SdpError::Unparsable(format!("Invalid version at line {line}"))
        }
        error => SdpError::Unparsable(error.to_string()),
    })?;
    match session.medias.len() {
        0 => Err(SdpError::NoMedia),
        1..=MAX_MEDIA => Ok(session),
        _ => Err(SdpError::TooManyMedia),
    }
}

/// An m-line with its attributes, read.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) kind: MediaKind,
    pub(crate) mid: Option<Mid>,
    pub(crate) rejected: bool,
    pub(crate) direction: Direction,
    pub(crate) formats: Vec<OfferedFormat>,
    pub(crate) extensions: ExtensionIds,
    pub(crate) stream_id: Option<String>,
}

/// Reads all m-lines. With `for_peer`, they must have what a peer needs to connect.
pub(crate) fn read_sections(session: &Session, for_peer: bool) -> Result<Vec<Section>, SdpError> {
    let mut sections: Vec<Section> = Vec::with_capacity(session.medias.len());
    for (index, media) in session.medias.iter().enumerate() {
        let section = Section::read(session, media).map_err(|_| SdpError::BadMid { index })?;
        let is_repeated = section.mid.is_some() && sections.iter().any(|earlier| earlier.mid == section.mid);
        if is_repeated {
            return Err(SdpError::BadMid { index });
        }
        if for_peer && !section.rejected {
            check_transport(session, media, index)?;
        }
        sections.push(section);
    }
    Ok(sections)
}

impl Section {
    fn read(session: &Session, media: &Media) -> Result<Self, NameError> {
        let mid = value(&media.attributes, "mid").map(Mid::new).transpose()?;
        Ok(Self {
            kind: MediaKind::from_sdp(&media.media),
            mid,
            rejected: is_rejected(media),
            direction: direction(&media.attributes)
                .or_else(|| direction(&session.attributes))
                .unwrap_or_default(),
            formats: read_formats(media),
            extensions: read_extensions(session, media),
            stream_id: value(&media.attributes, "msid")
                .and_then(|msid| msid.split_whitespace().next())
                .filter(|id| *id != "-")
                .map(str::to_owned),
        })
    }
}

/// Port 0 means rejected, unless the m-line merely has no port of its own (RFC 8843 §6).
pub(crate) fn is_rejected(media: &Media) -> bool {
    media.port == 0
        && !media
            .attributes
            .iter()
            .any(|attribute| attribute.attribute == "bundle-only")
}

pub(crate) fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes
        .iter()
        .find_map(|attribute| Direction::from_sdp(&attribute.attribute))
}

impl Direction {
    pub(crate) fn from_sdp(attribute: &str) -> Option<Self> {
        match attribute {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// ICE credentials and a fingerprint: the m-line's, the session's or those of another m-line of its bundle, whose
/// transport it shares (RFC 8843 §7.1.3).
fn check_transport(session: &Session, media: &Media, index: usize) -> Result<(), SdpError> {
    let bundle = bundle_of(session, media);
    let has = |name| {
        value(&session.attributes, name).is_some()
            || value(&media.attributes, name).is_some()
            || bundle
                .iter()
                .any(|media| value(&media.attributes, name).is_some())
    };
    if !has("ice-ufrag") || !has("ice-pwd") {
        return Err(SdpError::NoIceCredentials { index });
    }
    if !has("fingerprint") {
        return Err(SdpError::NoFingerprint { index });
    }
    Ok(())
}

fn bundle_of<'a>(session: &'a Session, media: &Media) -> Vec<&'a Media> {
    let Some(mid) = value(&media.attributes, "mid") else {
        return Vec::new();
    };
    session
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute == "group")
        .filter_map(|attribute| attribute.value.as_deref()?.strip_prefix("BUNDLE "))
        .find(|group| group.split_whitespace().any(|tag| tag == mid))
        .map(|group| {
            let is_member = |media: &&Media| {
                value(&media.attributes, "mid")
                    .is_some_and(|mid| group.split_whitespace().any(|tag| tag == mid))
            };
            session.medias.iter().filter(is_member).collect()
        })
        .unwrap_or_default()
}

/// The value of the first attribute of this name, if it has one that is not empty.
fn value<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|attribute| attribute.attribute == name)
        .and_then(|attribute| attribute.value.as_deref())
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// What the attributes say of each payload type of an m-line.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadInfo {
    /// Encoding name, clock rate and channels.
    pub(crate) map: Option<RtpMap>,
    pub(crate) fmtp: Fmtp,
    pub(crate) feedback: Feedback,
}

/// The payload types of an m-line in its order, each once.
pub(crate) fn payload_types(media: &Media) -> Vec<PayloadType> {
    let mut seen = [false; 128];
    media
        .fmt
        .split_whitespace()
        .filter_map(|number| PayloadType::new(number.parse().ok()?))
        .filter(|number| !std::mem::replace(&mut seen[usize::from(number.number())], true))
        .collect()
}

/// Reads rtpmap, fmtp and rtcp-fb of an m-line in one pass; what cannot be read is as if it were not there.
pub(crate) fn payload_info(media: &Media) -> BTreeMap<PayloadType, PayloadInfo> {
    let mut info: BTreeMap<_, PayloadInfo> = payload_types(media)
        .into_iter()
        .map(|number| (number, PayloadInfo::default()))
        .collect();
    for attribute in &media.attributes {
        let Some(value) = attribute.value.as_deref() else {
            continue;
        };
        match attribute.attribute.as_str() {
            "rtpmap" => {
                if let Ok(map) = value.parse::<RtpMap>()
                    && let Some(info) = entry(&mut info, map.payload_type)
                    && info.map.is_none()
                {
                    info.map = Some(map);
                }
            }
            "fmtp" => {
                if let Some((number, parameters)) = value.split_once(' ')
                    && let Ok(number) = number.parse()
                    && let Some(info) = entry(&mut info, number)
                    && info.fmtp.is_empty()
                {
                    info.fmtp = Fmtp::parse(parameters);
                }
            }
            "rtcp-fb" => match value.parse::<RtcpFb>() {
                Ok(RtcpFb {
                    pt: RtcpFbPt::Wildcard,
                    val,
                }) => {
                    info.values_mut().for_each(|info| info.feedback.add(&val));
                }
                Ok(RtcpFb {
                    pt: RtcpFbPt::Fmt(number),
                    val,
                }) => {
                    if let Some(info) = entry(&mut info, number) {
                        info.feedback.add(&val);
                    }
                }
                Err(_) => {}
            },
            _ => {}
        }
    }
    info
}

fn entry(info: &mut BTreeMap<PayloadType, PayloadInfo>, number: u8) -> Option<&mut PayloadInfo> {
    info.get_mut(&PayloadType::new(number)?)
}

impl Feedback {
    fn add(&mut self, value: &RtcpFbVal) {
        self.nack |= value.is_nack();
        self.pli |= value.is_nack_pli();
        self.fir |= value.is_ccm_fir();
        self.transport_cc |= value.is_transport_cc();
    }
}

impl PayloadInfo {
    /// The codec, if it is one that is known here, at its clock rate.
    pub(crate) fn codec(&self) -> Option<Codec> {
        let map = self.map.as_ref()?;
        let codec = Codec::from_encoding_name(&map.encoding_name)?;
        let channels = map
            .encoding_params
            .as_deref()
            .and_then(|channels| channels.parse().ok());
        (codec.clock_rate() == map.clock_rate && codec.channels() == channels).then_some(codec)
    }

    pub(crate) fn is_rtx(&self) -> bool {
        self.map
            .as_ref()
            .is_some_and(|map| map.encoding_name.eq_ignore_ascii_case("rtx"))
    }

    /// Of a retransmission format: the payload type it repairs (RFC 4588 §8.6).
    pub(crate) fn apt(&self) -> Option<PayloadType> {
        if !self.is_rtx() {
            return None;
        }
        PayloadType::new(self.fmtp.value("apt")?.parse().ok()?)
    }
}

fn read_formats(media: &Media) -> Vec<OfferedFormat> {
    let info = payload_info(media);
    let order = payload_types(media);
    let rtx_of = |number| order.iter().copied().find(|rtx| info[rtx].apt() == Some(number));
    let kind = MediaKind::from_sdp(&media.media);
    order
        .iter()
        .filter_map(|number| {
            let PayloadInfo { fmtp, feedback, .. } = &info[number];
            let codec = info[number].codec().filter(|codec| codec.kind() == kind)?;
            Some(OfferedFormat {
                format: Format {
                    codec,
                    payload_type: *number,
                    rtx: rtx_of(*number),
                    fmtp: fmtp.clone(),
                },
                nack: feedback.nack,
                pli: feedback.pli,
                fir: feedback.fir,
                transport_cc: feedback.transport_cc,
            })
        })
        .collect()
}

const TWCC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const ABS_SEND_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";

fn read_extensions(session: &Session, media: &Media) -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    let attributes = media.attributes.iter().chain(&session.attributes);
    for attribute in attributes.filter(|attribute| attribute.attribute == "extmap") {
        let Some(Ok(map)) = attribute.value.as_deref().map(str::parse::<ExtMap>) else {
            continue;
        };
        let id = match map.uri.as_str() {
            "urn:ietf:params:rtp-hdrext:sdes:mid" => &mut ids.mid,
            "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" => &mut ids.rid,
            "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id" => &mut ids.repaired_rid,
            "urn:ietf:params:rtp-hdrext:ssrc-audio-level" => &mut ids.audio_level,
            TWCC_URI => &mut ids.twcc,
            ABS_SEND_TIME_URI => &mut ids.abs_send_time,
            _ => continue,
        };
        id.get_or_insert(map.id);
    }
    ids
}

#[cfg(test)]
mod tests;

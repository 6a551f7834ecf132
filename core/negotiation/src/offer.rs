//! Offers: completing ours, reading those of others.

use std::collections::{BTreeMap, BTreeSet};

use sdp_types::{Attribute, Media, Session};
use weir_units::{Mid, PayloadType};

use crate::{
    Direction, ExtensionIds, Format, MediaKind, OfferedFormat, SdpError,
    format::dynamic_payload_types,
    sdp::{self, Section},
};

/// Feedback messages that can be negotiated for a format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// How an offer is completed. The default is to leave it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    let mut session = sdp::parse(sdp)?;
    let mut numbers = PayloadTypes::new(&session);
    for media in session.medias.iter_mut().filter(|media| !sdp::is_rejected(media)) {
        let kind = MediaKind::from_sdp(&media.media);
        if options.rtx && kind == MediaKind::Video {
            complete_rtx(media, &options.formats, &mut numbers)?;
        }
        complete_feedback(media, kind, options.feedback);
        if options.send_only && matches!(kind, MediaKind::Audio | MediaKind::Video) {
            complete_direction(media, sdp::direction(&session.attributes));
        }
    }
    let mut bytes = Vec::with_capacity(sdp.len() + 1_024);
    session
        .write(&mut bytes)
        .map_err(|error| SdpError::Unparsable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| SdpError::Unparsable(error.to_string()))
}

/// Reads an offer.
///
/// # Errors
/// It is no session description, or one that a WebRTC peer cannot answer.
pub fn read_offer(offer: &str) -> Result<Vec<MediaOffer>, SdpError> {
    let sections = sdp::read_sections(&sdp::parse(offer)?, true)?;
    let read = |(index, section): (usize, Section)| MediaOffer {
        index,
        kind: section.kind,
        mid: section.mid,
        rejected: section.rejected,
        direction: section.direction,
        formats: section.formats,
        extensions: section.extensions,
        stream_id: section.stream_id,
    };
    Ok(sections.into_iter().enumerate().map(read).collect())
}

/// Which payload types are in use: in a bundle a number has one meaning (RFC 8843 §10.1).
struct PayloadTypes {
    used: BTreeSet<PayloadType>,
    /// The retransmission format of each codec, in whichever m-line: one number repairs another in all of them.
    rtx: BTreeMap<PayloadType, PayloadType>,
}

impl PayloadTypes {
    fn new(session: &Session) -> Self {
        Self {
            used: session.medias.iter().flat_map(mentioned).collect(),
            rtx: BTreeMap::new(),
        }
    }

    /// A retransmission format for `codec` in `media`: the one it has in another m-line, or else the first free one
    /// of `wished`, or any.
    fn rtx_of(
        &mut self,
        media: &Media,
        codec: PayloadType,
        wished: impl IntoIterator<Item = PayloadType>,
    ) -> Result<PayloadType, SdpError> {
        if let Some(rtx) = self.rtx.get(&codec)
            && !mentioned(media).any(|number| number == *rtx)
        {
            return Ok(*rtx);
        }
        let mut numbers = wished.into_iter().chain(dynamic_payload_types());
        let rtx = numbers
            .find(|number| self.used.insert(*number))
            .ok_or(SdpError::OutOfPayloadTypes)?;
        self.rtx.insert(codec, rtx);
        Ok(rtx)
    }
}

/// The payload types that an m-line has or, without having them, describes.
fn mentioned(media: &Media) -> impl Iterator<Item = PayloadType> {
    let described = media
        .attributes
        .iter()
        .filter_map(|attribute| described_format(attribute)?.parse().ok());
    sdp::payload_types(media)
        .into_iter()
        .chain(described.filter_map(PayloadType::new))
}

/// Every codec gets exactly one retransmission format; those that repair nothing, or what another one repairs, go.
fn complete_rtx(media: &mut Media, formats: &[Format], numbers: &mut PayloadTypes) -> Result<(), SdpError> {
    let info = sdp::payload_info(media);
    let mut repaired = BTreeSet::new();
    for number in sdp::payload_types(media)
        .into_iter()
        .filter(|number| info[number].is_rtx())
    {
        let apt = info[&number]
            .apt()
            .filter(|apt| info.get(apt).is_some_and(|info| !info.is_rtx()));
        match apt.filter(|apt| repaired.insert(*apt)) {
            Some(apt) => {
                numbers.rtx.entry(apt).or_insert(number);
            }
            None => remove_format(media, number),
        }
    }
    for number in sdp::payload_types(media) {
        let Some(map) = info[&number]
            .map
            .as_ref()
            .filter(|map| !is_repair(&map.encoding_name))
        else {
            continue;
        };
        if repaired.contains(&number) {
            continue;
        }
        let preferred = formats
            .iter()
            .find(|format| format.payload_type == number)
            .and_then(|format| format.rtx);
        let next = PayloadType::new(number.number() + 1).filter(|next| next.number() > 96);
        let rtx = numbers.rtx_of(media, number, preferred.into_iter().chain(next))?;
        add_format(media, number, rtx);
        let lines = [
            ("rtpmap", format!("{rtx} rtx/{}", map.clock_rate)),
            ("fmtp", format!("{rtx} apt={number}")),
        ];
        add_after_format(media, number, lines);
    }
    Ok(())
}

/// Formats that repair others rather than carry media.
fn is_repair(encoding_name: &str) -> bool {
    ["rtx", "red", "ulpfec", "flexfec", "flexfec-03"]
        .iter()
        .any(|name| encoding_name.eq_ignore_ascii_case(name))
}

fn complete_feedback(media: &mut Media, kind: MediaKind, wanted: Feedback) {
    let is_video = match kind {
        MediaKind::Video => true,
        MediaKind::Audio => false,
        MediaKind::Application | MediaKind::Other => return,
    };
    let info = sdp::payload_info(media);
    for (number, info) in info {
        if info.map.is_none_or(|map| is_repair(&map.encoding_name)) {
            continue;
        }
        let has = info.feedback;
        let lines = [
            (is_video && wanted.nack && !has.nack, "nack"),
            (is_video && wanted.pli && !has.pli, "nack pli"),
            (is_video && wanted.fir && !has.fir, "ccm fir"),
            (wanted.transport_cc && !has.transport_cc, "transport-cc"),
        ];
        let lines = lines.into_iter().filter(|(is_missing, _)| *is_missing);
        add_after_format(
            media,
            number,
            lines.map(|(_, value)| ("rtcp-fb", format!("{number} {value}"))),
        );
    }
}

fn complete_direction(media: &mut Media, of_session: Option<Direction>) {
    let is_direction = |attribute: &&mut Attribute| Direction::from_sdp(&attribute.attribute).is_some();
    match media.attributes.iter_mut().find(is_direction) {
        Some(attribute) if attribute.attribute == "sendrecv" => {
            "sendonly".clone_into(&mut attribute.attribute)
        }
        Some(_) => {}
        None if of_session.unwrap_or_default() == Direction::SendRecv => {
            media.add_attribute_from_str("sendonly")
        }
        None => {}
    }
}

fn add_format(media: &mut Media, after: PayloadType, number: PayloadType) {
    let after = after.to_string();
    let formats = media.fmt.split_whitespace().flat_map(|format| {
        let added = (format == after).then(|| number.to_string());
        std::iter::once(format.to_owned()).chain(added)
    });
    media.fmt = formats.collect::<Vec<_>>().join(" ");
}

fn remove_format(media: &mut Media, number: PayloadType) {
    let number = number.to_string();
    let formats: Vec<_> = media
        .fmt
        .split_whitespace()
        .filter(|format| *format != number)
        .collect();
    media.fmt = formats.join(" ");
    media
        .attributes
        .retain(|attribute| !describes(attribute, &number));
}

/// Adds attributes behind the last one that describes a format.
fn add_after_format(
    media: &mut Media,
    format: PayloadType,
    attributes: impl IntoIterator<Item = (&'static str, String)>,
) {
    let format = format.to_string();
    let at = media
        .attributes
        .iter()
        .rposition(|attribute| describes(attribute, &format));
    let at = at.map_or(media.attributes.len(), |at| at + 1);
    let attributes = attributes.into_iter().map(|(name, value)| Attribute {
        attribute: name.to_owned(),
        value: Some(value),
    });
    media.attributes.splice(at..at, attributes);
}

fn describes(attribute: &Attribute, format: &str) -> bool {
    described_format(attribute) == Some(format)
}

fn described_format(attribute: &Attribute) -> Option<&str> {
    match attribute.attribute.as_str() {
        "rtpmap" | "fmtp" | "rtcp-fb" => attribute.value.as_deref()?.split(' ').next(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

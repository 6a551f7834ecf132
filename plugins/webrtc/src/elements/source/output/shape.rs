//! In which form media leaves by a pad: what downstream accepts decides.

use super::format::PayloadFormat;

/// A form of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// RTP packets, as they came in.
    Rtp,
    /// Encoded media, depayloaded and parsed.
    Encoded,
    /// Pictures or samples.
    Raw,
}

impl Shape {
    /// The form in which `format` is to be given to somebody who accepts `downstream`; none if there is no such form.
    ///
    /// RTP goes to who asks for RTP first, encoded media to who names that codec, and raw media to everybody else who
    /// takes it, or takes anything.
    pub(super) fn for_downstream(downstream: &gst::CapsRef, format: &PayloadFormat) -> Option<Self> {
        if downstream.is_any() {
            return Some(Self::Raw);
        }
        let accepts = |name: &str| downstream.iter().any(|structure| structure.name() == name);
        if downstream.structure(0).is_some_and(|first| first.name() == RTP) {
            return Some(Self::Rtp);
        }
        if !format.is_raw && accepts(format.media_type) {
            Some(Self::Encoded)
        } else if accepts(format.raw_type()) {
            Some(Self::Raw)
        } else if accepts(RTP) {
            Some(Self::Rtp)
        } else {
            None
        }
    }
}

const RTP: &str = "application/x-rtp";

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn shape(downstream: &str, encoding: &str) -> Option<Shape> {
        gst::init().unwrap();
        let caps = gst::Caps::from_str(downstream).unwrap();
        Shape::for_downstream(&caps, PayloadFormat::from_encoding_name(encoding).unwrap())
    }

    #[test]
    fn whoever_takes_anything_gets_decoded_media() {
        assert_eq!(shape("ANY", "VP8"), Some(Shape::Raw));
        assert_eq!(shape("ANY", "OPUS"), Some(Shape::Raw));
    }

    #[test]
    fn raw_caps_with_any_memory_get_decoded_media() {
        assert_eq!(
            shape("video/x-raw(memory:GLMemory),format=RGBA", "H264"),
            Some(Shape::Raw)
        );
        assert_eq!(shape("audio/x-raw,format=F32LE", "OPUS"), Some(Shape::Raw));
    }

    #[test]
    fn who_names_the_codec_gets_it_encoded_even_if_raw_would_do() {
        assert_eq!(shape("video/x-vp8", "VP8"), Some(Shape::Encoded));
        assert_eq!(
            shape("video/x-raw,format=RGB;video/x-h264,stream-format=avc", "H264"),
            Some(Shape::Encoded)
        );
    }

    #[test]
    fn another_codec_than_the_named_one_is_not_passed_off_for_it() {
        assert_eq!(shape("video/x-h264", "VP8"), None);
        assert_eq!(shape("video/x-h264;video/x-raw", "VP8"), Some(Shape::Raw));
        assert_eq!(shape("audio/x-raw", "VP8"), None);
    }

    #[test]
    fn rtp_goes_to_who_asks_for_it_first_or_for_nothing_else_that_we_have() {
        assert_eq!(shape("application/x-rtp", "VP8"), Some(Shape::Rtp));
        assert_eq!(shape("application/x-rtp;video/x-raw", "VP8"), Some(Shape::Rtp));
        assert_eq!(shape("video/x-raw;application/x-rtp", "VP8"), Some(Shape::Raw));
        assert_eq!(shape("video/x-h264;application/x-rtp", "VP8"), Some(Shape::Rtp));
    }

    #[test]
    fn samples_that_travel_unencoded_are_raw_media() {
        assert_eq!(shape("audio/x-raw", "L16"), Some(Shape::Raw));
        assert_eq!(shape("audio/x-opus", "L16"), None);
    }
}

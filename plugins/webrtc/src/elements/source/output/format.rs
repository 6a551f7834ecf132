//! The RTP payload formats that can be received, and the elements that take them apart.

/// A payload format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PayloadFormat {
    /// The encoding name of RTP caps, in capitals.
    pub(crate) encoding_name: &'static str,
    /// What the application calls it in `video-codecs` and `audio-codecs`.
    pub(crate) codec_name: &'static str,
    /// Whether it is video; else it is audio.
    pub(crate) video: bool,
    /// The element that makes media of packets.
    depayloaders: &'static [&'static str],
    /// The element that frames it as decoders and muxers want it, if it needs one.
    pub(super) parser: Option<&'static str>,
    /// The name of its caps once it is depayloaded.
    pub(super) media_type: &'static str,
    /// Whether it needs no decoder.
    pub(super) is_raw: bool,
}

impl PayloadFormat {
    /// The format by the encoding name of RTP caps, in any case (RFC 4855, section 3).
    pub(crate) fn from_encoding_name(name: &str) -> Option<&'static Self> {
        FORMATS
            .iter()
            .find(|format| format.encoding_name.eq_ignore_ascii_case(name))
    }

    /// The format by the name that applications use, in any case.
    pub(crate) fn from_codec_name(name: &str) -> Option<&'static Self> {
        FORMATS
            .iter()
            .find(|format| format.codec_name.eq_ignore_ascii_case(name))
    }

    /// The depayloader to use, if one is installed.
    pub(crate) fn depayloader(&self) -> Option<&'static str> {
        self.depayloaders
            .iter()
            .copied()
            .find(|name| gst::ElementFactory::find(name).is_some())
    }

    /// Ticks of the RTP timestamp per second, where that is fixed.
    pub(crate) fn clock_rate(&self) -> Option<i32> {
        match self.encoding_name {
            "OPUS" => Some(48_000),
            _ if self.video => Some(90_000),
            // Of samples that travel unencoded, the sender decides.
            _ => None,
        }
    }

    /// What an offer to receive it says besides (RFC 6184, section 8.1; RFC 7587, section 7).
    pub(crate) fn offered_parameters(&self) -> &'static [(&'static str, &'static str)] {
        match self.encoding_name {
            "H264" => &[
                ("packetization-mode", "1"),
                ("profile-level-id", "42e01f"),
                ("level-asymmetry-allowed", "1"),
            ],
            "OPUS" => &[("encoding-params", "2")],
            _ => &[],
        }
    }

    /// The name of caps of the decoded media.
    pub(super) fn raw_type(&self) -> &'static str {
        if self.video { "video/x-raw" } else { "audio/x-raw" }
    }
}

static FORMATS: [PayloadFormat; 10] = [
    PayloadFormat {
        encoding_name: "VP8",
        codec_name: "VP8",
        video: true,
        depayloaders: &["rtpvp8depay"],
        parser: None,
        media_type: "video/x-vp8",
        is_raw: false,
    },
    PayloadFormat {
        encoding_name: "VP9",
        codec_name: "VP9",
        video: true,
        depayloaders: &["rtpvp9depay"],
        parser: Some("vp9parse"),
        media_type: "video/x-vp9",
        is_raw: false,
    },
    PayloadFormat {
        encoding_name: "H264",
        codec_name: "H264",
        video: true,
        depayloaders: &["rtph264depay"],
        parser: Some("h264parse"),
        media_type: "video/x-h264",
        is_raw: false,
    },
    PayloadFormat {
        encoding_name: "H265",
        codec_name: "H265",
        video: true,
        depayloaders: &["rtph265depay"],
        parser: Some("h265parse"),
        media_type: "video/x-h265",
        is_raw: false,
    },
    PayloadFormat {
        encoding_name: "AV1",
        codec_name: "AV1",
        video: true,
        // Not among GStreamer's own plugins: gst-plugins-rs has it.
        depayloaders: &["rtpav1depay"],
        parser: Some("av1parse"),
        media_type: "video/x-av1",
        is_raw: false,
    },
    PayloadFormat {
        encoding_name: "RAW",
        codec_name: "RAW",
        video: true,
        depayloaders: &["rtpvrawdepay"],
        parser: None,
        media_type: "video/x-raw",
        is_raw: true,
    },
    PayloadFormat {
        encoding_name: "OPUS",
        codec_name: "OPUS",
        video: false,
        depayloaders: &["rtpopusdepay"],
        parser: None,
        media_type: "audio/x-opus",
        is_raw: false,
    },
    PayloadFormat {
        encoding_name: "L24",
        codec_name: "L24",
        video: false,
        depayloaders: &["rtpL24depay"],
        parser: None,
        media_type: "audio/x-raw",
        is_raw: true,
    },
    PayloadFormat {
        encoding_name: "L16",
        codec_name: "L16",
        video: false,
        depayloaders: &["rtpL16depay"],
        parser: None,
        media_type: "audio/x-raw",
        is_raw: true,
    },
    PayloadFormat {
        encoding_name: "L8",
        codec_name: "L8",
        video: false,
        depayloaders: &["rtpL8depay"],
        parser: None,
        media_type: "audio/x-raw",
        is_raw: true,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_found_by_name_in_any_case() {
        for name in ["vp8", "VP8", "opus", "OPUS", "L24"] {
            assert!(PayloadFormat::from_encoding_name(name).is_some(), "{name}");
        }
        for name in ["rtx", "red", "ulpfec", "telephone-event", ""] {
            assert_eq!(
                PayloadFormat::from_encoding_name(name),
                None,
                "{name} is no media"
            );
        }
    }

    #[test]
    fn what_is_received_here_has_a_depayloader() {
        gst::init().unwrap();
        for name in ["VP8", "VP9", "H264", "H265", "OPUS"] {
            let format = PayloadFormat::from_codec_name(name).unwrap();
            assert!(format.depayloader().is_some(), "{name}");
        }
    }
}

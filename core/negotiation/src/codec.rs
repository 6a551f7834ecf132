//! The codecs there are, as data.

use std::fmt;

/// What an m-line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// `m=audio`.
    Audio,
    /// `m=video`.
    Video,
    /// `m=application`: data channels (RFC 8841).
    Application,
    /// Something that WebRTC has no use for.
    Other,
}

impl MediaKind {
    /// The kind by its name in an m-line.
    pub fn from_sdp(media: &str) -> Self {
        match media {
            "audio" => Self::Audio,
            "video" => Self::Video,
            "application" => Self::Application,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Other => "other",
        })
    }
}

/// A codec that can be negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// H.265 (RFC 7798).
    H265,
    /// AV1 (RTP payload format of the Alliance for Open Media).
    Av1,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Vp8,
        Self::Vp9,
        Self::H264,
        Self::H265,
        Self::Av1,
        Self::Opus,
    ];

    /// Audio or video.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1 => MediaKind::Video,
            Self::Opus => MediaKind::Audio,
        }
    }

    /// The encoding name in `a=rtpmap` and in RTP caps.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Av1 => "AV1",
            Self::Opus => "OPUS",
        }
    }

    /// The codec by its encoding name, in any case (RFC 4855 §3).
    pub fn from_encoding_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.encoding_name().eq_ignore_ascii_case(name))
    }

    /// Ticks of the RTP timestamp per second.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1 => 90_000,
            Self::Opus => 48_000,
        }
    }

    /// The channel count in `a=rtpmap`, which for Opus is 2 whatever is sent (RFC 7587 §7).
    pub const fn channels(self) -> Option<u8> {
        match self {
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1 => None,
            Self::Opus => Some(2),
        }
    }

    /// The name of GStreamer caps of encoded media.
    pub const fn caps_name(self) -> &'static str {
        match self {
            Self::Vp8 => "video/x-vp8",
            Self::Vp9 => "video/x-vp9",
            Self::H264 => "video/x-h264",
            Self::H265 => "video/x-h265",
            Self::Av1 => "video/x-av1",
            Self::Opus => "audio/x-opus",
        }
    }

    /// The codec by the name of its GStreamer caps.
    pub fn from_caps_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.caps_name() == name)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encoding_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_names_are_read_in_any_case() {
        for name in ["vp8", "VP8", "Vp8"] {
            assert_eq!(Codec::from_encoding_name(name), Some(Codec::Vp8));
        }
        assert_eq!(
            Codec::from_encoding_name("opus"),
            Some(Codec::Opus),
            "browsers write it small"
        );
        assert_eq!(
            Codec::from_encoding_name("AV1X"),
            None,
            "a draft's name, of a format that nobody makes"
        );
        assert_eq!(
            Codec::from_encoding_name("rtx"),
            None,
            "a repair format is no codec"
        );
    }

    #[test]
    fn every_codec_is_found_by_both_its_names() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_encoding_name(codec.encoding_name()), Some(codec));
            assert_eq!(Codec::from_caps_name(codec.caps_name()), Some(codec));
        }
        assert_eq!(Codec::from_caps_name("video/x-raw"), None);
    }

    #[test]
    fn caps_say_the_kind() {
        for codec in Codec::ALL {
            let (kind, _) = codec.caps_name().split_once('/').unwrap();
            assert_eq!(codec.kind(), MediaKind::from_sdp(kind));
        }
    }

    #[test]
    fn video_ticks_at_90_khz_and_opus_at_48() {
        assert!(
            Codec::ALL
                .into_iter()
                .all(|codec| codec.clock_rate() == if codec == Codec::Opus { 48_000 } else { 90_000 })
        );
        assert_eq!(Codec::Opus.channels(), Some(2));
        assert_eq!(Codec::H264.channels(), None);
    }

    #[test]
    fn kinds_are_those_of_m_lines() {
        for kind in [MediaKind::Audio, MediaKind::Video, MediaKind::Application] {
            assert_eq!(MediaKind::from_sdp(&kind.to_string()), kind);
        }
        assert_eq!(MediaKind::from_sdp("text"), MediaKind::Other);
    }

    #[test]
    fn a_codec_reads_as_its_encoding_name() {
        assert_eq!(Codec::H264.to_string(), "H264");
    }
}

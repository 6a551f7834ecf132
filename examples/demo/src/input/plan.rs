//! What is done with a stream, decided by what was seen of it.

use std::fmt;
use std::time::Duration;

use super::facts::{AudioFacts, VideoCodec, VideoFacts};

/// The longest time between key frames with which video may go through: who joins in between waits for the next one.
pub const LONGEST_GOP: Duration = Duration::from_secs(4);

/// What is done with a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is sent as it is.
    PassThrough,
    /// It is decoded, and encoded anew by the sink.
    Transcode(Reason),
}

/// Why a stream cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Browsers do not take this codec over WebRTC.
    Codec,
    /// Browsers do not have to take this profile.
    Profile(Option<String>),
    /// Its pictures are pairs of fields.
    Interlaced,
    /// Its frames are not sent in the order in which they are shown, which RTP for WebRTC cannot carry.
    Bidirectional,
    /// No key frame was seen at all.
    NoKeyFrame,
    /// Its key frames are further apart than [`LONGEST_GOP`].
    LongGop(Duration),
}

/// Decides what is done with video.
#[must_use]
pub fn plan_video(facts: &VideoFacts) -> Plan {
    let refusal = codec_refusal(facts).or_else(|| structure_refusal(facts));
    refusal.map_or(Plan::PassThrough, Plan::Transcode)
}

/// Decides what is done with audio: browsers take Opus.
#[must_use]
pub fn plan_audio(facts: AudioFacts) -> Plan {
    if facts.plain_opus {
        Plan::PassThrough
    } else {
        Plan::Transcode(Reason::Codec)
    }
}

fn codec_refusal(facts: &VideoFacts) -> Option<Reason> {
    // RFC 7742 asks browsers for H.264's constrained baseline; all of them take baseline without its rarities and main as well.
    let profiles: &[&str] = match facts.codec {
        VideoCodec::H264 => &["constrained-baseline", "baseline", "main"],
        VideoCodec::Vp8 => return None,
        VideoCodec::Vp9 => &["0"],
        VideoCodec::Other => return Some(Reason::Codec),
    };
    let known = facts
        .profile
        .as_deref()
        .is_some_and(|profile| profiles.contains(&profile));
    (!known).then(|| Reason::Profile(facts.profile.clone()))
}

fn structure_refusal(facts: &VideoFacts) -> Option<Reason> {
    if !facts.progressive {
        Some(Reason::Interlaced)
    } else if facts.bidirectional {
        Some(Reason::Bidirectional)
    } else if facts.key_frames == 0 {
        Some(Reason::NoKeyFrame)
    } else if facts.longest_gop > LONGEST_GOP {
        Some(Reason::LongGop(facts.longest_gop))
    } else {
        None
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PassThrough => write!(f, "goes through untouched"),
            Self::Transcode(reason) => write!(f, "is encoded anew, because {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec => write!(f, "browsers do not take this codec over WebRTC"),
            Self::Profile(Some(profile)) => write!(f, "browsers need not take its profile, {profile}"),
            Self::Profile(None) => write!(f, "its profile is unknown"),
            Self::Interlaced => write!(f, "it is interlaced"),
            Self::Bidirectional => write!(f, "it has B-frames, which WebRTC cannot carry"),
            Self::NoKeyFrame => write!(f, "no key frame was seen"),
            Self::LongGop(gop) => write!(
                f,
                "its key frames are up to {:.1} s apart (at most {} s let a viewer in soon enough)",
                gop.as_secs_f64(),
                LONGEST_GOP.as_secs()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good_h264() -> VideoFacts {
        VideoFacts {
            codec: VideoCodec::H264,
            profile: Some("main".into()),
            progressive: true,
            bidirectional: false,
            longest_gop: Duration::from_secs(2),
            key_frames: 3,
        }
    }

    #[test]
    fn h264_of_baseline_and_main_goes_through() {
        for profile in ["constrained-baseline", "baseline", "main"] {
            let facts = VideoFacts {
                profile: Some(profile.into()),
                ..good_h264()
            };
            assert_eq!(plan_video(&facts), Plan::PassThrough, "{profile}");
        }
    }

    #[test]
    fn each_property_that_browsers_cannot_take_is_named() {
        let cases = [
            (
                VideoFacts {
                    codec: VideoCodec::Other,
                    ..good_h264()
                },
                Reason::Codec,
            ),
            (
                VideoFacts {
                    profile: Some("high".into()),
                    ..good_h264()
                },
                Reason::Profile(Some("high".into())),
            ),
            (
                VideoFacts {
                    profile: None,
                    ..good_h264()
                },
                Reason::Profile(None),
            ),
            (
                VideoFacts {
                    progressive: false,
                    ..good_h264()
                },
                Reason::Interlaced,
            ),
            (
                VideoFacts {
                    bidirectional: true,
                    ..good_h264()
                },
                Reason::Bidirectional,
            ),
            (
                VideoFacts {
                    key_frames: 0,
                    ..good_h264()
                },
                Reason::NoKeyFrame,
            ),
        ];
        for (facts, reason) in cases {
            assert_eq!(plan_video(&facts), Plan::Transcode(reason), "{facts:?}");
        }
    }

    #[test]
    fn key_frames_exactly_at_the_limit_are_close_enough() {
        let with_gop = |longest_gop| {
            plan_video(&VideoFacts {
                longest_gop,
                ..good_h264()
            })
        };
        assert_eq!(with_gop(LONGEST_GOP), Plan::PassThrough);
        let longer = LONGEST_GOP + Duration::from_millis(1);
        assert_eq!(with_gop(longer), Plan::Transcode(Reason::LongGop(longer)));
    }

    #[test]
    fn vp8_needs_no_profile_and_vp9_needs_the_one_that_browsers_take() {
        let vp8 = VideoFacts {
            codec: VideoCodec::Vp8,
            profile: None,
            ..good_h264()
        };
        assert_eq!(plan_video(&vp8), Plan::PassThrough);
        let vp9 = |profile: &str| VideoFacts {
            codec: VideoCodec::Vp9,
            profile: Some(profile.into()),
            ..good_h264()
        };
        assert_eq!(plan_video(&vp9("0")), Plan::PassThrough);
        assert_eq!(
            plan_video(&vp9("2")),
            Plan::Transcode(Reason::Profile(Some("2".into())))
        );
    }

    #[test]
    fn opus_goes_through_and_other_audio_becomes_opus() {
        assert_eq!(plan_audio(AudioFacts { plain_opus: true }), Plan::PassThrough);
        assert_eq!(
            plan_audio(AudioFacts { plain_opus: false }),
            Plan::Transcode(Reason::Codec)
        );
    }
}

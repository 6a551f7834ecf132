//! What the application sets: cloned where it is used, never locked across a call.

use super::output::format::PayloadFormat;

/// The properties of webrtcsrc.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) stun_server: Option<String>,
    pub(super) turn_servers: Vec<String>,
    pub(super) meta: Option<gst::Structure>,
    /// By their names for applications, in order of preference.
    pub(super) video_codecs: Vec<&'static PayloadFormat>,
    pub(super) audio_codecs: Vec<&'static PayloadFormat>,
    pub(super) enable_data_channel_navigation: bool,
    pub(super) enable_control_data_channel: bool,
    pub(super) do_retransmission: bool,
    /// Of the jitter buffer, in milliseconds.
    pub(super) latency: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stun_server: None,
            turn_servers: Vec::new(),
            meta: None,
            video_codecs: codecs(["VP8", "H264", "VP9", "H265", "AV1"].into_iter(), true),
            audio_codecs: codecs(["OPUS"].into_iter(), false),
            enable_data_channel_navigation: false,
            enable_control_data_channel: false,
            do_retransmission: true,
            latency: 200,
        }
    }
}

/// The codecs with these names, those that are unknown or of the other kind left out.
pub(super) fn codecs<'a>(names: impl Iterator<Item = &'a str>, video: bool) -> Vec<&'static PayloadFormat> {
    let mut codecs = Vec::new();
    for format in names
        .filter_map(PayloadFormat::from_codec_name)
        .filter(|format| format.video == video)
    {
        if !codecs.contains(&format) {
            codecs.push(format);
        }
    }
    codecs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codecs_and_those_of_the_other_kind_are_left_out() {
        let names =
            |codecs: Vec<&PayloadFormat>| codecs.iter().map(|codec| codec.codec_name).collect::<Vec<_>>();
        let given = ["h264", "OPUS", "THEORA", "VP8", "H264"];
        assert_eq!(names(codecs(given.into_iter(), true)), ["H264", "VP8"]);
        assert_eq!(names(codecs(given.into_iter(), false)), ["OPUS"]);
    }
}

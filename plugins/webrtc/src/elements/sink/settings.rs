//! What the application sets: cloned where it is used, never locked across a call.

use std::net::IpAddr;

use gst::glib;
use weir_negotiation::Codec;

pub use mitigation::MitigationModes;

/// How a viewer's bitrate is found. The incumbent's names; which controller runs is the same for all but
/// `disabled` until there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "WeirWebRTCSinkCongestionControl")]
#[repr(i32)]
pub enum CongestionControl {
    /// Encoders keep their start bitrate.
    #[enum_value(name = "Disabled: no congestion control", nick = "disabled")]
    Disabled,
    /// The incumbent's own controller.
    #[enum_value(name = "Homegrown: simple sender-side heuristic", nick = "homegrown")]
    Homegrown,
    /// Google Congestion Control.
    #[default]
    #[enum_value(name = "Google Congestion Control algorithm", nick = "gcc")]
    GoogleCongestionControl,
}

/// What a viewer who joins a stream gets first, when its encoder makes no key frames on request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "WeirWebRTCSinkJoinPolicy")]
#[repr(i32)]
pub enum JoinPolicy {
    /// The pictures since the last key frame, paced, so that it sees the newest at once.
    #[default]
    #[enum_value(
        name = "Send the pictures since the last key frame, paced",
        nick = "cached-gop"
    )]
    CachedGop,
    /// Nothing until the next key frame.
    #[enum_value(name = "Wait for the next key frame", nick = "next-key-frame")]
    NextKeyFrame,
}

/// The properties of webrtcsink.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) video_caps: gst::Caps,
    pub(crate) audio_caps: gst::Caps,
    pub(crate) stun_server: Option<String>,
    pub(crate) turn_servers: Vec<String>,
    pub(crate) ice_transport_policy: gst_webrtc::WebRTCICETransportPolicy,
    pub(crate) congestion_control: CongestionControl,
    pub(crate) min_bitrate: u32,
    pub(crate) max_bitrate: u32,
    pub(crate) start_bitrate: u32,
    pub(crate) do_fec: bool,
    pub(crate) do_retransmission: bool,
    pub(crate) do_clock_signalling: bool,
    pub(crate) enable_mitigation_modes: MitigationModes,
    pub(crate) enable_control_data_channel: bool,
    pub(crate) enable_data_channel_navigation: bool,
    pub(crate) forward_metas: String,
    pub(crate) rtx_percentage: i32,
    pub(crate) meta: Option<gst::Structure>,
    pub(crate) max_viewers: u32,
    pub(crate) max_renditions: u32,
    pub(crate) join_policy: JoinPolicy,
    pub(crate) min_rtp_port: u16,
    pub(crate) max_rtp_port: u16,
    pub(crate) public_address: Option<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            video_caps: caps_of(&[Codec::Vp8, Codec::H264, Codec::Vp9, Codec::H265, Codec::Av1]),
            audio_caps: caps_of(&[Codec::Opus]),
            stun_server: None,
            turn_servers: Vec::new(),
            ice_transport_policy: gst_webrtc::WebRTCICETransportPolicy::All,
            congestion_control: CongestionControl::default(),
            min_bitrate: 1_000,
            max_bitrate: 8_192_000,
            start_bitrate: 2_048_000,
            do_fec: false,
            do_retransmission: true,
            do_clock_signalling: false,
            enable_mitigation_modes: MitigationModes::all(),
            enable_control_data_channel: false,
            enable_data_channel_navigation: false,
            forward_metas: String::new(),
            rtx_percentage: -1,
            meta: None,
            max_viewers: 0,
            max_renditions: 3,
            join_policy: JoinPolicy::default(),
            min_rtp_port: 0,
            max_rtp_port: 0,
            public_address: None,
        }
    }
}

impl Settings {
    /// The codecs of `video-caps` or `audio-caps`, in the application's order, each once.
    pub(crate) fn codecs(caps: &gst::CapsRef) -> Vec<Codec> {
        let mut codecs = Vec::new();
        for structure in caps.iter() {
            if let Some(codec) = Codec::from_caps_name(structure.name())
                && !codecs.contains(&codec)
            {
                codecs.push(codec);
            }
        }
        codecs
    }

    /// What FEC adds to video, in percent of it: webrtcbin's own 100 would double the bitrate.
    pub(crate) fn fec_percentage(&self) -> u32 {
        if self.do_fec { 50 } else { 0 }
    }

    /// The UDP ports for candidates, if the application restricts them.
    pub(crate) fn port_range(&self) -> Option<(u16, u16)> {
        (self.max_rtp_port != 0).then_some((self.min_rtp_port.min(self.max_rtp_port), self.max_rtp_port))
    }
}

fn caps_of(codecs: &[Codec]) -> gst::Caps {
    let mut caps = gst::Caps::new_empty();
    {
        let caps = caps.make_mut();
        for codec in codecs {
            caps.append_structure(gst::Structure::new_empty(codec.caps_name()));
        }
    }
    caps
}

/// The macro of flags documents nothing that it makes.
#[allow(missing_docs, reason = "the items are the macro's")]
mod mitigation {
    use gst::glib;

    /// What an encoder may give up when bandwidth is short.
    #[glib::flags(name = "WeirWebRTCSinkMitigationMode")]
    pub enum MitigationModes {
        /// Resolution.
        #[flags_value(name = "Downscaled: the picture may be made smaller", nick = "downscaled")]
        DOWNSCALED = 0b01,
        /// Frame rate.
        #[flags_value(name = "Downsampled: frames may be left out", nick = "downsampled")]
        DOWNSAMPLED = 0b10,
    }
}

//! The table of properties, and their way into and out of [`Settings`].

use gst::glib;
use gst::prelude::*;

use super::settings::{CongestionControl, JoinPolicy, MitigationModes, Settings};
use crate::signaller::Signallable;

/// Every property of webrtcsink but those of the embedded servers.
pub(super) fn table() -> Vec<glib::ParamSpec> {
    let d = Settings::default();
    vec![
        glib::ParamSpecBoxed::builder::<gst::Caps>("video-caps")
            .nick("Video encoder caps")
            .blurb("The video codecs to offer, in order of preference")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Caps>("audio-caps")
            .nick("Audio encoder caps")
            .blurb("The audio codecs to offer, in order of preference")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("stun-server")
            .nick("STUN server")
            .blurb("The STUN server of the form stun://hostname:port; NULL (the default) contacts none")
            .build(),
        gst::ParamSpecArray::builder("turn-servers")
            .nick("TURN servers")
            .blurb("The TURN servers of the form turn(s)://username:password@host:port")
            .element_spec(&glib::ParamSpecString::builder("turn-server").build())
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("ice-transport-policy", d.ice_transport_policy)
            .nick("ICE transport policy")
            .blurb("Whether all candidates may be used, or only relayed ones")
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("congestion-control", d.congestion_control)
            .nick("Congestion control")
            .blurb("How a viewer's bitrate is found (no effect yet: encoders keep start-bitrate)")
            .mutable_ready()
            .build(),
        uint("min-bitrate", "Minimum bitrate", "Lowest bitrate of a video stream, in bit/s", 1, u32::MAX, d.min_bitrate),
        uint("max-bitrate", "Maximum bitrate", "Highest bitrate of a video stream, in bit/s", 1, u32::MAX, d.max_bitrate),
        uint(
            "start-bitrate",
            "Start bitrate",
            "Bitrate that a video stream starts with, in bit/s",
            1,
            u32::MAX,
            d.start_bitrate,
        ),
        boolean("do-fec", "Do forward error correction", "Whether to offer and send ULPFEC with RED", d.do_fec),
        boolean(
            "do-retransmission",
            "Do retransmission",
            "Whether to resend lost video packets on request",
            d.do_retransmission,
        ),
        boolean(
            "do-clock-signalling",
            "Do clock signalling",
            "Whether to signal the clock by RFC 7273 (no effect yet)",
            d.do_clock_signalling,
        ),
        glib::ParamSpecFlags::builder::<MitigationModes>("enable-mitigation-modes")
            .nick("Enable mitigation modes")
            .blurb("What may be given up when bandwidth is short (no effect yet)")
            .default_value(d.enable_mitigation_modes)
            .mutable_playing()
            .build(),
        boolean(
            "enable-control-data-channel",
            "Enable control data channel",
            "Whether viewers may send events through a data channel (no effect yet)",
            d.enable_control_data_channel,
        ),
        boolean(
            "enable-data-channel-navigation",
            "Enable data channel navigation",
            "Deprecated: enable-control-data-channel (no effect yet)",
            d.enable_data_channel_navigation,
        ),
        glib::ParamSpecString::builder("forward-metas")
            .nick("Forward metas")
            .blurb("Comma-separated names of buffer metas to forward to viewers (no effect yet)")
            .default_value(Some(""))
            .mutable_playing()
            .build(),
        glib::ParamSpecInt::builder("rtx-percentage")
            .nick("RTX percentage")
            .blurb("Cap on retransmission, in percent of the bitrate; -1 for none (no effect yet)")
            .minimum(-1)
            .default_value(d.rtx_percentage)
            .mutable_ready()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("meta")
            .nick("Meta")
            .blurb("Metadata that the signaller tells others of this producer")
            .build(),
        glib::ParamSpecObject::builder::<Signallable>("signaller")
            .nick("Signaller")
            .blurb("The object that finds viewers and carries descriptions")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Consumer statistics")
            .blurb("Statistics of each session, as last known: reading them never waits")
            .read_only()
            .build(),
        uint(
            "max-viewers",
            "Maximum viewers",
            "How many viewers may watch at a time; further sessions are refused. 0 for any number",
            0,
            u32::MAX,
            d.max_viewers,
        ),
        uint(
            "max-renditions",
            "Maximum renditions",
            "How many encoders one stream may have, over all codecs; a viewer that needs one more is refused",
            1,
            16,
            d.max_renditions,
        ),
        glib::ParamSpecEnum::builder_with_default("join-policy", d.join_policy)
            .nick("Join policy")
            .blurb("What a viewer gets first from encoded input that makes no key frame on request")
            .mutable_playing()
            .build(),
        uint(
            "min-rtp-port",
            "Minimum RTP port",
            "Lowest UDP port for host candidates",
            0,
            u16::MAX.into(),
            d.min_rtp_port.into(),
        ),
        uint(
            "max-rtp-port",
            "Maximum RTP port",
            "Highest UDP port for host candidates; 0 for any port",
            0,
            u16::MAX.into(),
            d.max_rtp_port.into(),
        ),
        glib::ParamSpecString::builder("public-address")
            .nick("Public address")
            .blurb("IP address to tell viewers in place of the host's own (behind a one-to-one NAT, in a container)")
            .mutable_ready()
            .build(),
    ]
}

/// Takes a property over. `stats` and `signaller` are not settings, and do not come here.
pub(super) fn set(settings: &mut Settings, value: &glib::Value, name: &str) {
    match name {
        "video-caps" => settings.video_caps = caps(value),
        "audio-caps" => settings.audio_caps = caps(value),
        "stun-server" => settings.stun_server = string(value).filter(|server| !server.is_empty()),
        "turn-servers" => {
            settings.turn_servers = value
                .get::<gst::ArrayRef<'_>>()
                .map(|array| array.iter().filter_map(|server| server.get().ok()).collect())
                .unwrap_or_default();
        }
        "ice-transport-policy" => settings.ice_transport_policy = get(value),
        "congestion-control" => settings.congestion_control = get::<CongestionControl>(value),
        "min-bitrate" => settings.min_bitrate = get(value),
        "max-bitrate" => settings.max_bitrate = get(value),
        "start-bitrate" => settings.start_bitrate = get(value),
        "do-fec" => settings.do_fec = get(value),
        "do-retransmission" => settings.do_retransmission = get(value),
        "do-clock-signalling" => settings.do_clock_signalling = get(value),
        "enable-mitigation-modes" => settings.enable_mitigation_modes = get::<MitigationModes>(value),
        "enable-control-data-channel" => settings.enable_control_data_channel = get(value),
        "enable-data-channel-navigation" => settings.enable_data_channel_navigation = get(value),
        "forward-metas" => settings.forward_metas = string(value).unwrap_or_default(),
        "rtx-percentage" => settings.rtx_percentage = get(value),
        "meta" => settings.meta = value.get().unwrap_or_default(),
        "max-viewers" => settings.max_viewers = get(value),
        "max-renditions" => settings.max_renditions = get(value),
        "join-policy" => settings.join_policy = get::<JoinPolicy>(value),
        "min-rtp-port" => settings.min_rtp_port = port(value),
        "max-rtp-port" => settings.max_rtp_port = port(value),
        "public-address" => {
            let text = string(value).filter(|text| !text.is_empty());
            let address = text.as_deref().map(str::parse);
            if let Some(Err(_)) = address {
                glib::g_warning!(
                    "weir",
                    "public-address is not an IP address: {}",
                    text.unwrap_or_default()
                );
            }
            settings.public_address = address.and_then(Result::ok);
        }
        _ => unreachable!("GObject checks names against the table"),
    }
}

/// Reads a property that [`set`] takes.
pub(super) fn get_value(settings: &Settings, name: &str) -> glib::Value {
    match name {
        "video-caps" => settings.video_caps.to_value(),
        "audio-caps" => settings.audio_caps.to_value(),
        "stun-server" => settings.stun_server.to_value(),
        "turn-servers" => {
            gst::Array::new(settings.turn_servers.iter().map(|server| server.to_send_value())).to_value()
        }
        "ice-transport-policy" => settings.ice_transport_policy.to_value(),
        "congestion-control" => settings.congestion_control.to_value(),
        "min-bitrate" => settings.min_bitrate.to_value(),
        "max-bitrate" => settings.max_bitrate.to_value(),
        "start-bitrate" => settings.start_bitrate.to_value(),
        "do-fec" => settings.do_fec.to_value(),
        "do-retransmission" => settings.do_retransmission.to_value(),
        "do-clock-signalling" => settings.do_clock_signalling.to_value(),
        "enable-mitigation-modes" => settings.enable_mitigation_modes.to_value(),
        "enable-control-data-channel" => settings.enable_control_data_channel.to_value(),
        "enable-data-channel-navigation" => settings.enable_data_channel_navigation.to_value(),
        "forward-metas" => settings.forward_metas.to_value(),
        "rtx-percentage" => settings.rtx_percentage.to_value(),
        "meta" => settings.meta.to_value(),
        "max-viewers" => settings.max_viewers.to_value(),
        "max-renditions" => settings.max_renditions.to_value(),
        "join-policy" => settings.join_policy.to_value(),
        "min-rtp-port" => u32::from(settings.min_rtp_port).to_value(),
        "max-rtp-port" => u32::from(settings.max_rtp_port).to_value(),
        "public-address" => settings
            .public_address
            .map(|address| address.to_string())
            .to_value(),
        _ => unreachable!("GObject checks names against the table"),
    }
}

/// The properties that were set and have no effect yet.
pub(super) fn without_effect(settings: &Settings) -> Vec<&'static str> {
    let d = Settings::default();
    [
        (
            "congestion-control",
            settings.congestion_control != d.congestion_control,
        ),
        ("do-clock-signalling", settings.do_clock_signalling),
        (
            "enable-mitigation-modes",
            settings.enable_mitigation_modes != d.enable_mitigation_modes,
        ),
        (
            "enable-control-data-channel",
            settings.enable_control_data_channel,
        ),
        (
            "enable-data-channel-navigation",
            settings.enable_data_channel_navigation,
        ),
        ("forward-metas", !settings.forward_metas.is_empty()),
        ("rtx-percentage", settings.rtx_percentage != d.rtx_percentage),
    ]
    .into_iter()
    .filter_map(|(name, was_set)| was_set.then_some(name))
    .collect()
}

fn uint(
    name: &'static str,
    nick: &'static str,
    blurb: &'static str,
    min: u32,
    max: u32,
    default: u32,
) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(min)
        .maximum(max)
        .default_value(default)
        .mutable_ready()
        .build()
}

fn boolean(name: &'static str, nick: &'static str, blurb: &'static str, default: bool) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name)
        .nick(nick)
        .blurb(blurb)
        .default_value(default)
        .mutable_ready()
        .build()
}

/// GObject has checked the value's type and range against the table.
fn get<'v, T>(value: &'v glib::Value) -> T
where
    T: glib::value::FromValue<
            'v,
            Checker: glib::value::ValueTypeChecker<Error = glib::value::ValueTypeMismatchError>,
        >,
{
    match value.get() {
        Ok(value) => value,
        Err(_) => unreachable!("GObject checks types against the table"),
    }
}

fn string(value: &glib::Value) -> Option<String> {
    value.get().ok().flatten()
}

fn caps(value: &glib::Value) -> gst::Caps {
    value
        .get::<Option<gst::Caps>>()
        .ok()
        .flatten()
        .unwrap_or_else(gst::Caps::new_empty)
}

fn port(value: &glib::Value) -> u16 {
    value
        .get::<u32>()
        .ok()
        .and_then(|port| port.try_into().ok())
        .unwrap_or_default()
}

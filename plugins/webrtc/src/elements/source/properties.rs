//! The table of properties, and their way into and out of [`Settings`].

use gst::glib;
use gst::prelude::*;

use super::output::format::PayloadFormat;
use super::settings::{Settings, codecs};
use crate::signaller::Signallable;

/// Every property of the base class.
pub(super) fn table() -> Vec<glib::ParamSpec> {
    let d = Settings::default();
    vec![
        glib::ParamSpecString::builder("stun-server")
            .nick("STUN server")
            .blurb("The STUN server of the form stun://hostname:port; NULL (the default) contacts none")
            .mutable_ready()
            .build(),
        gst::ParamSpecArray::builder("turn-servers")
            .nick("TURN servers")
            .blurb("The TURN servers of the form turn(s)://username:password@host:port")
            .element_spec(&glib::ParamSpecString::builder("turn-server").build())
            .mutable_ready()
            .build(),
        glib::ParamSpecObject::builder::<Signallable>("signaller")
            .nick("Signaller")
            .blurb("The object that finds the producer and carries descriptions")
            .construct_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("meta")
            .nick("Meta")
            .blurb("Metadata that the signaller tells others of this consumer")
            .mutable_ready()
            .build(),
        gst::ParamSpecArray::builder("video-codecs")
            .nick("Video codecs")
            .blurb("The video codecs to accept, in order of preference: VP8, H264, VP9, H265, AV1, RAW")
            .element_spec(&glib::ParamSpecString::builder("codec").build())
            .mutable_ready()
            .build(),
        gst::ParamSpecArray::builder("audio-codecs")
            .nick("Audio codecs")
            .blurb("The audio codecs to accept, in order of preference: OPUS, L24, L16, L8")
            .element_spec(&glib::ParamSpecString::builder("codec").build())
            .mutable_ready()
            .build(),
        boolean(
            "enable-data-channel-navigation",
            "Enable data channel navigation",
            "Deprecated: enable-control-data-channel (no effect yet)",
            d.enable_data_channel_navigation,
        ),
        boolean(
            "enable-control-data-channel",
            "Enable control data channel",
            "Whether navigation and custom upstream events are sent to the producer (no effect yet)",
            d.enable_control_data_channel,
        ),
        boolean(
            "do-retransmission",
            "Do retransmission",
            "Whether lost video packets are asked for again",
            d.do_retransmission,
        ),
        glib::ParamSpecUInt::builder("latency")
            .nick("Latency")
            .blurb("How long received media waits in the jitter buffer, in milliseconds")
            .default_value(d.latency)
            .mutable_playing()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Statistics of the session, as last known: reading them never waits")
            .read_only()
            .build(),
    ]
}

/// Takes a property over. `signaller` and `stats` are not settings, and do not come here.
pub(super) fn set(settings: &mut Settings, value: &glib::Value, name: &str) {
    match name {
        "stun-server" => settings.stun_server = string(value).filter(|server| !server.is_empty()),
        "turn-servers" => settings.turn_servers = strings(value),
        "meta" => settings.meta = value.get().unwrap_or_default(),
        "video-codecs" => settings.video_codecs = codecs(strings(value).iter().map(String::as_str), true),
        "audio-codecs" => settings.audio_codecs = codecs(strings(value).iter().map(String::as_str), false),
        "enable-data-channel-navigation" => {
            settings.enable_data_channel_navigation = value.get().unwrap_or_default();
        }
        "enable-control-data-channel" => {
            settings.enable_control_data_channel = value.get().unwrap_or_default();
        }
        "do-retransmission" => settings.do_retransmission = value.get().unwrap_or_default(),
        "latency" => settings.latency = value.get().unwrap_or_default(),
        _ => unreachable!("GObject checks names against the table"),
    }
}

/// Reads a property that [`set`] takes.
pub(super) fn get(settings: &Settings, name: &str) -> glib::Value {
    match name {
        "stun-server" => settings.stun_server.to_value(),
        "turn-servers" => array(settings.turn_servers.iter().map(String::as_str)),
        "meta" => settings.meta.to_value(),
        "video-codecs" => codec_names(&settings.video_codecs),
        "audio-codecs" => codec_names(&settings.audio_codecs),
        "enable-data-channel-navigation" => settings.enable_data_channel_navigation.to_value(),
        "enable-control-data-channel" => settings.enable_control_data_channel.to_value(),
        "do-retransmission" => settings.do_retransmission.to_value(),
        "latency" => settings.latency.to_value(),
        _ => unreachable!("GObject checks names against the table"),
    }
}

/// The properties that were set and have no effect yet.
pub(super) fn without_effect(settings: &Settings) -> Vec<&'static str> {
    [
        (
            "enable-data-channel-navigation",
            settings.enable_data_channel_navigation,
        ),
        (
            "enable-control-data-channel",
            settings.enable_control_data_channel,
        ),
    ]
    .into_iter()
    .filter_map(|(name, was_set)| was_set.then_some(name))
    .collect()
}

fn boolean(name: &'static str, nick: &'static str, blurb: &'static str, default: bool) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name)
        .nick(nick)
        .blurb(blurb)
        .default_value(default)
        .mutable_ready()
        .build()
}

fn string(value: &glib::Value) -> Option<String> {
    value.get().unwrap_or_default()
}

fn strings(value: &glib::Value) -> Vec<String> {
    value
        .get::<gst::ArrayRef<'_>>()
        .map(|array| array.iter().filter_map(|entry| entry.get().ok()).collect())
        .unwrap_or_default()
}

fn codec_names(codecs: &[&'static PayloadFormat]) -> glib::Value {
    array(codecs.iter().map(|codec| codec.codec_name))
}

fn array<'a>(strings: impl Iterator<Item = &'a str>) -> glib::Value {
    gst::Array::new(strings.map(|string| string.to_send_value())).to_value()
}

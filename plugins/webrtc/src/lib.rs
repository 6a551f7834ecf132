//! The `weir` GStreamer plugin: WebRTC in ordinary pipelines, each stream encoded once for all its viewers.
//!
//! - `elements/`: the GObject shells of `webrtcsink` and `webrtcsrc`
//! - `session/`: one webrtcbin, wrapped
//! - `encoder/`: renditions, from raw or encoded media to lists of RTP packets
//! - `fanout/`: from renditions to viewers
//! - `signaller/`: the signaller interface and the default signaller

pub mod runtime;
mod session;
pub mod signaller;

use std::sync::LazyLock;

/// The debug category of the whole plugin (`GST_DEBUG=weir:6`).
pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("weir", gst::DebugColorFlags::empty(), Some("Weir: WebRTC, encoded once for all"))
});

//! The `weir` GStreamer plugin: WebRTC in ordinary pipelines, each stream encoded once for all its viewers.
//!
//! - `elements/`: the GObject shells of `webrtcsink` and `webrtcsrc`
//! - `session/`: one webrtcbin, wrapped
//! - `encoder/`: renditions, from raw or encoded media to lists of RTP packets
//! - `fanout/`: from renditions to viewers
//! - [`signaller`]: the signaller interface and the default signaller

mod clock;
mod elements;
pub mod embedded;
mod encoder;
mod fanout;
mod files;
mod reaper;
pub mod runtime;
mod session;
pub mod signaller;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

pub use elements::sink::{
    BaseWebRTCSink, BaseWebRTCSinkImpl, CongestionControl, JoinPolicy, MitigationModes, WebRTCSink,
    WebRTCSinkPad,
};
pub use elements::source::{BaseWebRTCSrc, BaseWebRTCSrcImpl, WebRTCSrc, WebRTCSrcPad};

/// The debug category of the whole plugin (`GST_DEBUG=weir:6`).
pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "weir",
        gst::DebugColorFlags::empty(),
        Some("Weir: WebRTC, encoded once for all"),
    )
});

/// Locks a mutex, also one that a panicking thread left: every critical section leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub use plugin::plugin_register_static;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    elements::sink::register(plugin)?;
    elements::source::register(plugin)
}

/// The plugin's entry points; the macro documents nothing that it makes.
#[allow(missing_docs, reason = "the items are the macro's")]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        weir,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MPL",
        "weir",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_REPOSITORY"),
        env!("BUILD_REL_DATE")
    );
}

//! The `weir` GStreamer plugin.

pub mod runtime;
pub mod signaller;

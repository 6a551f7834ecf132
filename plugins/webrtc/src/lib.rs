//! The `weir` GStreamer plugin.

pub mod embedded;
pub mod runtime;
pub mod signaller;

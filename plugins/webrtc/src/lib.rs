//! The `weir` GStreamer plugin.

//! Tells cargo about the plugin's version: commit and date.

fn main() {
    gst_plugin_version_helper::info();
}

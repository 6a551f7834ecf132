//! What an element is set to, as text, for the record.

use std::collections::BTreeMap;

use gst::glib;
use gst::prelude::*;

/// Settings by name.
pub(crate) type Settings = BTreeMap<&'static str, String>;

/// The values of those of `names` that the element has.
pub(crate) fn read(element: &gst::Element, names: &[&'static str]) -> Settings {
    names
        .iter()
        .filter(|name| element.has_property(name))
        .map(|name| (*name, text(&element.property_value(name))))
        .collect()
}

/// Which plugin an element comes from: its version and its file's name.
pub(crate) fn origin(element: &gst::Element) -> String {
    let plugin = element.factory().and_then(|factory| factory.plugin());
    let Some(plugin) = plugin else {
        return "no plugin".to_owned();
    };
    let file = plugin.filename();
    let file = file.as_deref().and_then(|path| path.file_name());
    format!(
        "{} {}",
        file.unwrap_or_default().to_string_lossy(),
        plugin.version()
    )
}

/// Points the element's signaller at the server.
pub(crate) fn set_server(element: &gst::Element, uri: &str) {
    element
        .property::<glib::Object>("signaller")
        .set_property("uri", uri);
    // No server of a stranger's: there is no network.
    element.set_property("stun-server", None::<&str>);
}

fn text(value: &glib::Value) -> String {
    if let Ok(Some(text)) = value.get::<Option<String>>() {
        return text;
    }
    match value.serialize() {
        Ok(text) => text.to_string(),
        Err(_) => "NULL".to_owned(),
    }
}

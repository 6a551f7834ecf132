//! `webrtcsrc` itself: the base class, URIs, and whom to watch.

use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::BaseWebRTCSrcImpl;
use crate::lock;
use crate::signaller::Signaller;

/// The subclass for the default signaller.
#[derive(Default)]
pub struct WebRTCSrc {
    uri: Mutex<Option<String>>,
}

#[glib::object_subclass]
impl ObjectSubclass for WebRTCSrc {
    const NAME: &'static str = "WeirWebRTCSrc";
    type Type = super::WebRTCSrc;
    type ParentType = super::BaseWebRTCSrc;
    type Interfaces = (gst::URIHandler,);
}

impl ObjectImpl for WebRTCSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecBoolean::builder("connect-to-first-producer")
                    .nick("Connect to first producer")
                    .blurb(
                        "Whether to watch the first producer that there is; it is waited for, and when its session \
                         has ended, so is the next",
                    )
                    .mutable_ready()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, _pspec: &glib::ParamSpec) {
        self.set_connect_to_first_producer(value.get().unwrap_or_default());
    }

    fn property(&self, _id: usize, _pspec: &glib::ParamSpec) -> glib::Value {
        let signaller = self.signaller();
        signaller
            .is_some_and(|signaller| signaller.property::<bool>("connect-to-first-producer"))
            .to_value()
    }
}

impl GstObjectImpl for WebRTCSrc {}

impl ElementImpl for WebRTCSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC source (Weir)",
                "Source/Network/WebRTC",
                "Receives the streams of a WebRTC producer",
                "The Weir authors",
            )
        });
        Some(&METADATA)
    }
}

impl BinImpl for WebRTCSrc {}
impl BaseWebRTCSrcImpl for WebRTCSrc {}

impl URIHandlerImpl for WebRTCSrc {
    const URI_TYPE: gst::URIType = gst::URIType::Src;

    fn protocols() -> &'static [&'static str] {
        &["gstwebrtc", "gstwebrtcs"]
    }

    fn uri(&self) -> Option<String> {
        lock(&self.uri).clone()
    }

    fn set_uri(&self, uri: &str) -> Result<(), glib::Error> {
        let bad = |sentence: &str| glib::Error::new(gst::URIError::BadUri, sentence);
        let server = server_of(uri).map_err(|error| bad(&error.to_string()))?;
        let signaller = self
            .signaller()
            .ok_or_else(|| bad("this signaller takes no URI"))?;
        signaller.set_property("uri", server.uri.as_str());
        if server.first_producer {
            self.set_connect_to_first_producer(true);
        }
        *lock(&self.uri) = Some(uri.to_owned());
        Ok(())
    }
}

impl WebRTCSrc {
    /// The signaller, if it is the default one: others have no such properties.
    fn signaller(&self) -> Option<Signaller> {
        let base = self.obj();
        let base = base.upcast_ref::<super::BaseWebRTCSrc>();
        base.imp().signaller().downcast().ok()
    }

    fn set_connect_to_first_producer(&self, connect: bool) {
        match self.signaller() {
            Some(signaller) => {
                signaller.set_property("connect-to-first-producer", connect);
                signaller.set_property("keep-watching", connect);
            }
            None if connect => {
                gst::warning!(
                    crate::CAT,
                    imp = self,
                    "connect-to-first-producer has no effect with this signaller"
                );
            }
            None => (),
        }
    }
}

/// The signalling server that a URI names.
#[derive(Debug)]
struct Server {
    /// With the scheme of a WebSocket, and the query, which the signaller understands.
    uri: String,
    /// The query asks for the first producer that there is.
    first_producer: bool,
}

/// Why a URI names no signalling server.
#[derive(Debug, thiserror::Error)]
enum BadUri {
    #[error("not a URI: {0}")]
    Unparsable(#[from] url::ParseError),
    #[error("the scheme is neither gstwebrtc nor gstwebrtcs")]
    Scheme,
    #[error("there is no host")]
    NoHost,
}

fn server_of(uri: &str) -> Result<Server, BadUri> {
    let parsed = url::Url::parse(uri)?;
    let scheme = match parsed.scheme() {
        "gstwebrtc" => "ws",
        "gstwebrtcs" => "wss",
        _ => return Err(BadUri::Scheme),
    };
    if parsed.host_str().is_none_or(str::is_empty) {
        return Err(BadUri::NoHost);
    }
    let first_producer = parsed
        .query_pairs()
        .any(|(name, value)| name == "connect-to-first-producer" && matches!(&*value, "" | "1" | "true"));
    let rest = uri.split_once(':').map_or("", |(_, rest)| rest);
    Ok(Server {
        uri: format!("{scheme}:{rest}"),
        first_producer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_the_server_with_the_scheme_of_a_websocket() {
        let server = server_of("gstwebrtc://127.0.0.1:8443/path?peer-id=abc").unwrap();
        assert_eq!(server.uri, "ws://127.0.0.1:8443/path?peer-id=abc");
        assert!(!server.first_producer);
        assert_eq!(
            server_of("gstwebrtcs://example.org").unwrap().uri,
            "wss://example.org"
        );
    }

    #[test]
    fn the_first_producer_is_asked_for_in_three_ways_and_refused_in_others() {
        for (query, expected) in [
            ("=true", true),
            ("=1", true),
            ("=", true),
            ("", true),
            ("=0", false),
            ("=no", false),
        ] {
            let uri = format!("gstwebrtc://h:1?connect-to-first-producer{query}");
            assert_eq!(server_of(&uri).unwrap().first_producer, expected, "{uri}");
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for uri in ["http://h", "gstwebrtc:", "gstwebrtc:///path", "nonsense"] {
            assert!(server_of(uri).is_err(), "{uri}");
        }
    }
}

//! The signaller's `uri`: where the server is, and, for consumers, whom to watch.

use url::Url;

use super::client::Target;

/// Where to connect to, and whom the URI's query names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `ws` or `wss`, with a host; the keys that are ours are taken out of its query.
    pub(super) url: Url,
    pub(super) target: Option<Target>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("it is no URI: {0}")]
    Unreadable(#[from] url::ParseError),
    #[error("its scheme is {0:?}, but ws and wss are what a signaller speaks")]
    Scheme(String),
    #[error("it names no host")]
    NoHost,
}

/// Reads `ws[s]://host[:port]/path?peer-id=…` (or `gstwebrtc[s]://…`). `connect-to-first-producer` may stand alone, or
/// with `true` or `1`.
pub(super) fn parse(uri: &str) -> Result<Address, AddressError> {
    // A scheme that is not one of the web's cannot be changed into one that is, so that is done in the text.
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let text = match scheme.to_ascii_lowercase().as_str() {
        "gstwebrtc" => format!("ws:{rest}"),
        "gstwebrtcs" => format!("wss:{rest}"),
        _ => uri.to_owned(),
    };
    let mut url = Url::parse(&text)?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(AddressError::Scheme(url.scheme().to_owned()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(AddressError::NoHost);
    }
    let mut target = None;
    let mut others = Vec::new();
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "peer-id" if !value.is_empty() => target = Some(Target::Peer(value.into_owned())),
            "peer-id" => {}
            "connect-to-first-producer" => {
                if target.is_none() && matches!(value.as_ref(), "" | "1" | "true") {
                    target = Some(Target::First);
                }
            }
            _ => others.push((key.into_owned(), value.into_owned())),
        }
    }
    if others.is_empty() {
        url.set_query(None);
    } else {
        url.query_pairs_mut().clear().extend_pairs(others);
    }
    Ok(Address { url, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> (String, Option<Target>) {
        let address = parse(uri).unwrap();
        (address.url.to_string(), address.target)
    }

    #[test]
    fn the_query_names_whom_to_watch_and_is_not_sent() {
        let peer = |id: &str| Some(Target::Peer(id.to_owned()));
        for (uri, url, target) in [
            ("ws://127.0.0.1:8443/", "ws://127.0.0.1:8443/", None),
            ("ws://127.0.0.1:8443", "ws://127.0.0.1:8443/", None),
            ("ws://h:1/p?peer-id=a%20b", "ws://h:1/p", peer("a b")),
            ("gstwebrtc://h:1?peer-id=x", "ws://h:1/", peer("x")),
            (
                "gstwebrtcs://h/p?connect-to-first-producer",
                "wss://h/p",
                Some(Target::First),
            ),
            (
                "wss://h?connect-to-first-producer=true&token=t",
                "wss://h/?token=t",
                Some(Target::First),
            ),
            ("ws://h?connect-to-first-producer=false", "ws://h/", None),
            (
                "ws://h?connect-to-first-producer=1&peer-id=x",
                "ws://h/",
                peer("x"),
            ),
            ("ws://[::1]:8443", "ws://[::1]:8443/", None),
        ] {
            assert_eq!(read(uri), (url.to_owned(), target), "{uri}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_server_is_refused_with_a_reason() {
        for uri in [
            "",
            "ws",
            "ws://",
            "http://h/",
            "file:///etc/passwd",
            "ws://h:99999/",
            "gstwebrtc:",
        ] {
            assert!(parse(uri).is_err(), "{uri:?} should be refused");
        }
        assert_eq!(parse("http://h/"), Err(AddressError::Scheme("http".to_owned())));
    }
}

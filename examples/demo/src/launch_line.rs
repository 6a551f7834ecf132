//! The same pipeline as a person would type it for gst-launch-1.0.

use std::path::Path;

use crate::input::plan::Plan;
use crate::input::probe::{Contents, Stream};
use crate::input::{Input, Media};
use crate::serving::Serving;

/// A live picture with a clock, so that delay can be seen, and with the stream's own time.
pub(crate) const TEST_VIDEO: &str = "videotestsrc is-live=true ! video/x-raw,width=1280,height=720,framerate=30/1 ! \
     clockoverlay time-format=%H:%M:%S font-desc=\"Sans 20\" ! \
     timeoverlay halignment=right valignment=bottom font-desc=\"Sans 20\"";

/// A tick each second.
pub(crate) const TEST_AUDIO: &str = "audiotestsrc is-live=true wave=ticks";

/// What plays a camera of this machine.
pub(crate) fn device_video(path: &Path) -> String {
    format!(
        "v4l2src device={} ! decodebin ! videoconvert",
        property(&path.display().to_string())
    )
}

/// The sink's properties, as pairs of name and value.
pub(crate) fn sink_properties(input: &Input, serving: &Serving) -> Vec<(&'static str, String)> {
    let meta = gst::Structure::builder("meta")
        .field("name", input.name())
        .build();
    let (host, port) = (
        serving.address.ip().to_string(),
        serving.address.port().to_string(),
    );
    let scheme = if serving.certificate.is_some() {
        "https"
    } else {
        "http"
    };
    let mut properties = vec![
        ("meta", meta.to_string()),
        ("run-signalling-server", "true".to_owned()),
        ("signalling-server-host", host),
        ("signalling-server-port", port),
        ("run-web-server", "true".to_owned()),
        ("web-server-host-addr", format!("{scheme}://{}/", serving.address)),
    ];
    if let Some(certificate) = &serving.certificate {
        let [certificate, key] =
            [&certificate.certificate, &certificate.key].map(|path| path.display().to_string());
        properties.extend([
            ("signalling-server-cert", certificate.clone()),
            ("signalling-server-key", key.clone()),
            ("web-server-cert", certificate),
            ("web-server-key", key),
        ]);
    }
    properties
}

/// The whole command.
///
/// A file plays once there, and a camera that is lost ends it: going on is the demo's own doing.
#[must_use]
pub fn launch_line(input: &Input, contents: Option<&Contents>, serving: &Serving) -> String {
    let properties = sink_properties(input, serving);
    let properties: Vec<_> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", property(value)))
        .collect();
    let mut parts = vec![format!("webrtcsink name=ws {}", properties.join(" "))];
    match input {
        Input::Test => parts.extend([to_sink(TEST_VIDEO, "video"), to_sink(TEST_AUDIO, "audio")]),
        Input::Device(path) => parts.push(to_sink(&device_video(path), "video")),
        Input::Media(media) => parts.extend(media_parts(media, contents)),
    }
    let words: Vec<_> = parts
        .iter()
        .flat_map(|part| words(part))
        .map(|word| shell(&word))
        .collect();
    format!("gst-launch-1.0 {}", words.join(" "))
}

fn to_sink(part: &str, kind: &str) -> String {
    format!("{part} ! queue ! ws.{kind}_0")
}

fn media_parts(media: &Media, contents: Option<&Contents>) -> Vec<String> {
    let (opening, live) = match media {
        Media::File(path) => (
            format!(
                "filesrc location={} ! parsebin name=in",
                property(&path.display().to_string())
            ),
            false,
        ),
        // A camera's streams come out of `rtspsrc` itself.
        Media::Rtsp(url) => (
            format!(
                "rtspsrc name=in latency=200 location={}",
                property(crate::input::without_credentials(url).as_str())
            ),
            true,
        ),
    };
    let mut parts = vec![opening];
    let streams = contents.map(|contents| [(&contents.video, "video"), (&contents.audio, "audio")]);
    for (stream, kind) in streams.into_iter().flatten() {
        if let Some(stream) = stream {
            parts.push(stream_part(stream, kind, live));
        }
    }
    parts
}

fn stream_part(stream: &Stream, kind: &str, live: bool) -> String {
    let select = if live {
        format!("in. ! application/x-rtp,media={kind} ! ")
    } else {
        format!("in. ! {} ! ", stream.format)
    };
    let way = match (&stream.plan, live) {
        (Plan::PassThrough, true) => "parsebin".to_owned(),
        (Plan::PassThrough, false) => "clocksync".to_owned(),
        (Plan::Transcode(_), true) => format!("decodebin ! {kind}convert"),
        (Plan::Transcode(_), false) => format!("decodebin ! {kind}convert ! clocksync"),
    };
    // The queue comes first: a file is read by one thread, which may not wait for any of the streams. The sink's pad is
    // named: nobody knows yet what will come out of the queue.
    format!("{select}queue ! {way} ! ws.{kind}_0")
}

/// A property's value as gst-launch reads it.
fn property(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// The words of a description; a quoted value stays one.
fn words(part: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in part.chars() {
        if c == ' ' && !quoted {
            words.push(String::new());
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A word as a shell reads it.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%!".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::path::PathBuf;

    #[test]
    fn a_path_with_quotes_and_spaces_survives_the_shell_and_gst_launch() {
        let path = PathBuf::from("/tmp/it's \"the\" film.mp4");
        let line = media_parts(&Media::File(path), None).remove(0);
        let words: Vec<_> = words(&line).iter().map(|word| shell(word)).collect();
        assert_eq!(words[1], r#"'location="/tmp/it'\''s \"the\" film.mp4"'"#);
        assert_eq!(words[2..], ["!", "parsebin", "name=in"]);
    }

    #[test]
    fn the_test_pictures_line_names_the_sink_and_both_streams() {
        gst::init().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let serving = Serving::for_test(address);
        let line = launch_line(&Input::Test, None, &serving);
        assert!(line.starts_with("gst-launch-1.0 webrtcsink name=ws "), "{line}");
        assert!(line.contains(" run-signalling-server=true "), "{line}");
        assert!(
            line.contains("web-server-host-addr=http://127.0.0.1:8080/"),
            "{line}"
        );
        assert!(
            line.contains("! queue ! ws.video_0 ") && line.ends_with("! queue ! ws.audio_0"),
            "{line}"
        );
    }
}

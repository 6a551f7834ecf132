//! The files of `golden/` are the wire, byte for byte. The browser client's tests read them too.
//!
//! A file is called `<sender>.<type>[.<what is special>].json` and holds one message on one line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use weir_protocol::{ClientMessage, ServerMessage, parse_client_message};

#[test]
fn every_message_of_a_client_is_read_and_written_exactly_as_its_golden_file_has_it() {
    for (file, text) in golden("client") {
        let message = parse_client_message(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(serde_json::to_string(&message).unwrap(), text, "{file}");
        assert_eq!(message.kind(), kind_in(&file), "{file}");
    }
}

#[test]
fn every_message_of_the_server_is_read_and_written_exactly_as_its_golden_file_has_it() {
    for (file, text) in golden("server") {
        let message: ServerMessage =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(serde_json::to_string(&message).unwrap(), text, "{file}");
        assert_eq!(message.kind(), kind_in(&file), "{file}");
    }
}

#[test]
fn no_message_lacks_a_golden_file() {
    for (sender, kinds) in [
        ("client", &ClientMessage::KINDS[..]),
        ("server", &ServerMessage::KINDS[..]),
    ] {
        let files: BTreeSet<String> = golden(sender)
            .iter()
            .map(|(file, _)| kind_in(file).to_owned())
            .collect();
        let kinds: BTreeSet<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
        assert_eq!(files, kinds, "golden files of the {sender}");
    }
}

/// The golden files of one sender: their names and their one line.
fn golden(sender: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            name.starts_with(&format!("{sender}.")).then(|| {
                let text = std::fs::read_to_string(&path).unwrap();
                (name, text.trim_end_matches('\n').to_owned())
            })
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are golden files of the {sender}");
    files
}

/// The type that a file's name promises.
fn kind_in(file: &str) -> &str {
    file.split('.').nth(1).unwrap()
}

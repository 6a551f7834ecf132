//! `PROTOCOL.md` shows every message and every code, and what it shows is true.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use weir_protocol::{ClientMessage, ErrorCode, ServerMessage, parse_client_message};

const PROSE: &str = include_str!("../../PROTOCOL.md");

#[test]
fn there_is_an_example_of_each_message_and_each_example_can_be_read() {
    let client: BTreeSet<&str> = examples("## What a client may say")
        .map(|line| {
            parse_client_message(line)
                .unwrap_or_else(|error| panic!("{line}: {error}"))
                .kind()
        })
        .collect();
    assert_eq!(client, ClientMessage::KINDS.into());

    let mut server: BTreeSet<&str> = examples("## What the server may say")
        .map(|line| {
            serde_json::from_str::<ServerMessage>(line)
                .unwrap_or_else(|e| panic!("{line}: {e}"))
                .kind()
        })
        .collect();
    // Shown among the client's messages: it is passed on as it is.
    server.insert("peer");
    assert_eq!(server, ServerMessage::KINDS.into());
}

#[test]
fn the_table_has_every_code_and_no_other() {
    let listed: Vec<&str> = section("### `error`")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(listed, ErrorCode::ALL.map(ErrorCode::as_str));
}

/// The lines of JSON in a section.
fn examples(heading: &str) -> impl Iterator<Item = &'static str> {
    section(heading).lines().filter(|line| line.starts_with('{'))
}

/// What stands below a heading, up to the next of the same level.
fn section(heading: &str) -> &'static str {
    let level = heading.split(' ').next().unwrap();
    let start = PROSE.find(&format!("\n{heading}\n")).unwrap() + heading.len() + 2;
    let rest = &PROSE[start..];
    rest.find(&format!("\n{level} ")).map_or(rest, |end| &rest[..end])
}

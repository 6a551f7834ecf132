//! What the documents have to mention: every message of the wire, every example.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::workspace;

const PROTOCOL: &str = "signalling/PROTOCOL.md";
const README: &str = "README.md";

/// Generated from the Rust types, and kept current by a test.
const MESSAGES: [&str; 3] = [
    "signalling/web/src/protocol/ClientMessage.ts",
    "signalling/web/src/protocol/ServerMessage.ts",
    "signalling/web/src/protocol/ErrorCode.ts",
];

/// Every breach, a sentence each. `files` are relative to the root.
pub(super) fn breaches(files: &[String]) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    breaches.extend(unmentioned(PROTOCOL, &words_of_the_wire()?));
    breaches.extend(unmentioned(README, &examples(files)));
    Ok(breaches)
}

fn unmentioned(document: &str, words: &BTreeSet<String>) -> Vec<String> {
    let Ok(text) = super::read(document) else {
        return vec![format!("{document} is not there")];
    };
    words
        .iter()
        .filter(|word| !mentions(&text, word))
        .map(|word| format!("{document} does not mention {word}"))
        .collect()
}

/// Whether the text has the word as code or as a JSON string: `list` in a sentence is no mention of the message.
fn mentions(text: &str, word: &str) -> bool {
    let quotes = [format!("`{word}`"), format!("\"{word}\"")];
    quotes.iter().any(|quoted| text.contains(quoted)) || (word.contains('/') && text.contains(word))
}

fn words_of_the_wire() -> Result<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    for file in MESSAGES
        .into_iter()
        .filter(|file| workspace::root().join(file).is_file())
    {
        words.extend(words_of(&super::read(file)?));
    }
    Ok(words)
}

/// The discriminators of a generated union: `"type": "peer"` in messages, or `"full" | "gone"` where the union is of strings.
fn words_of(typescript: &str) -> BTreeSet<String> {
    let tagged = typescript.split("\"type\": \"").skip(1);
    let tagged: BTreeSet<_> = tagged
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    if !tagged.is_empty() {
        return tagged;
    }
    let Some((_, union)) = typescript.split_once(" = ") else {
        return BTreeSet::new();
    };
    union.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// `examples/NAME` for each folder or file of that folder.
fn examples(files: &[String]) -> BTreeSet<String> {
    let name = |file: &String| {
        Some(format!(
            "examples/{}",
            file.strip_prefix("examples/")?.split('/').next()?
        ))
    };
    files.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_from_the_generated_types() {
        let union = r#"export type M = { "type": "peer", x: string } | { "type": "endSession" };"#;
        assert_eq!(
            words_of(union),
            BTreeSet::from(["endSession".into(), "peer".into()])
        );
        let strings = r#"export type ErrorCode = "full" | "not-found";"#;
        assert_eq!(
            words_of(strings),
            BTreeSet::from(["full".into(), "not-found".into()])
        );
    }

    #[test]
    fn a_word_in_a_sentence_is_no_mention_of_a_message() {
        assert!(!mentions("a list of producers", "list"));
        assert!(mentions("a client sends `list`", "list"));
        assert!(mentions(r#"{"type": "list"}"#, "list"));
    }

    #[test]
    fn an_example_is_a_folder_or_a_file_of_its_own() {
        let files = [
            "examples/demo/src/main.rs",
            "examples/demo/Cargo.toml",
            "examples/signaller.py",
            "README.md",
        ];
        let files = files.map(str::to_owned);
        assert_eq!(
            examples(&files),
            BTreeSet::from(["examples/demo".into(), "examples/signaller.py".into()])
        );
    }
}

//! From a text frame to a message.

use serde::Deserialize;

use crate::{ClientMessage, ErrorCode, ServerMessage};

/// The longest message that a server reads, in bytes of JSON. Descriptions of a session with dozens of streams
/// take some 100 kB.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// The most characters of a stranger's text that an error repeats.
const MAX_QUOTED_CHARS: usize = 120;

/// Why something that a client sent is no message. The texts are for that client: they may quote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It has more than [`MAX_MESSAGE_BYTES`].
    TooLong,
    /// It is a binary frame.
    NotText,
    /// It is no JSON, no object, or lacks what its type requires.
    Malformed {
        /// What is wrong, and where.
        detail: String,
    },
    /// Its type is none that exists.
    Unknown {
        /// The type, shortened.
        kind: String,
    },
    /// Its type exists, but only servers may use it.
    NotFromClients {
        /// The type, shortened.
        kind: String,
    },
}

impl ParseError {
    /// The code for the `error` message that answers it.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLong => ErrorCode::MessageTooLong,
            Self::NotText | Self::Malformed { .. } => ErrorCode::MalformedMessage,
            Self::Unknown { .. } => ErrorCode::UnknownMessage,
            Self::NotFromClients { .. } => ErrorCode::NotAClientMessage,
        }
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => write!(f, "The message is longer than {MAX_MESSAGE_BYTES} bytes"),
            Self::NotText => f.write_str("Messages are text frames, this one was binary"),
            Self::Malformed { detail } => write!(f, "The message cannot be read: {detail}"),
            Self::Unknown { kind } => write!(f, "There is no message of the type '{kind}'"),
            Self::NotFromClients { kind } => write!(f, "Clients may not send '{kind}'"),
        }
    }
}

impl std::error::Error for ParseError {}

/// Reads what a client sent in a text frame.
///
/// Keys that the wire does not know are ignored. Nesting is bounded (128 levels), and so is what an error quotes.
///
/// # Errors
///
/// Says why the text is no message of a client; never more than a few hundred bytes.
pub fn parse_client_message(text: &str) -> Result<ClientMessage, ParseError> {
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(ParseError::TooLong);
    }
    serde_json::from_str(text).map_err(|error| classify(text, &error))
}

/// Finds out what is wrong with a text that is no message of a client.
fn classify(text: &str, error: &serde_json::Error) -> ParseError {
    /// The one member that every message has.
    #[derive(Deserialize)]
    struct Tagged {
        #[serde(rename = "type")]
        kind: String,
    }

    match serde_json::from_str::<Tagged>(text) {
        Ok(Tagged { kind }) if ClientMessage::KINDS.contains(&kind.as_str()) => ParseError::Malformed {
            detail: quote(&format!("{kind}: {error}")),
        },
        // `newPeer` is how the protocol's first server told itself of a connection.
        Ok(Tagged { kind }) if kind == "newPeer" || ServerMessage::KINDS.contains(&kind.as_str()) => {
            ParseError::NotFromClients { kind: quote(&kind) }
        }
        Ok(Tagged { kind }) => ParseError::Unknown { kind: quote(&kind) },
        Err(error) => ParseError::Malformed {
            detail: quote(&error.to_string()),
        },
    }
}

/// A stranger's text, shortened and without control characters.
fn quote(text: &str) -> String {
    let mut quoted: String = text
        .chars()
        .take(MAX_QUOTED_CHARS)
        .filter(|c| !c.is_control())
        .collect();
    if text.chars().nth(MAX_QUOTED_CHARS).is_some() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> ErrorCode {
        parse_client_message(text).unwrap_err().code()
    }

    #[test]
    fn keys_that_nobody_knows_are_ignored() {
        assert_eq!(
            parse_client_message(r#"{"type":"list","colour":"blue","nested":{"a":[1]}}"#),
            Ok(ClientMessage::List)
        );
    }

    #[test]
    fn what_is_no_json_object_with_a_type_is_malformed() {
        for text in [
            "",
            "hello",
            "[]",
            "null",
            "42",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"list""#,
            "{\"a\":",
        ] {
            assert_eq!(code(text), ErrorCode::MalformedMessage, "{text:?}");
        }
    }

    #[test]
    fn a_message_without_a_key_that_its_type_requires_is_malformed_and_the_key_is_named() {
        let error = parse_client_message(r#"{"type":"startSession"}"#).unwrap_err();
        assert_eq!(error.code(), ErrorCode::MalformedMessage);
        assert!(error.to_string().contains("peerId"), "{error}");
    }

    #[test]
    fn values_of_the_wrong_kind_are_malformed() {
        for text in [
            r#"{"type":"setPeerStatus","roles":["king"]}"#,
            r#"{"type":"setPeerStatus","roles":null}"#,
            r#"{"type":"setProtocolVersion","version":"v9_9"}"#,
            r#"{"type":"peer","sessionId":"s"}"#,
            r#"{"type":"peer","sessionId":"s","sdp":{"type":"pranswer","sdp":""}}"#,
            r#"{"type":"peer","sessionId":"s","ice":{"candidate":"c","sdpMLineIndex":null}}"#,
            r#"{"type":"peer","sessionId":"s","ice":{"candidate":"c","sdpMLineIndex":-1}}"#,
            r#"{"type":"setPeerStatus","roles":[],"meta":1e999}"#,
        ] {
            assert_eq!(code(text), ErrorCode::MalformedMessage, "{text}");
        }
    }

    #[test]
    fn a_type_that_does_not_exist_is_unknown() {
        assert_eq!(code(r#"{"type":"joinRoom"}"#), ErrorCode::UnknownMessage);
    }

    #[test]
    fn internal_messages_and_those_of_servers_are_refused() {
        for kind in [
            "newPeer",
            "welcome",
            "peerStatusChanged",
            "sessionStarted",
            "error",
        ] {
            assert_eq!(
                code(&format!(r#"{{"type":"{kind}"}}"#)),
                ErrorCode::NotAClientMessage,
                "{kind}"
            );
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_unread() {
        let padding = " ".repeat(MAX_MESSAGE_BYTES);
        assert_eq!(
            parse_client_message(&format!(r#"{{"type":"list"{padding}}}"#)),
            Err(ParseError::TooLong)
        );
    }

    #[test]
    fn nesting_without_end_is_malformed() {
        let text = format!(
            r#"{{"type":"setPeerStatus","roles":[],"meta":{}"#,
            "[".repeat(200_000)
        );
        assert_eq!(code(&text), ErrorCode::MalformedMessage);
    }

    #[test]
    fn errors_stay_short_and_printable_whatever_was_sent() {
        let long = format!(r#"{{"type":"\u0000\u0007{}"}}"#, "é".repeat(50_000));
        let error = parse_client_message(&long).unwrap_err().to_string();
        assert!(
            error.len() < 400 && !error.contains(char::is_control),
            "{error:?}"
        );
    }

    #[test]
    fn both_kinds_of_payload_are_understood_with_and_without_what_is_optional() {
        for text in [
            r#"{"type":"peer","sessionId":"s","sdp":{"type":"answer","sdp":"v=0"}}"#,
            r#"{"ice":{"candidate":"","sdpMLineIndex":0},"sessionId":"s","type":"peer"}"#,
            r#"{"type":"peer","sessionId":"s","ice":{"candidate":"c","sdpMLineIndex":1,"sdpMid":"v","usernameFragment":"u"}}"#,
        ] {
            assert_eq!(
                parse_client_message(text).map(|message| message.kind()),
                Ok("peer"),
                "{text}"
            );
        }
    }
}

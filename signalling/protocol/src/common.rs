//! What both directions share.

use serde::{Deserialize, Serialize};

/// What a peer does on the server. A peer may have several roles, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Offers media to whoever starts a session with it.
    Producer,
    /// Is told of every other peer's status.
    Listener,
    /// Waits for a producer to start a session with it (a passive consumer).
    Consumer,
}

/// A version of the wire. A connection speaks 1.0 until it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum ProtocolVersion {
    /// The first version.
    #[default]
    #[serde(rename = "v1_0")]
    V1_0,
    /// Adds a reason to the end of a session.
    #[serde(rename = "v1_1")]
    V1_1,
}

/// Which half of the offer/answer exchange a description is (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "camelCase")]
pub enum SdpType {
    /// An offer.
    Offer,
    /// An answer.
    Answer,
}

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Sdp {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub kind: SdpType,
    /// The description's text (RFC 8866). The server never parses it.
    pub sdp: String,
}

/// A trickled ICE candidate (RFC 8838).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "camelCase")]
pub struct Ice {
    /// The `candidate:…` attribute; empty at the end of candidates. The server never parses it.
    pub candidate: String,
    /// The index of the m-line that it belongs to.
    #[serde(rename = "sdpMLineIndex")]
    #[cfg_attr(feature = "ts", ts(rename = "sdpMLineIndex"))]
    pub sdp_m_line_index: u32,
    /// The m-line's identification tag, where the sender knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub sdp_mid: Option<String>,
    /// The ICE generation's user fragment, where the sender knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub username_fragment: Option<String>,
}

/// What one member of a session has to say to the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "camelCase")]
pub enum PeerPayload {
    /// A session description.
    Sdp(Sdp),
    /// A trickled candidate.
    Ice(Ice),
}

/// A message between the two members of a session, which the server passes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "camelCase")]
pub struct PeerMessage {
    /// The session.
    pub session_id: String,
    /// Its payload: exactly one of the keys `sdp` and `ice`.
    #[serde(flatten)]
    pub payload: PeerPayload,
}

/// Why a session ended, in the form in which `endSessionV1_1` carries it: `code: sentence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndReason {
    /// A stable identifier, in lower case with dashes: what a program decides by.
    pub code: &'static str,
    /// A sentence for people.
    pub text: String,
}

impl EndReason {
    /// The reason of a session whose other member went away without a word: its connection broke, fell silent
    /// or was closed by the server.
    pub fn peer_lost() -> Self {
        Self {
            code: "peer-lost",
            text: "The connection to the other peer was lost".to_owned(),
        }
    }

    /// Takes apart what `endSessionV1_1` carries: the code, where there is one, and the sentence.
    ///
    /// Peers that know no codes send any text, so whatever does not begin with a word in lower case and dashes,
    /// a colon and a space is a sentence as a whole.
    pub fn split(error: &str) -> (Option<&str>, &str) {
        let is_code = |code: &str| {
            code.starts_with(|c: char| c.is_ascii_lowercase())
                && code
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        match error.split_once(": ") {
            Some((code, text)) if is_code(code) => (Some(code), text),
            _ => (None, error),
        }
    }
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_reason_is_taken_apart_into_what_it_was_made_of() {
        let reason = EndReason {
            code: "no-answer",
            text: "No answer: gave up after 15 s".to_owned(),
        };
        let wire = reason.to_string();
        assert_eq!(EndReason::split(&wire), (Some(reason.code), reason.text.as_str()));
    }

    #[test]
    fn text_without_a_code_is_a_sentence_as_a_whole() {
        for text in [
            "Internal data stream error.",
            "Failed: no ICE",
            "",
            ": x",
            "-: x",
            "no ice: x",
        ] {
            assert_eq!(EndReason::split(text), (None, text));
        }
    }
}

//! Pure negotiation logic: what a session description, a candidate and a viewer's silence mean.
//!
//! | file | what |
//! |---|---|
//! | `codec` | [`Codec`]: the codecs there are, as data |
//! | `format` | [`Format`]: a codec with payload types and parameters; assigning and matching them |
//! | `sdp` | reading text with limits; [`SdpError`] |
//! | `offer` | [`complete_offer`]: what webrtcbin leaves out of its offers; [`read_offer`] |
//! | `answer` | [`read_answer`]: what a viewer takes |
//! | `choose` | [`choose_codec`]: which of it the viewer gets |
//! | `candidate` | [`Candidate`], [`CandidateGate`]: which candidates are worth trying, and when it is enough |
//! | `lifecycle` | [`SessionLifecycle`]: from the offer to the end, and every reason for it |
//!
//! Everything that reads text of a stranger's has limits and returns errors with a stable code and a sentence.

mod answer;
mod candidate;
mod choose;
mod codec;
mod format;
mod lifecycle;
mod offer;
mod sdp;
#[cfg(test)]
mod testing;

pub use answer::{AcceptedFormat, AnswerError, MediaAnswer, read_answer};
pub use candidate::{
    Candidate, CandidateAddress, CandidateFault, CandidateGate, CandidateKind, CandidateTransport,
    GateLimits, GateVerdict, UsableCandidate, take_candidates,
};
pub use choose::{Refusal, choose_codec};
pub use codec::{Codec, MediaKind};
pub use format::{Fmtp, Format, MatchScore, OutOfPayloadTypes, assign_payload_types, match_fmtp};
pub use lifecycle::{ConnectionState, EndReason, LifecycleConfig, SessionCommand, SessionLifecycle};
pub use offer::{Feedback, MediaOffer, OfferOptions, complete_offer, read_offer};
pub use sdp::{
    Direction, ExtensionIds, Fingerprint, MAX_MEDIA, MAX_SDP_LEN, OfferedFormat, SdpError, fingerprints,
};

//! Typed units and identifiers of RTP media.

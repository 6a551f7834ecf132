//! Pure state of the signalling server: peers, roles, sessions.

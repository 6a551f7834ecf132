//! Pure forwarding logic: RTP rewriting per viewer, GOP cache, key-frame budget.

//! Pure negotiation logic: codecs, formats, RTX, header extensions, candidates, session life cycle.

//! Any text as a candidate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_negotiation::{Candidate, CandidateGate, GateLimits, GateVerdict};

fuzz_target!(|candidates: Vec<&str>| {
    let mut gate = CandidateGate::new(GateLimits::default());
    for candidate in candidates {
        let verdict = gate.handle_candidate(candidate);
        if let Candidate::Usable(usable) = Candidate::parse(candidate) {
            assert!(usable.port > 0);
            assert!(!candidate.trim().contains(['\r', '\n']));
            assert!(matches!(verdict, GateVerdict::Add(_) | GateVerdict::End(_)));
        }
    }
});

//! The signalling server as a program.
fn main() {}

//! The example, run as its readers would run it.

use std::process::Command;

#[test]
fn it_streams_from_sink_to_source_without_any_server() {
    let output = Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_custom-signaller")])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("100 frames came through"),
        "{complaints}"
    );
}

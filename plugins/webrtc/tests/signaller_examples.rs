//! The examples of custom signallers, run as their readers would run them.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the plugin that cargo has built for this test.
fn plugin_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    assert!(
        folder.join("libgstweir.so").is_file(),
        "the plugin is built with its tests"
    );
    folder.to_owned()
}

#[test]
fn the_python_example_streams_through_a_signaller_made_of_signals_alone() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/custom-signaller.py");
    // The system's Python: it is the one that has GStreamer's bindings.
    let output = Command::new("timeout")
        .args(["60", "/usr/bin/python3"])
        .arg(example)
        .env("GST_PLUGIN_PATH", plugin_folder())
        .env(
            "GST_REGISTRY",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples-registry.bin"),
        )
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("100 frames came through"), "{said}{complained}");
}

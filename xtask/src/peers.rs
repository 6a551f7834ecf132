//! Other people's programs that the benches compare with, built from the crates registry under `target/peers/`.
//!
//! The incumbent is gst-plugins-rs's `webrtcsink` with the congestion control and the signalling server that belong to it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::Step;
use crate::workspace;

/// Where the peers are.
pub(crate) struct Peers {
    /// The folder for `GST_PLUGIN_PATH`.
    pub(crate) plugins: PathBuf,
    /// The incumbent's signalling server.
    pub(crate) server: PathBuf,
}

/// A project whose dependencies are the peers: cargo then builds all of them against one lock file.
const MANIFEST: &str = r#"[package]
name = "peers"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
gst-plugin-webrtc = { version = "=0.15.4", default-features = false, features = ["rustls-ring", "web_server"] }
gst-plugin-rtp = "=0.15.4"
gst-plugin-webrtc-signalling = { version = "=0.15.4", default-features = false, features = ["rustls-ring"] }
"#;

const PLUGINS: [&str; 2] = ["libgstrswebrtc.so", "libgstrsrtp.so"];
const SERVER: &str = "gst-webrtc-signalling-server";

/// Elements that make it the incumbent as people use it: without the estimator it controls no congestion at all.
const ELEMENTS: [&str; 3] = ["webrtcsink", "webrtcsrc", "rtpgccbwe"];

/// Builds the peers unless they are there, and makes sure that GStreamer finds them.
pub(crate) fn ensure() -> Result<Peers> {
    let folder = workspace::target().join("peers");
    let peers = Peers {
        plugins: folder.join("lib/gstreamer-1.0"),
        server: folder.join("bin").join(SERVER),
    };
    let manifest = folder.join("project/Cargo.toml");
    let current = std::fs::read_to_string(&manifest).is_ok_and(|it| it == MANIFEST);
    let complete =
        peers.server.is_file() && PLUGINS.iter().all(|plugin| peers.plugins.join(plugin).is_file());
    if !(current && complete) {
        println!("   building the incumbent; this takes several minutes and is done once");
        build(&folder, &peers)?;
    }
    for element in ELEMENTS {
        check(element, &folder, &peers)?;
    }
    Ok(peers)
}

fn build(folder: &Path, peers: &Peers) -> Result<()> {
    let project = folder.join("project");
    std::fs::create_dir_all(project.join("src"))?;
    std::fs::write(project.join("src/lib.rs"), "")?;
    std::fs::write(project.join("Cargo.toml"), MANIFEST)?;
    let packages = [
        "gst-plugin-webrtc",
        "gst-plugin-rtp",
        "gst-plugin-webrtc-signalling",
    ];
    let output = folder.join("build");
    Step::cargo(["build", "--release"])
        .arguments(packages.iter().flat_map(|name| ["-p", name]))
        .arguments([Path::new("--target-dir"), &output])
        .folder(&project)
        .minutes(60)
        .run()?;

    std::fs::create_dir_all(&peers.plugins)?;
    for plugin in PLUGINS {
        copy(&output.join("release").join(plugin), &peers.plugins.join(plugin))?;
    }
    if let Some(bin) = peers.server.parent() {
        std::fs::create_dir_all(bin)?;
    }
    copy(&output.join("release").join(SERVER), &peers.server)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("{} was not built", from.display()))?;
    Ok(())
}

/// Fails unless GStreamer finds this element, and finds it here.
fn check(element: &str, folder: &Path, peers: &Peers) -> Result<()> {
    let registry = folder.join("registry.bin");
    let environment = [("GST_PLUGIN_PATH", &peers.plugins), ("GST_REGISTRY", &registry)];
    let printed = Step::new("gst-inspect-1.0", [element])
        .environment(environment)
        .output()
        .with_context(|| {
            format!("the incumbent's element {element} is not to be had, so there is nothing to compare with")
        })?;
    if !printed.contains(&peers.plugins.display().to_string()) {
        bail!(
            "the element {element} that GStreamer finds is not the one in {}",
            peers.plugins.display()
        );
    }
    Ok(())
}

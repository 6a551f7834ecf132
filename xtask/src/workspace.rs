//! Where things are.

use std::path::{Path, PathBuf};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(folder).unwrap_or_else(|_| root().join("target")),
        None => root().join("target"),
    }
}

/// The browser client and the pages.
pub(crate) fn web() -> PathBuf {
    root().join("signalling/web")
}

/// How much the compiler optimises, and so where it puts what it makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

impl Profile {
    pub(crate) fn folder(self) -> PathBuf {
        target().join(match self {
            Self::Debug => "debug",
            Self::Release => "release",
        })
    }

    /// What `cargo build` has to be told.
    pub(crate) fn cargo_flags(self) -> &'static [&'static str] {
        match self {
            Self::Debug => &[],
            Self::Release => &["--release"],
        }
    }
}

/// The plugin and the server of a profile, as the environment in which tests and benches find them.
pub(crate) fn built_environment(profile: Profile) -> Vec<(&'static str, PathBuf)> {
    vec![
        ("WEIR_PLUGIN_DIR", profile.folder()),
        ("WEIR_SERVER", profile.folder().join("weir-server")),
        ("WEIR_DEMO", profile.folder().join("weir-demo")),
        ("GST_REGISTRY", target().join("gstreamer-registry.bin")),
    ]
}

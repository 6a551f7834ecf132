//! The Debian packages that the project needs, what for, and how they come onto the machine.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result, bail};

use crate::process::{Step, exists};

/// What a package is needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// To compile the plugin, the server and the demo.
    Build,
    /// To run pipelines with the plugin.
    Run,
    /// To run the tests.
    Test,
    /// To build and run what the benches compare with.
    Bench,
}

use Purpose::{Bench, Build, Run, Test};

/// Every system package that any command needs, and why.
const PACKAGES: &[(&str, Purpose, &str)] = &[
    (
        "build-essential",
        Build,
        "a linker, and a C compiler for the crates that bring C",
    ),
    ("pkg-config", Build, "finds GStreamer's libraries"),
    ("libgstreamer1.0-dev", Build, "GStreamer's core"),
    (
        "libgstreamer-plugins-base1.0-dev",
        Build,
        "its audio, video, RTP, SDP and app libraries",
    ),
    ("libgstreamer-plugins-bad1.0-dev", Build, "its WebRTC library"),
    ("gstreamer1.0-tools", Run, "gst-launch-1.0 and gst-inspect-1.0"),
    (
        "gstreamer1.0-plugins-base",
        Run,
        "converters, test sources, Opus, decodebin",
    ),
    (
        "gstreamer1.0-plugins-good",
        Run,
        "VP8, VP9, RTP, RTSP, MP4, Matroska, cameras",
    ),
    (
        "gstreamer1.0-plugins-bad",
        Run,
        "webrtcbin, DTLS, SRTP, OpenH264, H.264 and H.265 parsers",
    ),
    ("gstreamer1.0-plugins-ugly", Run, "x264enc"),
    ("gstreamer1.0-libav", Run, "decoders for H.264, H.265 and AAC"),
    ("gstreamer1.0-nice", Run, "ICE, which webrtcbin needs"),
    ("gstreamer1.0-x", Run, "text and time overlays"),
    ("libgstrtspserver-1.0-dev", Test, "an RTSP camera to test with"),
    ("chromium", Test, "the browser that watches and publishes"),
    ("firefox-esr", Test, "the other one"),
    ("ffmpeg", Test, "makes media files of every kind to test with"),
    ("git", Test, "tells whether generated files were committed"),
    ("meson", Test, "the distribution build"),
    ("ninja-build", Test, "the distribution build"),
    ("python3-gi", Test, "the signaller written in Python"),
    ("gir1.2-gstreamer-1.0", Test, "the signaller written in Python"),
    (
        "gir1.2-gst-plugins-base-1.0",
        Test,
        "SDP for the signaller written in Python",
    ),
    (
        "gir1.2-gst-plugins-bad-1.0",
        Test,
        "WebRTC for the signaller written in Python",
    ),
    ("gir1.2-gst-rtsp-server-1.0", Test, "an RTSP camera to test with"),
    ("cmake", Bench, "a dependency of the incumbent"),
];

/// Whether the person agreed to an installation beforehand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    Given,
    Ask,
}

impl Consent {
    /// `--yes`, a run without a person at the terminal, and CI all count as given.
    pub(crate) fn from_flag(yes: bool) -> Self {
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        let person = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        if yes || ci || !person {
            Self::Given
        } else {
            Self::Ask
        }
    }
}

/// Sees to it that the packages for these purposes are installed, and that Node is there.
pub(crate) fn ensure(purposes: &[Purpose], consent: Consent) -> Result<()> {
    check_node()?;
    let missing = missing(purposes)?;
    if missing.is_empty() {
        println!("   every system package that is needed is installed");
        return Ok(());
    }
    println!("   missing system packages:");
    for (name, why) in &missing {
        println!("     {name:<34} {why}");
    }
    if !exists("apt-get") {
        bail!("this system has no apt-get: please install what the packages above contain, then try again");
    }
    if consent == Consent::Ask && !agreed()? {
        bail!("nothing was installed; `--yes` installs without asking");
    }
    install(missing.iter().map(|(name, _)| *name))
}

/// The oldest Node that the pages' build tools run on.
const OLDEST_NODE: (u32, u32) = (20, 19);

fn check_node() -> Result<()> {
    let (major, minor) = OLDEST_NODE;
    let wanted = format!("Node {major}.{minor} or newer, with npm, is needed to build the pages");
    if !exists("node") || !exists("npm") {
        bail!("{wanted}; it was not found (https://nodejs.org/ tells how to install it)");
    }
    let printed = Step::new("node", ["--version"]).output()?;
    match parse_node_version(&printed) {
        Some(version) if version >= OLDEST_NODE => Ok(()),
        Some(_) | None => bail!("{wanted}; `node --version` says {}", printed.trim()),
    }
}

fn parse_node_version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn missing(purposes: &[Purpose]) -> Result<Vec<(&'static str, &'static str)>> {
    let wanted = PACKAGES
        .iter()
        .filter(|(_, purpose, _)| purposes.contains(purpose));
    if !exists("dpkg-query") {
        println!("   this is no Debian system: its packages are not checked");
        return Ok(Vec::new());
    }
    // Without a name it lists what there is and cannot fail for a name that it has never heard of.
    let listing = Step::new(
        "dpkg-query",
        ["--show", "--showformat=${Package} ${db:Status-Status}\n"],
    )
    .output()?;
    let installed = parse_installed(&listing);
    Ok(wanted
        .filter(|(name, ..)| !installed.contains(name))
        .map(|(name, _, why)| (*name, *why))
        .collect())
}

fn parse_installed(listing: &str) -> BTreeSet<&str> {
    listing
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .collect()
}

fn agreed() -> Result<bool> {
    print!("   Install them with apt-get? [Y/n] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("no answer could be read")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

fn install(names: impl Iterator<Item = &'static str>) -> Result<()> {
    let apt_get = |arguments: &[&str]| -> Result<Step> {
        // Waits for another package manager, such as a fresh machine's own first updates, to finish.
        let words = [
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-q",
            "-o",
            "DPkg::Lock::Timeout=600",
        ];
        let step = if nix::unistd::geteuid().is_root() {
            Step::new(words[0], &words[1..]).minutes(20)
        } else if exists("sudo") {
            Step::new("sudo", words).with_terminal()
        } else {
            bail!("installing packages needs root: please run this as root or install sudo");
        };
        Ok(step.arguments(arguments))
    };
    apt_get(&["update"])?.run()?;
    apt_get(&["install", "-y", "--no-install-recommends"])?
        .arguments(names)
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_package_whose_settings_remain_is_missing() {
        let installed = parse_installed("meson installed\nchromium config-files\nffmpeg not-installed\n");
        assert_eq!(installed, BTreeSet::from(["meson"]));
    }

    #[test]
    fn node_versions_are_compared_by_number() {
        assert_eq!(parse_node_version("v20.20.2\n"), Some((20, 20)));
        assert!(parse_node_version("v20.9.0") < Some(OLDEST_NODE));
        assert_eq!(parse_node_version("something else"), None);
    }

    #[test]
    fn no_package_is_listed_twice() {
        let names: BTreeSet<_> = PACKAGES.iter().map(|(name, ..)| name).collect();
        assert_eq!(names.len(), PACKAGES.len());
    }
}

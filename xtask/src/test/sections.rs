//! The sections of a test run: cheap ones first, so that a slip is found before the long builds.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::build;
use crate::packages::{self, Consent, Purpose};
use crate::process::{Step, exists};
use crate::report::Outcome;
use crate::tidy;
use crate::workspace::{self, Profile};

/// One part of the test run.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Sections whose results it uses, and theirs.
    pub(super) needs: &'static [&'static str],
    pub(super) run: fn(Consent) -> Result<Outcome>,
}

pub(super) const SECTIONS: &[Section] = &[
    Section {
        name: "format",
        about: "rustfmt finds nothing to change",
        needs: &[],
        run: format,
    },
    Section {
        name: "packages",
        about: "system packages for building, running and testing",
        needs: &[],
        run: packages,
    },
    Section {
        name: "pages",
        about: "the browser client and the pages build",
        needs: &["packages"],
        run: pages,
    },
    Section {
        name: "web",
        about: "the browser client is formatted, linted, well typed and tested",
        needs: &["packages", "pages"],
        run: web,
    },
    Section {
        name: "tidy",
        about: "the rules of the tree that no compiler knows",
        needs: &[],
        run: tidy,
    },
    Section {
        name: "clippy",
        about: "no warning in any crate",
        needs: &["packages", "pages"],
        run: clippy,
    },
    Section {
        name: "build",
        about: "everything compiles, tests too",
        needs: &["packages", "pages"],
        run: compile,
    },
    Section {
        name: "protocol",
        about: "TypeScript's types are those of the Rust crate",
        needs: &["packages"],
        run: protocol,
    },
    Section {
        name: "rust",
        about: "cargo test",
        needs: &["packages", "pages", "build"],
        run: rust,
    },
    Section {
        name: "docs",
        about: "rustdoc without a warning",
        needs: &["packages", "pages"],
        run: docs,
    },
    Section {
        name: "install",
        about: "meson installs into a prefix where GStreamer finds the plugin",
        needs: &["packages", "pages", "build"],
        run: install,
    },
    Section {
        name: "browser",
        about: "real browsers watch and publish; README's recipes run",
        needs: &["packages", "pages", "build"],
        run: |_| node_tests("tests/browser"),
    },
    Section {
        name: "licences",
        about: "cargo deny, where it is installed",
        needs: &["packages"],
        run: licences,
    },
];

fn format(_: Consent) -> Result<Outcome> {
    passed(Step::cargo(["fmt", "--all", "--check"]))
}

fn packages(consent: Consent) -> Result<Outcome> {
    packages::ensure(&[Purpose::Build, Purpose::Run, Purpose::Test], consent)?;
    Ok(Outcome::Passed)
}

fn pages(_: Consent) -> Result<Outcome> {
    build::pages()?;
    Ok(Outcome::Passed)
}

fn web(_: Consent) -> Result<Outcome> {
    for script in ["format:check", "lint", "typecheck", "test"] {
        Step::new("npm", ["run", "--silent", script])
            .folder(workspace::web())
            .run()?;
    }
    Ok(Outcome::Passed)
}

fn tidy(_: Consent) -> Result<Outcome> {
    tidy::run()?;
    Ok(Outcome::Passed)
}

fn clippy(_: Consent) -> Result<Outcome> {
    let deny = ["--", "-D", "warnings"];
    Step::cargo(["clippy", "--locked", "--workspace", "--all-targets"])
        .arguments(deny)
        .minutes(20)
        .run()?;
    // The plugin without its embedded server: the feature set that a distribution may choose.
    let bare = [
        "clippy",
        "--locked",
        "-p",
        "gst-plugin-weir",
        "--lib",
        "--no-default-features",
    ];
    passed(Step::cargo(bare).arguments(deny).minutes(10))
}

/// What the sections build: cargo builds dependencies anew for another choice of packages, as their features change.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-targets"];

fn compile(_: Consent) -> Result<Outcome> {
    passed(
        Step::cargo(["build", "--locked"])
            .arguments(EVERYTHING)
            .minutes(30),
    )
}

fn protocol(_: Consent) -> Result<Outcome> {
    Step::cargo([
        "test",
        "--locked",
        "--quiet",
        "-p",
        "weir-protocol",
        "--features",
        "ts",
    ])
    .minutes(10)
    .run()?;
    let generated = "signalling/web/src/protocol";
    // `git diff` alone would not see a file for a type that is new.
    let changes = Step::new("git", ["status", "--porcelain", "--", generated]).output()?;
    if !changes.is_empty() {
        Step::new("git", ["--no-pager", "diff", "--", generated]).run()?;
        bail!("{generated} differs from what is committed; commit what was generated:\n{changes}");
    }
    Ok(Outcome::Passed)
}

fn rust(_: Consent) -> Result<Outcome> {
    let environment = workspace::built_environment(Profile::Debug);
    passed(
        Step::cargo(["test", "--locked", "--workspace"])
            .environment(environment)
            .minutes(20),
    )
}

fn docs(_: Consent) -> Result<Outcome> {
    let step = Step::cargo(["doc", "--locked", "--workspace", "--no-deps"]);
    passed(step.environment([("RUSTDOCFLAGS", "-D warnings")]).minutes(10))
}

/// Installs as a distribution would, but with the debug build that is there anyway, and asks GStreamer for the plugin.
fn install(_: Consent) -> Result<Outcome> {
    let (build, prefix) = (
        workspace::target().join("meson"),
        workspace::target().join("meson-prefix"),
    );
    for folder in [&build, &prefix] {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
    }
    let option = |name: &str, value: &Path| format!("-D{name}={}", value.display());
    Step::new("meson", ["setup", "-Dprofile=dev", "-Dpages=prebuilt"])
        .arguments([
            option("cargo-target-dir", &workspace::target()),
            format!("-Dcargo-selection={}", EVERYTHING.join(",")),
            format!("--prefix={}", prefix.display()),
        ])
        .arguments([&build])
        .run()?;
    Step::new("meson", ["compile", "-C"])
        .arguments([&build])
        .minutes(20)
        .run()?;
    Step::new("meson", ["install", "--no-rebuild", "-C"])
        .arguments([&build])
        .run()?;

    let libraries = Step::new("meson", ["introspect", "--installed"])
        .arguments([&build])
        .output()?;
    let plugin = installed_path(&libraries, "libgstweir.so")?;
    let folder = Path::new(&plugin)
        .parent()
        .context("the plugin is installed in a folder")?;
    let registry = workspace::target().join("meson-registry.bin");
    let printed = Step::new("gst-inspect-1.0", ["weir"])
        .environment([("GST_PLUGIN_PATH", folder), ("GST_REGISTRY", &registry)])
        .output()?;
    if !printed.contains(&plugin) {
        bail!("gst-inspect-1.0 found another plugin `weir` than the one that was installed:\n{printed}");
    }
    Step::new(prefix.join("bin/weir-server"), ["--version"]).run()?;
    let page = prefix.join("share/weir/pages/index.html");
    if !page.is_file() {
        bail!("{} was not installed", page.display());
    }
    let description = folder
        .parent()
        .map(|it| it.join("pkgconfig"))
        .context("libdir holds pkgconfig")?;
    let printed = Step::new("pkg-config", ["--variable=pluginsdir", "gstreamer-weir-1.0"])
        .environment([("PKG_CONFIG_PATH", description)])
        .output()?;
    if Path::new(printed.trim()) != folder {
        bail!("pkg-config says that the plugin is in {}", printed.trim());
    }
    Ok(Outcome::Passed)
}

/// Where meson installed the file of that name: its JSON maps what was built to what was installed.
fn installed_path(introspection: &str, name: &str) -> Result<String> {
    let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(introspection)?;
    let mut paths = map.values().filter_map(|path| path.as_str());
    let path = paths
        .find(|path| path.ends_with(name))
        .with_context(|| format!("meson does not install {name}"))?;
    Ok(path.to_owned())
}

/// Runs every test of a Node project against the debug build.
fn node_tests(folder: &str) -> Result<Outcome> {
    let folder = workspace::root().join(folder);
    build::node_modules(&folder)?;
    Step::new("npm", ["run", "--silent", "--if-present", "format:check"])
        .folder(&folder)
        .run()?;
    let environment = workspace::built_environment(Profile::Debug);
    passed(
        Step::new("npm", ["run", "--silent", "test"])
            .folder(folder)
            .environment(environment)
            .minutes(25),
    )
}

fn licences(_: Consent) -> Result<Outcome> {
    if !exists("cargo-deny") {
        return Ok(Outcome::Skipped(
            "cargo-deny is not installed; tidy has checked licences and bans".into(),
        ));
    }
    // No advisories: their database is downloaded, and a new entry would fail a change that did not cause it.
    passed(Step::cargo(["deny", "check", "licenses", "bans", "sources"]))
}

fn passed(step: Step) -> Result<Outcome> {
    step.run()?;
    Ok(Outcome::Passed)
}

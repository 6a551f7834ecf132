//! `cargo xtask bench NAME`: figures, ours beside other people's where there are any.
//!
//! A bench is `tests/bench/NAME.mjs`, run by Node with the environment of [`environment`]. It is no part of the tests:
//! peers take minutes to build, and a figure means something only on a machine that does nothing else.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::build;
use crate::packages::{self, Consent, Purpose};
use crate::peers;
use crate::process::Step;
use crate::workspace::{self, Profile};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which one; without it the benches are listed
    name: Option<String>,
    /// Installs missing system packages without asking
    #[arg(long, short)]
    yes: bool,
    /// Handed to the bench
    #[arg(last = true)]
    rest: Vec<String>,
}

struct Bench {
    name: &'static str,
    about: &'static str,
    /// Whether it compares with the incumbent, and so needs it built.
    compares: bool,
    /// The package of the programs that the script starts, if it has any.
    package: Option<&'static str>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "startup",
        about: "from a session's start to the first frame in a browser, first viewer and later ones",
        compares: true,
        package: None,
    },
    Bench {
        name: "latency",
        about: "from a frame into webrtcsink to the same frame out of webrtcsrc",
        compares: true,
        package: Some("weir-timecode"),
    },
];

/// The name that builds the peers and measures nothing.
const PEERS: &str = "peers";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Some(name) = &arguments.name else {
        list();
        return Ok(());
    };
    let consent = Consent::from_flag(arguments.yes);
    let purposes = [Purpose::Build, Purpose::Run, Purpose::Test, Purpose::Bench];
    if name == PEERS {
        packages::ensure(&purposes, consent)?;
        return peers::ensure().map(drop);
    }
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        list();
        bail!("there is no bench “{name}”");
    };
    let script = folder().join(format!("{name}.mjs"));
    if !script.is_file() {
        bail!("{} is not there", script.display());
    }
    packages::ensure(&purposes, consent)?;
    build::pages()?;
    build::plugin_and_server(Profile::Release)?;
    if let Some(package) = bench.package {
        Step::cargo(["build", "-p", package])
            .arguments(Profile::Release.cargo_flags())
            .minutes(40)
            .run()?;
    }
    // Benches drive browsers as the tests do.
    build::node_modules(&workspace::root().join("tests/browser"))?;
    Step::new("node", [script])
        .arguments(&arguments.rest)
        .folder(folder())
        .environment(environment(bench)?)
        .minutes(60)
        .run()
}

fn folder() -> PathBuf {
    workspace::root().join("tests/bench")
}

/// Where a bench finds what it measures.
fn environment(bench: &Bench) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut environment = workspace::built_environment(Profile::Release);
    environment.push(("WEIR_TIMECODE", Profile::Release.folder().join("weir-timecode")));
    if bench.compares {
        let peers = peers::ensure()?;
        environment.push(("WEIR_PEERS_PLUGIN_DIR", peers.plugins));
        environment.push(("WEIR_PEERS_SERVER", peers.server));
    }
    Ok(environment)
}

fn list() {
    println!("benches:");
    for Bench { name, about, .. } in BENCHES {
        println!("   {name:<10} {about}");
    }
    println!("   {PEERS:<10} builds the incumbent that the others compare with, and measures nothing");
}

//! `cargo xtask demo`: from a fresh machine to a picture in the browser.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::build;
use crate::packages::{self, Consent, Purpose};
use crate::process::Step;
use crate::report::Progress;
use crate::workspace::Profile;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is streamed: `test`, a media file, an rtsp:// address or a camera such as /dev/video0
    #[arg(
        long,
        default_value = "test",
        value_name = "test | FILE | rtsp://… | /dev/videoN"
    )]
    source: String,
    /// The port of the page and of the signalling server
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Lets other machines watch too, over HTTPS with a certificate made for it
    #[arg(long)]
    lan: bool,
    /// Installs missing system packages without asking
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // The demo says this too, but after minutes of building.
    let source = &arguments.source;
    if source != "test" && !source.contains("://") && !Path::new(source).exists() {
        bail!("there is no file or device “{source}”");
    }
    let mut progress = Progress::new(3);
    let consent = Consent::from_flag(arguments.yes);
    progress.step("system packages", || {
        packages::ensure(&[Purpose::Build, Purpose::Run], consent)
    })?;
    progress.step("pages", build::pages)?;
    progress.step("demo", || {
        let flags = Profile::Release.cargo_flags();
        // The plugin is in the demo already; by itself it serves the line that the demo prints.
        Step::cargo(["build", "-p", "weir-demo", "-p", "gst-plugin-weir"])
            .arguments(flags)
            .minutes(40)
            .run()
    })?;
    progress.finish("ready");

    let mut demo = Command::new(Profile::Release.folder().join("weir-demo"));
    demo.args(["--source", source]);
    if let Some(port) = arguments.port {
        demo.args(["--port", &port.to_string()]);
    }
    if arguments.lan {
        demo.arg("--lan");
    }
    // It takes this process's place, and so the terminal's signals.
    Err(demo.exec().into())
}

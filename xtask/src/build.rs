//! `cargo xtask build`: the plugin and the server, with the pages embedded in both.

use anyhow::Result;

use crate::packages::{self, Consent, Purpose};
use crate::process::Step;
use crate::report::Progress;
use crate::workspace::{self, Profile};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Builds fast and without optimisation, into target/debug
    #[arg(long)]
    debug: bool,
    /// Installs missing system packages without asking
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let profile = if arguments.debug {
        Profile::Debug
    } else {
        Profile::Release
    };
    let mut progress = Progress::new(3);
    progress.step("system packages", || {
        packages::ensure(&[Purpose::Build], Consent::from_flag(arguments.yes))
    })?;
    progress.step("pages", pages)?;
    progress.step("plugin and server", || plugin_and_server(profile))?;
    progress.finish("built");
    println!("   {}", profile.folder().join("libgstweir.so").display());
    println!("   {}", profile.folder().join("weir-server").display());
    Ok(())
}

/// Builds the browser client and the pages, which the server and the plugin embed.
pub(crate) fn pages() -> Result<()> {
    node_modules(&workspace::web())?;
    Step::new("npm", ["run", "--silent", "build"])
        .folder(workspace::web())
        .run()
}

/// Installs what a folder's `package-lock.json` names, unless exactly that is installed.
pub(crate) fn node_modules(folder: &std::path::Path) -> Result<()> {
    let modified = |file: &str| folder.join(file).metadata().and_then(|it| it.modified()).ok();
    let installed = modified("node_modules/.package-lock.json");
    if installed.is_some() && installed >= modified("package-lock.json") {
        return Ok(());
    }
    Step::new("npm", ["ci", "--no-audit", "--no-fund"])
        .folder(folder)
        .run()
}

pub(crate) fn plugin_and_server(profile: Profile) -> Result<()> {
    Step::cargo(["build", "-p", "gst-plugin-weir", "-p", "weir-signalling-server"])
        .arguments(profile.cargo_flags())
        .minutes(40)
        .run()
}

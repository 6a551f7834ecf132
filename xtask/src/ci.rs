//! `cargo xtask ci`: what happens to a submission, beforehand and at home.

use anyhow::Result;

use crate::process::Step;
use crate::workspace;

/// Clones the last commit afresh and runs its `.ci/run`: what was not committed is missing there as well.
pub(crate) fn run() -> Result<()> {
    let clone = workspace::target().join("ci");
    if clone.exists() {
        std::fs::remove_dir_all(&clone)?;
    }
    Step::new("git", ["clone", "--quiet", "--no-hardlinks", "."])
        .arguments([&clone])
        .run()?;
    Step::new("env", ["-u", "CARGO_TARGET_DIR", "CI=true", "bash", ".ci/run"])
        .folder(clone)
        .minutes(90)
        .run()
}

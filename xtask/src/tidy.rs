//! `cargo xtask tidy`: the rules of the tree that no compiler knows.

mod dependencies;
mod documents;
mod sources;

use anyhow::{Result, bail};

use crate::process::Step;
use crate::workspace;

/// Checks every rule, names every breach, and prints the longest files for somebody to think about.
pub(crate) fn run() -> Result<()> {
    let files = files()?;
    let mut breaches = Vec::new();
    breaches.extend(dependencies::breaches()?);
    breaches.extend(documents::breaches(&files)?);
    breaches.extend(sources::breaches(&files)?);

    println!("   the longest files (no rule; ask what the second half is called):");
    for (lines, file) in sources::longest(&files, 10)? {
        println!("     {lines:>6} {file}");
    }
    for breach in &breaches {
        println!("   ✗ {breach}");
    }
    if !breaches.is_empty() {
        bail!("{} breaches of the tree's rules", breaches.len());
    }
    Ok(())
}

/// Every file that is or would be committed, relative to the root.
fn files() -> Result<Vec<String>> {
    let listed = Step::new(
        "git",
        [
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ],
    )
    .output()?;
    // A file that was deleted and not yet committed is listed too.
    Ok(listed
        .lines()
        .filter(|file| workspace::root().join(file).is_file())
        .map(str::to_owned)
        .collect())
}

fn read(file: &str) -> Result<String> {
    Ok(std::fs::read_to_string(workspace::root().join(file))?)
}

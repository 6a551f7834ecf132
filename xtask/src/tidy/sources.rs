//! What source files may not hold, and how long they are.

use anyhow::Result;

use super::dependencies::is_pure;

/// Macros that stand for code that is not written yet. Spelled in two parts so that this file does not hold them.
const UNFINISHED: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];

/// A line of the `clippy.toml` without which a crate can ask what time it is.
const PURITY_MARK: &str = "std::time::Instant::now";

/// Every breach, a sentence each. `files` are relative to the root.
pub(super) fn breaches(files: &[String]) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        for (index, line) in super::read(file)?.lines().enumerate() {
            if UNFINISHED.iter().any(|word| line.contains(word)) {
                breaches.push(format!("{file}:{}: unfinished code", index + 1));
            }
        }
    }
    for crate_folder in crate_folders(files).filter(|folder| is_pure(folder)) {
        let strict = match nearest_clippy(crate_folder, files) {
            Some(file) => super::read(&file)?.contains(PURITY_MARK),
            None => false,
        };
        if !strict {
            breaches.push(format!(
                "{crate_folder} is pure logic, but no clippy.toml keeps it from clocks and threads"
            ));
        }
    }
    Ok(breaches)
}

/// The longest source files with their lines, longest first.
pub(super) fn longest(files: &[String], count: usize) -> Result<Vec<(usize, &str)>> {
    let ours = |file: &&String| {
        let source = [".rs", ".ts", ".tsx", ".mjs", ".py", ".sh"]
            .iter()
            .any(|ending| file.ends_with(ending));
        source && !file.contains("/node_modules/")
    };
    let lengths: Result<Vec<_>> = files
        .iter()
        .filter(ours)
        .map(|file| Ok((super::read(file)?.lines().count(), file.as_str())))
        .collect();
    let mut lengths = lengths?;
    lengths.sort_by(|a, b| b.cmp(a));
    lengths.truncate(count);
    Ok(lengths)
}

fn crate_folders(files: &[String]) -> impl Iterator<Item = &str> {
    files.iter().filter_map(|file| file.strip_suffix("/Cargo.toml"))
}

/// The `clippy.toml` that clippy uses for a crate: the nearest upwards; they do not add up.
fn nearest_clippy(crate_folder: &str, files: &[String]) -> Option<String> {
    let mut folder = Some(crate_folder);
    while let Some(here) = folder {
        let file = if here.is_empty() {
            "clippy.toml".to_owned()
        } else {
            format!("{here}/clippy.toml")
        };
        if files.contains(&file) {
            return Some(file);
        }
        folder = match here.rsplit_once('/') {
            Some((above, _)) => Some(above),
            None if here.is_empty() => None,
            None => Some(""),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_clippy_file_counts() {
        let files = ["clippy.toml", "core/clippy.toml"].map(str::to_owned);
        assert_eq!(
            nearest_clippy("core/units", &files).as_deref(),
            Some("core/clippy.toml")
        );
        assert_eq!(
            nearest_clippy("signalling/rooms", &files).as_deref(),
            Some("clippy.toml")
        );
        assert_eq!(nearest_clippy("xtask", &[]), None);
    }
}

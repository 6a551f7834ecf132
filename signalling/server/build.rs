//! Finds the pages to embed: those that the web folder has built, or a page that says how to build them.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const STAND_IN: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Weir</title>
<style>body { font: 1.1em/1.5 system-ui, sans-serif; max-width: 40em; margin: 4em auto; padding: 0 1em }</style>
<h1>The signalling server runs</h1>
<p>It was built without its pages. To have them, build them and then the server again:</p>
<pre>cd signalling/web
npm ci
npm run build</pre>
<p><code>cargo xtask build</code> does both.</p>
</html>
"#;

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let dist = manifest.join("../web/dist");

    // Cargo runs this script at each build for as long as a folder that it shall watch does not exist.
    let _ = fs::create_dir_all(&dist);
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rerun-if-changed=build.rs");

    let pages = match [dist.join("pages"), dist]
        .into_iter()
        .find(|folder| folder.join("index.html").is_file())
    {
        Some(built) => fs::canonicalize(built)?,
        None => stand_in(&out)?,
    };
    println!("cargo::rustc-env=WEIR_PAGES_DIR={}", pages.display());
    Ok(())
}

fn stand_in(out: &Path) -> io::Result<PathBuf> {
    let folder = out.join("pages");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), STAND_IN)?;
    Ok(folder)
}

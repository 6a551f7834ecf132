//! Who may depend on whom: arrows between our crates, purity of the core, licences, one place for versions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process::Step;

/// Crates of ours and the crates of ours that they may use. A crate that is not named here may use every other.
const ARROWS: &[(&str, &[&str])] = &[
    ("weir-units", &[]),
    ("weir-forwarding", &["weir-units"]),
    ("weir-negotiation", &["weir-units"]),
    ("weir-congestion", &["weir-units"]),
    ("weir-ladder", &["weir-units", "weir-congestion"]),
    ("weir-netsim", &["weir-units"]),
    ("weir-protocol", &[]),
    ("weir-rooms", &["weir-protocol"]),
    ("weir-signalling-server", &["weir-rooms", "weir-protocol"]),
    ("xtask", &[]),
];

/// Folders whose crates are pure logic.
const PURE: &[&str] = &["core/", "signalling/protocol", "signalling/rooms"];

/// What pure logic may not even reach through others: media frameworks, runtimes, sockets.
const IMPURE: &[&str] = &[
    "glib",
    "gio",
    "gstreamer",
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "async-tungstenite",
];

/// Every breach, a sentence each.
pub(super) fn breaches() -> Result<Vec<String>> {
    let printed = Step::cargo(["metadata", "--format-version", "1", "--locked"]).output()?;
    let graph = Graph::parse(&printed)?;
    let mut breaches = graph.wrong_arrows();
    breaches.extend(graph.impure_crates());
    breaches.extend(versions_outside_of_the_workspace(&graph)?);
    breaches.extend(graph.refused_by(&Policy::parse(&super::read("deny.toml")?)?));
    Ok(breaches)
}

/// What of `cargo metadata` is looked at.
struct Graph {
    packages: BTreeMap<String, Package>,
}

struct Package {
    name: String,
    /// The manifest's folder relative to the workspace, for our own crates.
    folder: Option<String>,
    licence: Option<String>,
    /// Package ids of what it needs in order to run; build and test dependencies are not among them.
    uses: Vec<String>,
}

impl Graph {
    fn parse(metadata: &str) -> Result<Self> {
        let metadata: Value = serde_json::from_str(metadata)?;
        let root = format!("{}/", text(&metadata["workspace_root"])?);
        let mut uses = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"])? {
            let normal = |dependency: &&Value| {
                dependency["dep_kinds"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
            };
            let ids: Result<Vec<_>> = list(&node["deps"])?
                .iter()
                .filter(normal)
                .map(|it| Ok(text(&it["pkg"])?.to_owned()))
                .collect();
            uses.insert(text(&node["id"])?.to_owned(), ids?);
        }
        let members: BTreeSet<_> = list(&metadata["workspace_members"])?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut packages = BTreeMap::new();
        for package in list(&metadata["packages"])? {
            let id = text(&package["id"])?;
            let manifest = text(&package["manifest_path"])?;
            let folder = manifest
                .strip_prefix(&root)
                .and_then(|it| it.strip_suffix("/Cargo.toml"));
            let package = Package {
                name: text(&package["name"])?.to_owned(),
                folder: folder.filter(|_| members.contains(id)).map(str::to_owned),
                licence: package["license"].as_str().map(str::to_owned),
                uses: uses.remove(id).unwrap_or_default(),
            };
            packages.insert(id.to_owned(), package);
        }
        Ok(Self { packages })
    }

    fn ours(&self) -> impl Iterator<Item = (&str, &Package, &str)> {
        self.packages
            .iter()
            .filter_map(|(id, package)| Some((id.as_str(), package, package.folder.as_deref()?)))
    }

    fn wrong_arrows(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        for (_, package, _) in self.ours() {
            let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
                continue;
            };
            let used = package
                .uses
                .iter()
                .filter_map(|id| self.packages.get(id))
                .filter(|it| it.folder.is_some());
            for used in used.filter(|used| !allowed.contains(&used.name.as_str())) {
                breaches.push(format!("{} may not depend on {}", package.name, used.name));
            }
        }
        breaches
    }

    fn impure_crates(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        for (id, package, _) in self.ours().filter(|(.., folder)| is_pure(folder)) {
            let mut seen = BTreeSet::new();
            let mut ahead = vec![id];
            while let Some(id) = ahead.pop() {
                let Some(reached) = self.packages.get(id).filter(|_| seen.insert(id)) else {
                    continue;
                };
                if IMPURE.iter().any(|word| is_or_belongs_to(&reached.name, word)) {
                    breaches.push(format!(
                        "{} is pure logic, but {} is in its tree",
                        package.name, reached.name
                    ));
                }
                ahead.extend(reached.uses.iter().map(String::as_str));
            }
        }
        breaches
    }

    fn refused_by(&self, policy: &Policy) -> Vec<String> {
        let mut breaches = Vec::new();
        for package in self.packages.values().filter(|package| package.folder.is_none()) {
            if policy.banned.contains(&package.name) {
                breaches.push(format!("{} is banned by deny.toml", package.name));
            }
            match &package.licence {
                Some(licence) if policy.accepts(licence) => {}
                Some(licence) => breaches.push(format!(
                    "{} is under {licence}, which deny.toml does not allow",
                    package.name
                )),
                None => breaches.push(format!("{} names no licence", package.name)),
            }
        }
        breaches
    }
}

/// Whether a crate in that folder is pure logic.
pub(super) fn is_pure(folder: &str) -> bool {
    PURE.iter().any(|pure| folder.starts_with(pure))
}

/// `gstreamer-video-sys` belongs to `gstreamer`, `globset` does not belong to `glob`.
fn is_or_belongs_to(name: &str, word: &str) -> bool {
    name.strip_prefix(word)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Licences and crates as deny.toml allows and bans them.
struct Policy {
    allowed: Vec<String>,
    banned: BTreeSet<String>,
}

impl Policy {
    fn parse(deny: &str) -> Result<Self> {
        let deny: toml::Table = deny.parse().context("deny.toml")?;
        let words = |section: &str, key: &str, field: Option<&str>| -> Vec<String> {
            let entries = deny
                .get(section)
                .and_then(|it| it.get(key))
                .and_then(|it| it.as_array());
            let entries = entries.into_iter().flatten();
            let text = |entry: &toml::Value| match field {
                Some(field) => entry.get(field).and_then(|it| it.as_str().map(str::to_owned)),
                None => entry.as_str().map(str::to_owned),
            };
            entries.filter_map(text).collect()
        };
        Ok(Self {
            allowed: words("licenses", "allow", None),
            banned: words("bans", "deny", Some("crate")).into_iter().collect(),
        })
    }

    /// Whether one of the choices that an SPDX expression leaves consists of allowed licences.
    fn accepts(&self, expression: &str) -> bool {
        // `A/B` is how crates said `A OR B` before SPDX expressions.
        let Ok(expression) = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX) else {
            return false;
        };
        expression.evaluate(|requirement| self.allowed.contains(&requirement.to_string()))
    }
}

/// Versions stand once, in the root's `[workspace.dependencies]`.
fn versions_outside_of_the_workspace(graph: &Graph) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for (_, package, folder) in graph.ours() {
        let manifest: toml::Table = super::read(&format!("{folder}/Cargo.toml"))?.parse()?;
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(kind).and_then(|it| it.as_table()) else {
                continue;
            };
            for (name, dependency) in dependencies {
                if dependency.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    breaches.push(format!(
                        "{} takes {name} past the workspace's table of versions",
                        package.name
                    ));
                }
            }
        }
    }
    Ok(breaches)
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("cargo metadata has an unexpected shape")
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("cargo metadata has an unexpected shape")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(packages: &[(&str, Option<&str>, &[&str])]) -> Graph {
        let package = |(name, folder, uses): &(&str, Option<&str>, &[&str])| {
            let package = Package {
                name: (*name).into(),
                folder: folder.map(str::to_owned),
                licence: Some("MIT".into()),
                uses: uses.iter().map(|it| (*it).into()).collect(),
            };
            ((*name).to_owned(), package)
        };
        Graph {
            packages: packages.iter().map(package).collect(),
        }
    }

    #[test]
    fn a_runtime_in_the_tree_of_a_core_crate_is_found_however_deep_it_is() {
        let graph = graph(&[
            ("weir-forwarding", Some("core/forwarding"), &["harmless"]),
            ("harmless", None, &["gstreamer-rtp-sys"]),
            ("gstreamer-rtp-sys", None, &[]),
        ]);
        assert_eq!(
            graph.impure_crates(),
            ["weir-forwarding is pure logic, but gstreamer-rtp-sys is in its tree"]
        );
    }

    #[test]
    fn a_shell_may_use_a_runtime() {
        let graph = graph(&[
            ("weir-signalling-server", Some("signalling/server"), &["tokio"]),
            ("tokio", None, &[]),
        ]);
        assert!(graph.impure_crates().is_empty());
    }

    #[test]
    fn an_arrow_that_points_the_wrong_way_is_a_breach() {
        let graph = graph(&[
            (
                "weir-rooms",
                Some("signalling/rooms"),
                &["weir-signalling-server"],
            ),
            ("weir-signalling-server", Some("signalling/server"), &[]),
        ]);
        assert_eq!(
            graph.wrong_arrows(),
            ["weir-rooms may not depend on weir-signalling-server"]
        );
    }

    #[test]
    fn a_licence_is_accepted_when_one_of_its_choices_is_allowed() {
        let policy = Policy::parse("[licenses]\nallow = [\"MIT\", \"Unicode-3.0\"]").unwrap();
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "Apache-2.0/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
        ] {
            assert!(policy.accepts(good), "{good}");
        }
        for bad in ["GPL-3.0-only", "MIT AND Apache-2.0", "whatever"] {
            assert!(!policy.accepts(bad), "{bad}");
        }
    }

    #[test]
    fn a_banned_crate_is_named() {
        let policy =
            Policy::parse("[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = [{ crate = \"openssl-sys\" }]")
                .unwrap();
        assert_eq!(
            graph(&[("openssl-sys", None, &[])]).refused_by(&policy),
            ["openssl-sys is banned by deny.toml"]
        );
    }
}

//! `cargo xtask test`: every check and every test, in sections, from a fresh machine on.

mod sections;

use anyhow::{Result, bail};

use crate::packages::Consent;
use crate::report::Sections;
use sections::{SECTIONS, Section};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Runs only this section and those that it needs (may be given again)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Goes on after a section that failed
    #[arg(long)]
    keep_going: bool,
    /// Names the sections and ends
    #[arg(long)]
    list: bool,
    /// Installs missing system packages without asking
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for Section { name, about, .. } in SECTIONS {
            println!("{name:<12} {about}");
        }
        return Ok(());
    }
    let consent = Consent::from_flag(arguments.yes);
    let mut sections = Sections::default();
    for section in selected(&arguments.only)? {
        let good = sections.run(section.name, section.about, || (section.run)(consent));
        if !good && !arguments.keep_going {
            break;
        }
    }
    sections.summarise()
}

/// The sections to run, in the table's order: all, or those that were named and what they need.
fn selected(only: &[String]) -> Result<Vec<&'static Section>> {
    if only.is_empty() {
        return Ok(SECTIONS.iter().collect());
    }
    let mut wanted: Vec<&str> = Vec::new();
    for name in only {
        let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
            bail!("there is no section “{name}”; `cargo xtask test --list` names them");
        };
        wanted.push(section.name);
        wanted.extend(section.needs);
    }
    Ok(SECTIONS
        .iter()
        .filter(|section| wanted.contains(&section.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_comes_after_everything_that_it_needs() {
        for (index, section) in SECTIONS.iter().enumerate() {
            for need in section.needs {
                let place = SECTIONS.iter().position(|other| other.name == *need);
                assert!(
                    place.is_some_and(|place| place < index),
                    "{} needs {need}",
                    section.name
                );
            }
        }
    }

    #[test]
    fn a_section_names_also_what_its_needs_need() {
        for section in SECTIONS {
            for need in section.needs {
                let needed = SECTIONS.iter().find(|other| other.name == *need).unwrap();
                assert!(
                    needed.needs.iter().all(|it| section.needs.contains(it)),
                    "{} and {need}",
                    section.name
                );
            }
        }
    }

    #[test]
    fn one_named_section_brings_what_it_needs_and_nothing_else() {
        let names: Vec<_> = selected(&["browser".into()])
            .unwrap()
            .iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(names, ["packages", "pages", "build", "browser"]);
        assert!(selected(&["nonsense".into()]).is_err());
    }
}

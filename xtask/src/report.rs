//! What a person sees of a run: headings, steps, times, a closing summary.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Steps of which it is known how many there are: `[2/4] …`.
pub(crate) struct Progress {
    steps: usize,
    done: usize,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            steps,
            done: 0,
            started: Instant::now(),
        }
    }

    /// Announces a step, runs it and says how long it took.
    pub(crate) fn step<T>(&mut self, what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        self.done += 1;
        println!("[{}/{}] {what}", self.done, self.steps);
        let started = Instant::now();
        let result = run()?;
        println!("      done in {}", human(started.elapsed()));
        Ok(result)
    }

    pub(crate) fn finish(self, what: &str) {
        println!("{what} ({} in all)", human(self.started.elapsed()));
    }
}

/// How a section of a run ended.
pub(crate) enum Outcome {
    Passed,
    /// There was nothing to do, and why.
    Skipped(String),
    Failed(anyhow::Error),
}

/// The sections of a run and how each ended.
#[derive(Default)]
pub(crate) struct Sections {
    ended: Vec<(&'static str, Outcome, Duration)>,
}

impl Sections {
    /// Runs one section under a heading of its own; gives whether the run may go on.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        about: &str,
        run: impl FnOnce() -> Result<Outcome>,
    ) -> bool {
        println!("\n━━━ {name} ━━━ {about}");
        let started = Instant::now();
        let outcome = run().unwrap_or_else(Outcome::Failed);
        let took = started.elapsed();
        match &outcome {
            Outcome::Passed => println!("   {name}: passed in {}", human(took)),
            Outcome::Skipped(reason) => println!("   {name}: skipped, {reason}"),
            Outcome::Failed(error) => println!("   {name}: FAILED after {}\n   {error:#}", human(took)),
        }
        let good = !matches!(outcome, Outcome::Failed(_));
        self.ended.push((name, outcome, took));
        good
    }

    /// Prints a line for each section; an error if one failed.
    pub(crate) fn summarise(self) -> Result<()> {
        println!("\n━━━ summary ━━━");
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        let mut total = Duration::ZERO;
        for (name, outcome, took) in &self.ended {
            total += *took;
            let (word, count) = match outcome {
                Outcome::Passed => ("passed", &mut passed),
                Outcome::Skipped(_) => ("skipped", &mut skipped),
                Outcome::Failed(_) => ("FAILED", &mut failed),
            };
            *count += 1;
            println!("   {name:<12} {word:<8} {:>12}", human(*took));
        }
        println!("   {:<12} {:<8} {:>12}", "", "", human(total));
        println!("sections: {passed} passed, {failed} failed, {skipped} skipped");
        let first_failure = self
            .ended
            .into_iter()
            .find_map(|(name, outcome, _)| match outcome {
                Outcome::Failed(error) => Some(error.context(format!("section `{name}` failed"))),
                Outcome::Passed | Outcome::Skipped(_) => None,
            });
        match first_failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// A duration as a person says it.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_section_fails_the_run_and_is_named() {
        let mut sections = Sections::default();
        assert!(sections.run("good", "", || Ok(Outcome::Passed)));
        assert!(!sections.run("bad", "", || anyhow::bail!("a reason")));
        let error = format!("{:#}", sections.summarise().unwrap_err());
        assert_eq!(error, "section `bad` failed: a reason");
    }

    #[test]
    fn a_skipped_section_does_not_fail_the_run() {
        let mut sections = Sections::default();
        assert!(sections.run("absent", "", || Ok(Outcome::Skipped("there is none".into()))));
        sections.summarise().unwrap();
    }

    #[test]
    fn durations_read_as_a_person_says_them() {
        assert_eq!(human(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(human(Duration::from_secs(125)), "2 min 05 s");
    }
}

//! Child processes: each bounded by a time limit, none outliving this one.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A program to run.
pub(crate) struct Step {
    command: Command,
    limit: Duration,
    terminal: bool,
}

/// What a step takes at most unless it says otherwise.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10 * 60);

/// What a child gets to end by itself between being asked and being made to.
const GRACE: Duration = Duration::from_secs(2);

impl Step {
    pub(crate) fn new<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(crate::workspace::root());
        // `cargo run` describes this package in the environment. Build scripts that look there would be run anew for it,
        // also when cargo is started by something else in between.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        Self {
            command,
            limit: DEFAULT_LIMIT,
            terminal: false,
        }
    }

    /// The toolchain's cargo.
    pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::new("cargo", arguments)
    }

    pub(crate) fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn environment<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    pub(crate) fn minutes(mut self, minutes: u64) -> Self {
        self.limit = Duration::from_secs(minutes * 60);
        self
    }

    /// For a program that may ask the person something: it stays in the terminal's foreground.
    pub(crate) fn with_terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Runs the program to its end; fails unless it succeeds in time.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.line();
        println!("   $ {line}");
        let child = self.spawn(&line)?;
        let status = self.wait(child, &line)?;
        if !status.success() {
            bail!("`{line}` failed ({status})");
        }
        Ok(())
    }

    /// Runs the program to its end and gives what it printed on standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let line = self.line();
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn(&line)?;
        let printed = read_aside(child.stdout.take());
        let complaints = read_aside(child.stderr.take());
        let status = self.wait(child, &line)?;
        let (printed, complaints) = (printed.join(), complaints.join());
        let printed = printed.unwrap_or_default();
        if !status.success() {
            bail!(
                "`{line}` failed ({status})\n{}{printed}",
                complaints.unwrap_or_default()
            );
        }
        Ok(printed)
    }

    fn spawn(&mut self, line: &str) -> Result<Child> {
        if !self.terminal {
            // A group of its own, so that a time-out ends what the child started as well.
            self.command.stdin(Stdio::null()).process_group(0);
        }
        self.command
            .spawn()
            .with_context(|| format!("`{line}` cannot be started"))
    }

    fn wait(&self, mut child: Child, line: &str) -> Result<ExitStatus> {
        if self.terminal {
            Ok(child.wait()?)
        } else {
            wait_in_group(child, self.limit, line)
        }
    }

    /// The command as a person would type it.
    fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words
            .map(|word| quoted(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Whether a program of that name can be started.
pub(crate) fn exists(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// From here on, an interrupt or a termination of this process ends the running child first.
pub(crate) fn end_children_on_signals() {
    let handler = || {
        if let Some(group) = current_group().take() {
            end_group(group);
        }
        std::process::exit(130);
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: interrupts will not be passed on to child processes: {error}");
    }
}

/// The process group of the child that runs, if one does.
static CURRENT_GROUP: Mutex<Option<Pid>> = Mutex::new(None);

fn current_group() -> std::sync::MutexGuard<'static, Option<Pid>> {
    CURRENT_GROUP
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn wait_in_group(mut child: Child, limit: Duration, line: &str) -> Result<ExitStatus> {
    let group = Pid::from_raw(i32::try_from(child.id())?);
    *current_group() = Some(group);
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait()));
    let outcome = end.recv_timeout(limit);
    // Also after a good end: whatever the child left running would hold on to ports and pipes.
    end_group(group);
    *current_group() = None;
    match outcome {
        Ok(status) => Ok(status?),
        Err(_) => bail!(
            "`{line}` did not finish within {} min and was ended",
            limit.as_secs() / 60
        ),
    }
}

/// Asks every process of the group to end, and ends those that have not after a moment.
fn end_group(group: Pid) {
    if killpg(group, Signal::SIGTERM).is_err() {
        return; // Nobody is left.
    }
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    while waited < GRACE {
        std::thread::sleep(step);
        waited += step;
        if killpg(group, None).is_err() {
            return;
        }
    }
    // Failing means that the last one ended by itself.
    let _ = killpg(group, Signal::SIGKILL);
}

/// Reads a pipe to its end while something else is done.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before a failure is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_reported_with_what_it_said() {
        let error = Step::new("sh", ["-c", "echo out; echo err >&2; exit 3"])
            .output()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("out") && error.contains("err"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_overstays_is_ended_together_with_its_children() {
        let mut step = Step::new("sh", ["-c", "sleep 600 & echo started; wait"]);
        step.limit = Duration::from_secs(1);
        step.command.stdout(Stdio::piped());
        let mut child = step.spawn("sh").unwrap();
        let printed = read_aside(child.stdout.take());
        let error = step.wait(child, "sh").unwrap_err().to_string();
        assert!(error.contains("did not finish"), "{error}");
        // The pipe closes only when nobody is left who could write to it.
        assert_eq!(printed.join().unwrap(), "started\n");
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let line = Step::new("sh", ["-c", "it's", "a/b"]).line();
        assert_eq!(line, r"sh -c 'it'\''s' a/b");
    }

    #[test]
    fn the_shell_exists_and_nonsense_does_not() {
        assert!(exists("sh"));
        assert!(!exists("no-such-program-anywhere"));
    }
}

//! The project's commands: `cargo xtask demo`, `build`, `test`, `bench`, `tidy`, `ci`.
//!
//! ```text
//! main ─┬─ demo ──┐
//!       ├─ build ─┼─ packages (what apt-get has to bring)
//!       ├─ test ──┤
//!       ├─ bench ─┴─ peers (other people's programs to measure against)
//!       ├─ tidy     (the rules of the tree that no compiler checks)
//!       └─ ci       (what a submission has to pass, in a fresh clone)
//! ```
//!
//! Every command works on a fresh Debian 12 that has Rust and Node and nothing else.

mod bench;
mod build;
mod ci;
mod demo;
mod packages;
mod peers;
mod process;
mod report;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's commands.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Streams a test picture, a file or a camera to this machine's browsers
    Demo(demo::Arguments),
    /// Makes target/release/libgstweir.so and target/release/weir-server, the pages embedded in both
    Build(build::Arguments),
    /// Runs every check and every test there is
    Test(test::Arguments),
    /// Measures, side by side with other people's programs where there are any
    Bench(bench::Arguments),
    /// Checks the rules of the tree that no compiler knows
    Tidy,
    /// Runs `.ci/run` in a fresh clone of the last commit, as a submission would be
    Ci,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::end_children_on_signals();
    let result = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Ci => ci::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

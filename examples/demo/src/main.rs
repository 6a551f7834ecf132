//! See the library's documentation; `cargo xtask demo` builds and starts this.

use std::process::ExitCode;

use clap::Parser;
use weir_demo::input::Input;
use weir_demo::show;

/// Streams a test picture, a media file or a camera to any number of browsers.
#[derive(Parser)]
#[command(name = "weir-demo", version)]
struct Arguments {
    /// What is streamed: `test`, a media file, an rtsp:// address or a camera such as /dev/video0
    #[arg(
        long,
        default_value = "test",
        value_name = "test | FILE | rtsp://… | /dev/videoN"
    )]
    source: String,
    /// The port of the page and of the signalling server
    #[arg(long, default_value_t = 8080, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Lets other machines watch too, over HTTPS with a certificate made for it
    #[arg(long)]
    lan: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result =
        Input::parse(&arguments.source).and_then(|input| show::run(&input, arguments.port, arguments.lan));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! Two ends of a latency measurement, each a process of its own: `send` draws the time into pictures and feeds them to
//! a webrtcsink, `receive` reads it from the decoded pictures that leave a webrtcsrc.
//!
//! Which plugin the elements come from is decided by `GST_PLUGIN_PATH`, so the same program measures ours and others'.
//! Both ends read CLOCK_MONOTONIC, which all processes of a machine share. Each prints one line of JSON at its end.

mod picture;
mod receiver;
mod sender;
mod settings;
mod stages;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use gst::glib;

#[derive(Parser)]
#[command(about)]
enum Role {
    /// Sends pictures until a line comes in, or standard input ends
    Send(sender::Arguments),
    /// Receives pictures until there are enough
    Receive(receiver::Arguments),
}

fn main() -> Result<()> {
    let role = Role::parse();
    gst::init()?;
    match role {
        Role::Send(arguments) => sender::run(&arguments),
        Role::Receive(arguments) => receiver::run(&arguments),
    }
}

/// The time since an epoch that all processes of the machine share.
fn now() -> Duration {
    Duration::from_micros(glib::monotonic_time().unsigned_abs())
}

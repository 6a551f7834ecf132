//! Streams from `webrtcsink` to `webrtcsrc` in one process, without any server: the two are joined by a signaller
//! of our own. Ends after a hundred frames.
//!
//! ```sh
//! cargo run -p custom-signaller
//! ```

mod pair;

use anyhow::{Context, bail};
use gst::prelude::*;

const FRAMES: usize = 100;

fn main() -> anyhow::Result<()> {
    gst::init()?;
    // The plugin is part of this program; nothing has to be installed.
    gstweir::plugin_register_static()?;

    let (producer, consumer) = pair::pair();
    let sink = gst::ElementFactory::make("webrtcsink")
        .property("signaller", &producer)
        .build()?;
    let source = gst::ElementFactory::make("webrtcsrc")
        .property("signaller", &consumer)
        .build()?;
    let display = gst::ElementFactory::make("fakesink")
        .property("signal-handoffs", true)
        .build()?;

    let sending = gst::parse::launch("videotestsrc is-live=true ! videoconvert name=last")?;
    let sending = sending.downcast::<gst::Pipeline>().ok().context("no pipeline")?;
    sending.add(&sink)?;
    sending.by_name("last").context("no converter")?.link(&sink)?;

    let receiving = gst::Pipeline::new();
    receiving.add_many([&source, &display])?;
    let to = display.downgrade();
    source.connect_pad_added(move |_, pad| {
        let Some(sink) = to.upgrade().and_then(|display| display.static_pad("sink")) else {
            return;
        };
        if let Err(error) = pad.link(&sink) {
            eprintln!("A pad cannot be linked: {error}");
        }
    });

    let (sender, frames) = std::sync::mpsc::channel();
    display.connect("handoff", false, move |_| {
        let _ = sender.send(());
        None
    });
    sending.set_state(gst::State::Playing)?;
    receiving.set_state(gst::State::Playing)?;
    for received in 0..FRAMES {
        if frames.recv_timeout(std::time::Duration::from_secs(20)).is_err() {
            bail!("after {received} frames no more came");
        }
    }
    println!("{FRAMES} frames came through");
    receiving.set_state(gst::State::Null)?;
    sending.set_state(gst::State::Null)?;
    Ok(())
}

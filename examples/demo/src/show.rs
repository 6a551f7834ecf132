//! The pipeline from its beginning to its end, and what a person is told meanwhile.

use anyhow::{Context as _, Result, anyhow, bail};
use gst::prelude::*;

use crate::input::feeder::{self, Prepared};
use crate::input::probe::{self, Contents};
use crate::input::{Input, Media};
use crate::launch_line::{self, launch_line};
use crate::serving::Serving;

/// Streams until somebody interrupts.
///
/// # Errors
///
/// A sentence for people if the input cannot be played, the port is taken, or an element fails.
pub fn run(input: &Input, port: u16, lan: bool) -> Result<()> {
    gst::init().context("GStreamer does not start")?;
    gstweir::plugin_register_static().context("the plugin cannot be registered")?;
    let serving = if lan {
        Serving::lan(port)?
    } else {
        Serving::local(port)?
    };

    let contents = match input {
        Input::Media(media) => Some(look_at(media)?),
        Input::Test | Input::Device(_) => None,
    };
    let pipeline = gst::Pipeline::with_name("weir-demo");
    let sink = sink(input, &serving)?;
    pipeline.add(&sink)?;
    let prepared = connect(input, contents.as_ref(), &pipeline, &sink)?;

    let bus = pipeline.bus().ok_or_else(|| anyhow!("the pipeline has no bus"))?;
    end_on_signals(&bus)?;
    let started = pipeline.set_state(gst::State::Playing).map(drop);
    let feeder = if started.is_ok() {
        prepared.map(Prepared::start)
    } else {
        None
    };
    let result = match started {
        Ok(()) => {
            introduce(input, contents.as_ref(), &serving);
            watch(&bus)
        }
        // The reason is on the bus.
        Err(_) => Err(first_error(&bus).unwrap_or_else(|| anyhow!("the pipeline does not start"))),
    };
    match feeder {
        Some(feeder) => feeder.stop(&pipeline),
        None => drop(pipeline.set_state(gst::State::Null)),
    }
    result
}

fn look_at(media: &Media) -> Result<Contents> {
    println!("Looking at {} …", Input::Media(media.clone()));
    let contents = probe::probe(media)?;
    for (kind, stream) in [("video", &contents.video), ("audio", &contents.audio)] {
        if let Some(stream) = stream {
            println!("   {kind}: {stream}");
        }
    }
    Ok(contents)
}

fn sink(input: &Input, serving: &Serving) -> Result<gst::Element> {
    let sink = gst::ElementFactory::make("weirsink")
        .build()
        .context("the plugin has no sink")?;
    for (name, value) in launch_line::sink_properties(input, serving) {
        sink.set_property_from_str(name, &value);
    }
    Ok(sink)
}

/// Links the input to the sink; what has to be fed is returned.
fn connect(
    input: &Input,
    contents: Option<&Contents>,
    pipeline: &gst::Pipeline,
    sink: &gst::Element,
) -> Result<Option<Prepared>> {
    match (input, contents) {
        (Input::Test, _) => {
            connect_description(launch_line::TEST_VIDEO, pipeline, sink, "video_%u")?;
            connect_description(launch_line::TEST_AUDIO, pipeline, sink, "audio_%u")?;
            Ok(None)
        }
        (Input::Device(path), _) => {
            connect_description(&launch_line::device_video(path), pipeline, sink, "video_%u")?;
            Ok(None)
        }
        (Input::Media(media), Some(contents)) => {
            let (prepared, outlets) = feeder::prepare(media, contents, pipeline)?;
            for (outlet, template) in [(outlets.video, "video_%u"), (outlets.audio, "audio_%u")] {
                if let Some(outlet) = outlet {
                    outlet.link_pads(Some("src"), sink, Some(template))?;
                }
            }
            Ok(Some(prepared))
        }
        (Input::Media(_), None) => bail!("a medium is looked at before it is played"),
    }
}

fn connect_description(
    description: &str,
    pipeline: &gst::Pipeline,
    sink: &gst::Element,
    template: &str,
) -> Result<()> {
    let source = gst::parse::bin_from_description(&format!("{description} ! queue"), true)
        .map_err(|error| anyhow!("GStreamer misses an element: {}", error.message()))?;
    pipeline.add(&source)?;
    source.link_pads(Some("src"), sink, Some(template))?;
    Ok(())
}

/// The message by which a signal reaches the loop that reads the bus.
const INTERRUPTED: &str = "weir-demo-interrupted";

fn end_on_signals(bus: &gst::Bus) -> Result<()> {
    let bus = bus.clone();
    let mut asked = false;
    let handler = move || {
        if std::mem::replace(&mut asked, true) {
            // Asked twice: whatever takes so long is left behind.
            std::process::exit(130);
        }
        let message = gst::message::Application::new(gst::Structure::new_empty(INTERRUPTED));
        if bus.post(message).is_err() {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).context("interrupts cannot be caught")
}

fn introduce(input: &Input, contents: Option<&Contents>, serving: &Serving) {
    println!("\nStreaming {input}. Open in a browser:\n");
    for url in serving.urls() {
        println!("   {url}");
    }
    if serving.certificate.is_some() {
        println!(
            "\nThe browser will warn: this machine made the certificate itself. It is the same the next time."
        );
    } else {
        println!("\nOther machines can watch with --lan.");
    }
    println!(
        "\nThe same by hand:\n\n   {}{}\n",
        plugin_path(),
        launch_line(input, contents, serving)
    );
    println!("Ctrl-C ends it.");
}

/// How gst-launch finds the plugin that was built together with this program.
fn plugin_path() -> String {
    let folder = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.to_owned()));
    match folder.filter(|folder| folder.join("libgstweir.so").is_file()) {
        Some(folder) => format!("GST_PLUGIN_PATH={} ", folder.display()),
        None => String::new(),
    }
}

/// Reads the bus until the end.
fn watch(bus: &gst::Bus) -> Result<()> {
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Application(_) if message.has_name(INTERRUPTED) => {
                println!("\nEnding.");
                return Ok(());
            }
            gst::MessageView::Eos(_) => return Ok(()),
            gst::MessageView::Error(error) => return Err(in_words(error)),
            gst::MessageView::Warning(warning) => eprintln!("warning: {}", warning.error().message()),
            gst::MessageView::Element(_) => tell(message.structure()),
            _ => (),
        }
    }
    Ok(())
}

/// Viewers come and go, and so do cameras.
fn tell(structure: Option<&gst::StructureRef>) {
    let Some(structure) = structure else { return };
    let text = |field: &str| structure.get::<String>(field).unwrap_or_default();
    match structure.name().as_str() {
        feeder::NOTICE => eprintln!("warning: {}", text("sentence")),
        "weir-viewer" => match text("event").as_str() {
            "connected" => println!("A viewer is connected."),
            "left" => println!("A viewer has left."),
            _ => (),
        },
        _ => (),
    }
}

fn first_error(bus: &gst::Bus) -> Option<anyhow::Error> {
    bus.iter().find_map(|message| match message.view() {
        gst::MessageView::Error(error) => Some(in_words(error)),
        _ => None,
    })
}

fn in_words(error: &gst::message::Error) -> anyhow::Error {
    anyhow!("{}", error.error().message())
}

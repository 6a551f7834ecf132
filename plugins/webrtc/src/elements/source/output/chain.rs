//! The elements between received packets and what downstream accepts.
//!
//! They are chosen here rather than by decodebin3: there is nothing to find out that the RTP caps do not say, and
//! decodebin3 would add a queue, a thread and an interleave of its own to every stream.

use gst::glib;
use gst::prelude::*;

use super::format::PayloadFormat;
use super::shape::Shape;

/// What a chain is to do.
#[derive(Debug)]
pub(super) struct Blueprint<'a> {
    pub(super) format: &'static PayloadFormat,
    pub(super) shape: Shape,
    /// What downstream accepts.
    pub(super) downstream: &'a gst::Caps,
    /// Decoders that failed already: others are tried first.
    pub(super) failed_decoders: &'a [glib::GString],
}

/// Why a chain could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChainError {
    /// No plugin that takes the packets apart is installed.
    #[error("no depayloader for {0} is installed")]
    NoDepayloader(&'static str),
    /// No plugin that decodes it is installed.
    #[error("no decoder for {0} is installed")]
    NoDecoder(&'static str),
    /// An element could not be made, linked or started.
    #[error("{0}")]
    Element(#[from] glib::BoolError),
}

/// Elements in a bin, linked one to the next.
#[derive(Debug)]
pub(super) struct Chain {
    bin: gst::Bin,
    elements: Vec<gst::Element>,
    /// Where media leaves.
    tail: gst::Pad,
    /// The decoder, if there is one.
    decoder: Option<glib::GString>,
}

impl Chain {
    /// Builds the elements of `blueprint` in `bin`, fed by `source`, with `filter` where encoded media passes. They
    /// are started before they are linked to `source`, so data may flow the while.
    pub(super) fn build(
        bin: &gst::Bin,
        source: &gst::Pad,
        blueprint: &Blueprint<'_>,
        filter: impl FnOnce(&gst::Caps) -> Option<gst::Element>,
    ) -> Result<Self, ChainError> {
        if blueprint.shape == Shape::Rtp {
            return Ok(Self {
                bin: bin.clone(),
                elements: Vec::new(),
                tail: source.clone(),
                decoder: None,
            });
        }
        let format = blueprint.format;
        let depayloader = format
            .depayloader()
            .ok_or(ChainError::NoDepayloader(format.encoding_name))
            .and_then(make)?;
        // A lost packet leaves pictures that cannot be decoded: better a still one, and a key frame soon.
        for property in ["request-keyframe", "wait-for-keyframe"] {
            set_if_there(&depayloader, property, true);
        }
        let mut front = vec![depayloader];
        if let Some(parser) = format.parser {
            front.push(make(parser)?);
        }
        if !format.is_raw {
            front.extend(filter(&gst::Caps::new_empty_simple(format.media_type)));
        }
        let ends = match blueprint.shape {
            Shape::Raw if !format.is_raw => decoding_ends(blueprint)?,
            Shape::Raw => vec![End {
                decoder: None,
                elements: converters(blueprint)?,
            }],
            Shape::Encoded | Shape::Rtp => vec![End {
                decoder: None,
                elements: vec![caps_filter(blueprint)?],
            }],
        };
        Self::assemble(bin, source, front, ends)
    }

    /// Where media leaves.
    pub(super) fn tail(&self) -> &gst::Pad {
        &self.tail
    }

    /// The decoder's factory, if there is a decoder.
    pub(super) fn decoder(&self) -> Option<&glib::GString> {
        self.decoder.as_ref()
    }

    /// Stops the elements and takes them out of their bin. Joins their threads: nobody may be inside who waits for
    /// the caller.
    pub(super) fn dismantle(self) {
        remove(&self.bin, &self.elements);
    }

    /// Tries the ends one after the other until one starts.
    fn assemble(
        bin: &gst::Bin,
        source: &gst::Pad,
        front: Vec<gst::Element>,
        ends: Vec<End>,
    ) -> Result<Self, ChainError> {
        let mut last_error = glib::bool_error!("there is nothing to build");
        for end in ends {
            let elements: Vec<_> = front.iter().cloned().chain(end.elements).collect();
            match start(bin, source, &elements) {
                Ok(tail) => {
                    return Ok(Self {
                        bin: bin.clone(),
                        elements,
                        tail,
                        decoder: end.decoder,
                    });
                }
                Err(error) => {
                    gst::info!(crate::CAT, obj = bin, "a chain does not start: {error}");
                    last_error = error;
                    remove(bin, &elements);
                }
            }
        }
        Err(last_error.into())
    }
}

/// How a chain may end, after the parser.
struct End {
    decoder: Option<glib::GString>,
    elements: Vec<gst::Element>,
}

/// Every decoder that there is: first those whose output downstream takes as it is, by rank; those that failed last.
fn decoding_ends(blueprint: &Blueprint<'_>) -> Result<Vec<End>, ChainError> {
    let format = blueprint.format;
    let kind = if format.video {
        gst::ElementFactoryType::MEDIA_VIDEO
    } else {
        gst::ElementFactoryType::MEDIA_AUDIO
    };
    // Decoders of pictures with transparency ask for that: no RTP payload format carries it.
    let encoded = gst::Caps::builder(format.media_type)
        .field("codec-alpha", false)
        .build();
    let wanted = raw_part(blueprint);
    let mut ranked: Vec<(bool, bool, gst::ElementFactory)> = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::DECODER | kind,
        gst::Rank::MARGINAL,
    )
    .into_iter()
    .filter(|factory| factory.can_sink_any_caps(&encoded))
    .map(|factory| {
        let failed = blueprint.failed_decoders.contains(&factory.name());
        (failed, !factory.can_src_any_caps(&wanted), factory)
    })
    .collect();
    // Stable: the registry's order by rank stays within each group.
    ranked.sort_by_key(|(failed, needs_conversion, _)| (*failed, *needs_conversion));

    let mut ends = Vec::new();
    for (_, needs_conversion, factory) in ranked {
        let Ok(decoder) = factory.create().build() else {
            continue;
        };
        tune_decoder(&decoder);
        let mut elements = vec![decoder];
        if needs_conversion {
            elements.extend(converters(blueprint)?);
        }
        ends.push(End {
            decoder: Some(factory.name()),
            elements,
        });
    }
    if ends.is_empty() {
        Err(ChainError::NoDecoder(format.encoding_name))
    } else {
        Ok(ends)
    }
}

fn tune_decoder(decoder: &gst::Element) {
    set_if_there(decoder, "automatic-request-sync-points", true);
    set_if_there(decoder, "min-force-key-unit-interval", KEY_FRAME_INTERVAL);
    set_if_there(decoder, "plc", true);
}

/// A decoder asks for key frames at most this often, in nanoseconds.
const KEY_FRAME_INTERVAL: u64 = 500_000_000;

/// The raw media that downstream accepts; any, if it accepts anything.
fn raw_part(blueprint: &Blueprint<'_>) -> gst::Caps {
    let raw_type = blueprint.format.raw_type();
    if blueprint.downstream.is_any() {
        return gst::Caps::builder(raw_type).any_features().build();
    }
    let mut raw = gst::Caps::new_empty();
    {
        let raw = raw.make_mut();
        for (structure, features) in blueprint.downstream.iter_with_features() {
            if structure.name() == raw_type {
                raw.append_structure_full(structure.to_owned(), Some(features.to_owned()));
            }
        }
    }
    raw
}

/// What turns decoded media into the formats that downstream accepts, if it does not accept them all.
fn converters(blueprint: &Blueprint<'_>) -> Result<Vec<gst::Element>, glib::BoolError> {
    let names: &[&str] = if blueprint.format.video {
        &["videoconvert"]
    } else {
        &["audioconvert", "audioresample"]
    };
    names
        .iter()
        .map(|name| gst::ElementFactory::make(name).build())
        .collect()
}

/// Has the parser make the stream format that downstream accepts.
fn caps_filter(blueprint: &Blueprint<'_>) -> Result<gst::Element, glib::BoolError> {
    let media_type = blueprint.format.media_type;
    let mut caps = gst::Caps::new_empty();
    {
        let caps = caps.make_mut();
        for structure in blueprint
            .downstream
            .iter()
            .filter(|structure| structure.name() == media_type)
        {
            caps.append_structure(structure.to_owned());
        }
    }
    gst::ElementFactory::make("capsfilter")
        .property("caps", caps)
        .build()
}

fn make(name: &'static str) -> Result<gst::Element, ChainError> {
    Ok(gst::ElementFactory::make(name).build()?)
}

fn set_if_there(element: &gst::Element, property: &str, value: impl Into<glib::Value>) {
    if element.has_property(property) {
        element.set_property_from_value(property, &value.into());
    }
}

fn start(bin: &gst::Bin, source: &gst::Pad, elements: &[gst::Element]) -> Result<gst::Pad, glib::BoolError> {
    let missing = || glib::bool_error!("an element has no always pads");
    bin.add_many(elements)?;
    gst::Element::link_many(elements)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    let (first, last) = elements.first().zip(elements.last()).ok_or_else(missing)?;
    let tail = last.static_pad("src").ok_or_else(missing)?;
    let head = first.static_pad("sink").ok_or_else(missing)?;
    source
        .link(&head)
        .map_err(|error| glib::bool_error!("cannot link to {}: {error}", first.name()))?;
    Ok(tail)
}

/// Takes elements out again, those too that were never added.
fn remove(bin: &gst::Bin, elements: &[gst::Element]) {
    for element in elements {
        element.set_locked_state(true);
        let _ = element.set_state(gst::State::Null);
        if element.parent().is_some() {
            let _ = bin.remove(element);
        }
        element.set_locked_state(false);
    }
}

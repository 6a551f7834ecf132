//! The pad at a rendition's end: a payloader's buffers in, frames for the hub out.

use std::sync::{Arc, Mutex};

use weir_forwarding::{Frame, FrameAssembler, PayloadFormat};

use super::packets::Packet;
use crate::lock;

/// What comes out of a rendition. Emitted on its streaming thread.
#[derive(Debug)]
pub(crate) enum RenditionOutput {
    /// A frame's packets.
    Frame(Arc<Frame<Packet>>),
    /// The last frame is out.
    Eos,
}

/// Makes the pad, a sink pad of no element, for packets of `format`.
pub(crate) fn make(
    format: PayloadFormat,
    output: impl Fn(RenditionOutput) + Send + Sync + 'static,
) -> gst::Pad {
    let end = Arc::new(End {
        format,
        assembler: Mutex::new(FrameAssembler::new(format)),
        segment: Mutex::default(),
        output: Box::new(output),
    });
    let (chain, chain_list, event) = (end.clone(), end.clone(), end);
    gst::Pad::builder(gst::PadDirection::Sink)
        .chain_function(move |_, _, buffer| {
            chain.handle([buffer]);
            Ok(gst::FlowSuccess::Ok)
        })
        .chain_list_function(move |_, _, list| {
            chain_list.handle(list.iter_owned());
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(move |_, _, received| {
            match received.view() {
                gst::EventView::Segment(received) => event.handle_segment(received.segment()),
                gst::EventView::Eos(_) => event.end(),
                _ => (),
            }
            true
        })
        .query_function(|pad, parent, query| match query.view_mut() {
            // Whatever is packed, and also when it changes: a pad without template would hold a payloader to its
            // first caps, with the level of H.264 and the parameter sets in them.
            gst::QueryViewMut::Caps(query) => {
                query.set_result(&query.filter_owned().unwrap_or_else(gst::Caps::new_any));
                true
            }
            gst::QueryViewMut::AcceptCaps(query) => {
                query.set_result(true);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build()
}

struct End {
    format: PayloadFormat,
    assembler: Mutex<FrameAssembler<Packet>>,
    segment: Mutex<gst::FormattedSegment<gst::ClockTime>>,
    output: Box<dyn Fn(RenditionOutput) + Send + Sync>,
}

impl End {
    fn handle(&self, buffers: impl IntoIterator<Item = gst::Buffer>) {
        let segment = lock(&self.segment).clone();
        for buffer in buffers {
            // Encoders may shift timestamps and segment alike, as x264enc does by a thousand hours; viewers share
            // running time.
            let pts = segment.to_running_time(buffer.pts()).map(Into::into);
            match Packet::parse(self.format, buffer) {
                Ok((packet, payload)) => lock(&self.assembler).handle_packet(packet, payload, pts),
                Err(error) => gst::warning!(crate::CAT, "a payloader made an unusable packet: {error}"),
            }
        }
        self.emit();
    }

    fn handle_segment(&self, segment: &gst::Segment) {
        if let Some(segment) = segment.downcast_ref::<gst::ClockTime>() {
            *lock(&self.segment) = segment.clone();
        }
    }

    fn end(&self) {
        lock(&self.assembler).handle_end();
        self.emit();
        (self.output)(RenditionOutput::Eos);
    }

    /// Frames leave without the lock.
    fn emit(&self) {
        loop {
            let frame = lock(&self.assembler).poll_frame();
            let Some(frame) = frame else { return };
            (self.output)(RenditionOutput::Frame(Arc::new(frame)));
        }
    }
}

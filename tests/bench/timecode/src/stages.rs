//! Where a picture is at what time: what passes the pads of elements of interest.
//!
//! Stages are for finding out and no part of the figures: a stage is named by its element's factory, and which passage
//! at one stage is which at the next is not told.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use serde::Serialize;

/// When something passed a pad.
#[derive(Serialize)]
pub(crate) struct Passage {
    /// The element's factory and pad.
    stage: String,
    /// Microseconds of the machine's clock.
    at: u64,
    /// Whether it ends a picture: RTP's marker. Always true for what is no RTP packet.
    last: bool,
}

/// What has passed. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Stages(Arc<Mutex<Vec<Passage>>>);

impl Stages {
    /// Watches every element of video that gets into `bin`, by its pads.
    pub(crate) fn watch(&self, bin: &gst::Bin) {
        for element in bin.iterate_recurse().into_iter().flatten() {
            self.watch_element(&element);
        }
        let stages = self.clone();
        bin.connect_deep_element_added(move |_, _, element| stages.watch_element(element));
    }

    /// Takes out what there is.
    pub(crate) fn take(&self) -> Vec<Passage> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn watch_element(&self, element: &gst::Element) {
        if element.is::<gst::Bin>() {
            return;
        }
        for pad in element.pads() {
            self.watch_pad(element, &pad);
        }
        let stages = self.clone();
        element.connect_pad_added(move |element, pad| stages.watch_pad(element, pad));
    }

    fn watch_pad(&self, element: &gst::Element, pad: &gst::Pad) {
        let factory = element.factory().map(|factory| factory.name().to_string());
        let stage = format!("{}.{}", factory.unwrap_or_default(), pad.name());
        let stages = self.clone();
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(mask, move |pad, info| {
            let is_last = |buffer: &gst::BufferRef| {
                let is_rtp = pad
                    .current_caps()
                    .is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name() == "application/x-rtp"));
                !is_rtp || buffer.flags().contains(gst::BufferFlags::MARKER)
            };
            let last = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => is_last(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().any(is_last),
                _ => return gst::PadProbeReturn::Ok,
            };
            let passage = Passage {
                stage: stage.clone(),
                at: u64::try_from(crate::now().as_micros()).unwrap_or_default(),
                last,
            };
            stages
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(passage);
            gst::PadProbeReturn::Ok
        });
    }
}

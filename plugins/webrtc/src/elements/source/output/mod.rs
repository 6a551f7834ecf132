//! What becomes of one received m-line: packets in, media out, in the form that downstream accepts.
//!
//! ```text
//!   webrtcbin's pads          bin of this output
//!   (one per SSRC and         ┌───────────────────────────────────────────────────────────┐
//!    payload type)       ───► │ gate ─► funnel ─► depayloader ─► parser ─► [filter] ─► decoder │ ─► pad of webrtcsrc
//!                        ───► │ gate ─┘          └────────────── chain ──────────────────┘ │
//!                             └───────────────────────────────────────────────────────────┘
//! ```
//!
//! - [`gate`]: lets one of the inputs through, and no error of what follows back to webrtcbin
//! - [`shape`]: decides RTP, encoded or raw
//! - [`chain`]: the elements for it
//! - [`format`]: the payload formats, as data
//!
//! The chain is built in the streaming thread, when the first packet meets a linked pad, and anew when downstream or
//! the payload format changes: no packet waits for another thread.

mod chain;
pub(super) mod format;
mod gate;
mod shape;

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;

use gate::Gates;

/// What an output has to say. Emitted on streaming threads, without a lock: a receiver queues and returns.
#[derive(Debug)]
pub(super) enum OutputEvent {
    /// Media leaves in a new form: the latency may be another.
    Rebuilt,
    /// Something failed; the sentence says what. The output goes on, or waits for other caps.
    Trouble(String),
}

/// What an output asks and tells. Called on streaming threads, without a lock.
pub(super) struct Hooks {
    pub(super) encoded_filter: EncodedFilter,
    pub(super) events: Box<dyn Fn(OutputEvent) + Send + Sync>,
}

/// The application's filter for encoded media with these caps, if it has one.
type EncodedFilter = Box<dyn Fn(&gst::Caps) -> Option<gst::Element> + Send + Sync>;

/// One received m-line. It lives as long as its session: an m-line that is taken out of use, and put in use again,
/// keeps it, for webrtcbin will not make its pads anew.
#[derive(Debug)]
pub(super) struct Output {
    bin: gst::Bin,
    gates: Arc<Gates>,
}

impl Output {
    /// Makes an output in `parent`, which leads to `pad` from [`Output::open`] on.
    ///
    /// # Errors
    /// When an element of GStreamer's core is missing.
    pub(super) fn new(parent: &gst::Bin, name: Option<&str>, hooks: Hooks) -> Result<Self, glib::BoolError> {
        let bin = gst::Bin::builder().name_if_some(name).build();
        let gates = Gates::new(&bin, hooks)?;
        parent.add(&bin)?;
        bin.sync_state_with_parent()?;
        Ok(Self { bin, gates })
    }

    /// An output that nothing ever leaves.
    ///
    /// # Errors
    /// When an element of GStreamer's core is missing.
    pub(super) fn unwanted(parent: &gst::Bin) -> Result<Self, glib::BoolError> {
        let hooks = Hooks {
            encoded_filter: Box::new(|_| None),
            events: Box::new(|_| ()),
        };
        Self::new(parent, None, hooks)
    }

    /// Leads media to `pad`, a ghost pad without a target, as the stream that `stream_start` names.
    ///
    /// # Errors
    /// When `pad` has another parent than the output.
    pub(super) fn open(&self, pad: &gst::GhostPad, stream_start: &gst::Event) -> Result<(), glib::BoolError> {
        self.gates.open(pad, stream_start)
    }

    /// Lets in what comes from `source`, a pad of webrtcbin's. Called on a streaming thread of its.
    ///
    /// # Errors
    /// When the pad cannot be linked.
    pub(super) fn connect(&self, source: &gst::Pad) -> Result<(), glib::BoolError> {
        self.gates.connect(source)
    }

    /// Lets nothing more through until it is opened again, and sends EOS after what has come in, if `with_eos`. Waits
    /// while downstream blocks.
    pub(super) fn close(&self, with_eos: bool) {
        self.gates.close(with_eos);
    }

    /// Takes the output out of its bin. To be closed before, and webrtcbin's pads unlinked.
    pub(super) fn remove(&self, parent: &gst::Bin) {
        self.bin.set_locked_state(true);
        let _ = self.bin.set_state(gst::State::Null);
        let _ = parent.remove(&self.bin);
    }
}

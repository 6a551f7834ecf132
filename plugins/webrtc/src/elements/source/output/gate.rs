//! Between webrtcbin and the chain: one gate for each of webrtcbin's pads.
//!
//! One gate at a time is active: the newest that brings media, for a sender that starts anew does so with a new SSRC,
//! and one that changes codec with a new payload type. A gate swallows the errors of what follows: they would stop
//! the jitter buffer for good, though a decoder can be replaced, and a pad be linked later.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;

use super::chain::{Blueprint, Chain};
use super::format::PayloadFormat;
use super::shape::Shape;
use super::{Hooks, OutputEvent};
use crate::lock;

/// Most pads of webrtcbin that one m-line may have in a session.
const MAX_GATES: usize = 32;
/// An older gate takes over from a newer one that has been silent this long.
const SILENCE: Duration = Duration::from_secs(1);
/// A key frame is asked for this often while nothing can be decoded.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(500);
/// More failures than this within [`FAILURE_WINDOW`] are taken for lasting.
const MAX_FAILURES: usize = 5;
const FAILURE_WINDOW: Duration = Duration::from_secs(10);

/// The gates of one output, and the chain behind them.
pub(super) struct Gates {
    bin: glib::WeakRef<gst::Bin>,
    funnel: gst::Element,
    /// The funnel's source pad.
    source: gst::Pad,
    /// Where media leaves the bin.
    exit: gst::GhostPad,
    hooks: Hooks,
    state: Mutex<State>,
    /// Downstream is not what it was when the chain was built.
    reconsider: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The pad of the element that media leaves by; none while closed.
    open: Option<Open>,
    gates: Vec<Gate>,
    active: Option<usize>,
    /// When the active gate last brought something.
    last_data: Option<Instant>,
    link: Link,
    /// A streaming thread is building a chain.
    building: bool,
    /// Media has been dropped, or has gone through a chain that is no more: a new one begins in the middle.
    missed_media: bool,
    failures: VecDeque<Instant>,
    failed_decoders: Vec<glib::GString>,
}

#[derive(Clone, Debug)]
struct Open {
    pad: glib::WeakRef<gst::GhostPad>,
    stream_start: gst::Event,
    /// Tells when downstream changes.
    probe: Arc<Mutex<Option<gst::PadProbeId>>>,
}

#[derive(Debug)]
struct Gate {
    format: Option<&'static PayloadFormat>,
    ssrc: Option<u32>,
    /// Its sticky events have yet to be sent through the chain.
    dirty: bool,
}

#[derive(Debug, Default)]
enum Link {
    /// Nothing is known of downstream yet.
    #[default]
    Undecided,
    /// There is nobody to take media, or nothing that makes it: until downstream changes.
    Waiting,
    /// There is a chain.
    Flowing(Flow),
}

#[derive(Debug)]
struct Flow {
    chain: Chain,
    format: &'static PayloadFormat,
    shape: Shape,
    /// What downstream accepted when the chain was built.
    downstream: gst::Caps,
    /// Something has come out of it.
    produced: Arc<AtomicBool>,
    /// When a key frame was last asked for.
    asked: Instant,
    /// It failed, and has to be built anew.
    broken: bool,
    /// Nobody is linked behind it, or nobody wants more: until downstream changes.
    idle: bool,
}

/// What a gate does with what it was given.
enum Admission {
    Drop,
    Pass {
        ask_for_key_frame: bool,
    },
    /// The chain is there; it has yet to learn the gate's sticky events.
    Introduce,
    /// The chain is to be built, after taking down `old`.
    Build {
        format: &'static PayloadFormat,
        old: Link,
        open: Open,
    },
}

impl Gates {
    pub(super) fn new(bin: &gst::Bin, hooks: Hooks) -> Result<Arc<Self>, glib::BoolError> {
        let missing = || glib::bool_error!("a funnel has no source pad");
        let funnel = gst::ElementFactory::make("funnel").build()?;
        bin.add(&funnel)?;
        let source = funnel.static_pad("src").ok_or_else(missing)?;
        let exit = gst::GhostPad::builder(gst::PadDirection::Src).name("src").build();
        bin.add_pad(&exit)?;
        Ok(Arc::new(Self {
            bin: bin.downgrade(),
            funnel,
            source,
            exit,
            hooks,
            state: Mutex::default(),
            reconsider: AtomicBool::new(false),
        }))
    }

    pub(super) fn open(
        self: &Arc<Self>,
        pad: &gst::GhostPad,
        stream_start: &gst::Event,
    ) -> Result<(), glib::BoolError> {
        pad.set_target(Some(&self.exit))?;
        let gates: Weak<Self> = Arc::downgrade(self);
        let probe = pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            if info
                .event()
                .is_some_and(|event| event.type_() == gst::EventType::Reconfigure)
                && let Some(gates) = gates.upgrade()
            {
                gates.reconsider.store(true, Ordering::Release);
            }
            gst::PadProbeReturn::Ok
        });
        let mut state = lock(&self.state);
        state.open = Some(Open {
            pad: pad.downgrade(),
            stream_start: stream_start.clone(),
            probe: Arc::new(Mutex::new(probe)),
        });
        state.link = Link::Undecided;
        for gate in &mut state.gates {
            gate.dirty = true;
        }
        Ok(())
    }

    pub(super) fn close(&self, with_eos: bool) {
        let (open, link) = {
            let mut state = lock(&self.state);
            state.missed_media = true;
            state.failures.clear();
            (state.open.take(), std::mem::take(&mut state.link))
        };
        let Some(open) = open else { return };
        match link {
            Link::Flowing(flow) => {
                if with_eos {
                    self.source.push_event(gst::event::Eos::new());
                }
                self.take_down(flow.chain);
            }
            Link::Undecided | Link::Waiting if with_eos => {
                self.exit.push_event(open.stream_start.clone());
                self.exit.push_event(gst::event::Eos::new());
            }
            Link::Undecided | Link::Waiting => (),
        }
        if let Some(pad) = open.pad.upgrade() {
            let probe = lock(&open.probe).take();
            if let Some(probe) = probe {
                pad.remove_probe(probe);
            }
            let _ = pad.set_target(None::<&gst::Pad>);
        }
    }

    pub(super) fn connect(self: &Arc<Self>, source: &gst::Pad) -> Result<(), glib::BoolError> {
        let bin = self
            .bin
            .upgrade()
            .ok_or_else(|| glib::bool_error!("the output is gone"))?;
        let id = {
            let mut state = lock(&self.state);
            if state.gates.len() >= MAX_GATES {
                return Err(glib::bool_error!("there are too many streams for one m-line"));
            }
            state.gates.push(Gate {
                format: None,
                ssrc: None,
                dirty: true,
            });
            state.gates.len() - 1
        };
        let pad = self.gate_pad(id);
        let funnel_pad = self
            .funnel
            .request_pad_simple("sink_%u")
            .ok_or_else(|| glib::bool_error!("the funnel gives no pad"))?;
        pad.set_target(Some(&funnel_pad))?;
        pad.set_active(true)?;
        bin.add_pad(&pad)?;
        source
            .link(&pad)
            .map_err(|error| glib::bool_error!("webrtcbin's pad cannot be linked: {error}"))?;
        Ok(())
    }

    fn gate_pad(self: &Arc<Self>, id: usize) -> gst::GhostPad {
        let (on_buffer, on_list, on_event) = (self.clone(), self.clone(), self.clone());
        gst::GhostPad::builder(gst::PadDirection::Sink)
            .name(format!("sink_{id}"))
            .chain_function(move |pad, parent, buffer| {
                on_buffer.pass(id, pad, || gst::ProxyPad::chain_default(pad, parent, buffer))
            })
            .chain_list_function(move |pad, parent, list| {
                on_list.pass(id, pad, || gst::ProxyPad::chain_list_default(pad, parent, list))
            })
            .event_function(move |pad, parent, event| {
                on_event
                    .event(id, &event)
                    .unwrap_or_else(|| gst::Pad::event_default(pad, parent, event))
            })
            .build()
    }

    /// Gives data to the chain if this gate is open, and makes the chain first if need be.
    fn pass(
        &self,
        id: usize,
        pad: &gst::GhostPad,
        forward: impl FnOnce() -> Result<gst::FlowSuccess, gst::FlowError>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self.admit(id, Instant::now()) {
            Admission::Drop => return Ok(gst::FlowSuccess::Ok),
            Admission::Pass { ask_for_key_frame } => {
                if ask_for_key_frame {
                    pad.push_event(
                        gst_video::UpstreamForceKeyUnitEvent::builder()
                            .all_headers(true)
                            .build(),
                    );
                }
            }
            Admission::Introduce => self.introduce(pad),
            Admission::Build { format, old, open } => {
                if !self.build(id, pad, format, old, &open) {
                    return Ok(gst::FlowSuccess::Ok);
                }
            }
        }
        match forward() {
            Ok(success) => Ok(success),
            Err(error) => {
                self.failed(id, error);
                Ok(gst::FlowSuccess::Ok)
            }
        }
    }

    fn admit(&self, id: usize, now: Instant) -> Admission {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some(format) = state.gates[id].format else {
            return Admission::Drop;
        };
        let Some(open) = state.open.clone() else {
            state.missed_media = true;
            return Admission::Drop;
        };
        if !state.elect(id, now) || state.building {
            return Admission::Drop;
        }
        let changed = self.reconsider.swap(false, Ordering::AcqRel);
        match &mut state.link {
            Link::Flowing(flow) if !changed && flow.idle => return Admission::Drop,
            Link::Flowing(flow) if !changed && !flow.broken && flow.format == format => {
                let starved = format.video
                    && flow.shape != Shape::Rtp
                    && !flow.produced.load(Ordering::Relaxed)
                    && now.duration_since(flow.asked) >= KEY_FRAME_PATIENCE;
                if starved {
                    flow.asked = now;
                }
                if std::mem::take(&mut state.gates[id].dirty) {
                    return Admission::Introduce;
                }
                return Admission::Pass {
                    ask_for_key_frame: starved,
                };
            }
            Link::Waiting if !changed => {
                state.missed_media = true;
                return Admission::Drop;
            }
            Link::Flowing(_) | Link::Waiting | Link::Undecided => (),
        }
        state.building = true;
        Admission::Build {
            format,
            old: std::mem::take(&mut state.link),
            open,
        }
    }

    /// Sends the gate's sticky events through the chain.
    fn introduce(&self, pad: &gst::GhostPad) {
        let Some(stream_start) = lock(&self.state)
            .open
            .as_ref()
            .map(|open| open.stream_start.clone())
        else {
            return;
        };
        replay(pad, &stream_start);
    }

    /// Builds the chain that downstream asks for, in place of `old`. Returns whether there is one.
    fn build(
        &self,
        id: usize,
        pad: &gst::GhostPad,
        format: &'static PayloadFormat,
        old: Link,
        open: &Open,
    ) -> bool {
        let link = self.decide(format, old, open);
        let rebuilt = matches!(&link, Link::Flowing(flow) if !flow.produced.load(Ordering::Relaxed));
        if matches!(link, Link::Flowing(_)) {
            replay(pad, &open.stream_start);
        }
        let surplus = {
            let mut state = lock(&self.state);
            state.building = false;
            if state.open.is_some() {
                state.link = link;
                for (index, gate) in state.gates.iter_mut().enumerate() {
                    gate.dirty = index != id;
                }
                None
            } else {
                // It was closed the while.
                Some(link)
            }
        };
        match surplus {
            Some(Link::Flowing(flow)) => {
                self.take_down(flow.chain);
                false
            }
            Some(_) => false,
            None => {
                if rebuilt {
                    (self.hooks.events)(OutputEvent::Rebuilt);
                }
                matches!(lock(&self.state).link, Link::Flowing(_))
            }
        }
    }

    fn decide(&self, format: &'static PayloadFormat, old: Link, open: &Open) -> Link {
        let peer = open.pad.upgrade().and_then(|pad| pad.peer());
        let downstream = peer.map(|peer| peer.query_caps(None));
        let shape = downstream
            .as_ref()
            .and_then(|caps| Shape::for_downstream(caps, format));
        let old = match old {
            Link::Flowing(mut flow) => {
                let same = !flow.broken
                    && flow.format == format
                    && shape == Some(flow.shape)
                    && downstream
                        .as_ref()
                        .is_some_and(|caps| caps.is_strictly_equal(&flow.downstream));
                if same {
                    flow.idle = false;
                    return Link::Flowing(flow);
                }
                self.take_down(flow.chain);
                true
            }
            Link::Undecided | Link::Waiting => false,
        };
        let (Some(downstream), Some(bin)) = (downstream, self.bin.upgrade()) else {
            lock(&self.state).missed_media = true;
            return Link::Waiting;
        };
        let Some(shape) = shape else {
            self.trouble(format!(
                "downstream does not accept {} in any form",
                format.encoding_name
            ));
            return Link::Waiting;
        };
        let (failed_decoders, missed_media) = {
            let mut state = lock(&self.state);
            let missed_media = std::mem::replace(&mut state.missed_media, true);
            (state.failed_decoders.clone(), missed_media || old)
        };
        let blueprint = Blueprint {
            format,
            shape,
            downstream: &downstream,
            failed_decoders: &failed_decoders,
        };
        let chain = Chain::build(&bin, &self.source, &blueprint, |caps| {
            (self.hooks.encoded_filter)(caps)
        });
        match chain {
            Ok(chain) => {
                if self.exit.set_target(Some(chain.tail())).is_err() {
                    gst::warning!(crate::CAT, obj = bin, "the end of a chain cannot be exposed");
                }
                let produced = watch_for_media(chain.tail());
                let asked = Instant::now();
                // What began earlier goes on with a key frame only on request.
                let asked = if missed_media {
                    asked.checked_sub(KEY_FRAME_PATIENCE).unwrap_or(asked)
                } else {
                    asked
                };
                gst::debug!(
                    crate::CAT,
                    obj = bin,
                    "{} leaves as {shape:?}",
                    format.encoding_name
                );
                Link::Flowing(Flow {
                    chain,
                    format,
                    shape,
                    downstream,
                    produced,
                    asked,
                    broken: false,
                    idle: false,
                })
            }
            Err(error) => {
                self.trouble(error.to_string());
                Link::Waiting
            }
        }
    }

    fn take_down(&self, chain: Chain) {
        let _ = self.exit.set_target(None::<&gst::Pad>);
        if let Some(peer) = self.source.peer() {
            let _ = self.source.unlink(&peer);
        }
        chain.dismantle();
    }

    /// What follows did not take what this gate gave it.
    fn failed(&self, id: usize, error: gst::FlowError) {
        let now = Instant::now();
        let sentence = {
            let mut state = lock(&self.state);
            let state = &mut *state;
            if state.active != Some(id) {
                return;
            }
            let Link::Flowing(flow) = &mut state.link else {
                return;
            };
            match error {
                gst::FlowError::Flushing => return,
                gst::FlowError::NotLinked | gst::FlowError::Eos => {
                    flow.idle = true;
                    return;
                }
                _ => (),
            }
            flow.broken = true;
            if let Some(decoder) = flow.chain.decoder()
                && !state.failed_decoders.contains(decoder)
            {
                state.failed_decoders.push(decoder.clone());
            }
            state
                .failures
                .retain(|failure| now.duration_since(*failure) < FAILURE_WINDOW);
            state.failures.push_back(now);
            if state.failures.len() > MAX_FAILURES {
                state.failures.clear();
                flow.idle = true;
                format!(
                    "{} cannot be played ({error:?}): given up",
                    flow.format.encoding_name
                )
            } else {
                format!(
                    "{} was not taken ({error:?}): starting over",
                    flow.format.encoding_name
                )
            }
        };
        self.trouble(sentence);
    }

    fn trouble(&self, sentence: String) {
        (self.hooks.events)(OutputEvent::Trouble(sentence));
    }

    /// Handles an event of webrtcbin's; none if it is to be passed on.
    fn event(&self, id: usize, event: &gst::Event) -> Option<bool> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let flowing = state.open.is_some() && state.active == Some(id) && !state.building;
        let format = match (&state.link, flowing) {
            (Link::Flowing(flow), true) => Some(flow.format),
            _ => None,
        };
        let gate = &mut state.gates[id];
        let passes = format.is_some() && !gate.dirty;
        match event.view() {
            // The application's stream ends when the peer says so in its description, not when one SSRC does.
            gst::EventView::Eos(_) => Some(false),
            // Downstream has heard of ours.
            gst::EventView::StreamStart(_) => Some(true),
            gst::EventView::Caps(caps) => {
                let caps = caps.caps().structure(0)?;
                gate.format = caps
                    .get::<&str>("encoding-name")
                    .ok()
                    .and_then(PayloadFormat::from_encoding_name);
                gate.ssrc = caps.get("ssrc").ok();
                if passes && gate.format == format {
                    return None;
                }
                gate.dirty = true;
                Some(true)
            }
            _ if passes => None,
            _ => {
                gate.dirty = true;
                Some(true)
            }
        }
    }
}

impl std::fmt::Debug for Gates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gates")
            .field("bin", &self.bin.upgrade())
            .finish_non_exhaustive()
    }
}

impl State {
    /// Whether this gate is the one to be open; it may have become so.
    fn elect(&mut self, id: usize, now: Instant) -> bool {
        let elected = match self.active {
            None => true,
            Some(active) if active == id => true,
            Some(active) => {
                let same_sender =
                    self.gates[active].ssrc.is_some() && self.gates[active].ssrc == self.gates[id].ssrc;
                let silent = self
                    .last_data
                    .is_none_or(|last| now.duration_since(last) >= SILENCE);
                same_sender || id > active || silent
            }
        };
        if elected {
            if self.active != Some(id) {
                self.active = Some(id);
                self.gates[id].dirty = true;
            }
            self.last_data = Some(now);
        }
        elected
    }
}

/// Sends the sticky events that `pad` has seen to what follows, as the stream `stream_start`.
fn replay(pad: &gst::GhostPad, stream_start: &gst::Event) {
    let mut events = Vec::new();
    pad.sticky_events_foreach(|event| {
        events.push(event.clone());
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    let Some(inside) = pad.internal() else { return };
    inside.push_event(stream_start.clone());
    for event in events {
        if !matches!(event.type_(), gst::EventType::StreamStart | gst::EventType::Eos) {
            inside.push_event(event);
        }
    }
}

/// Tells when the first buffer leaves by `pad`.
fn watch_for_media(pad: &gst::Pad) -> Arc<AtomicBool> {
    let produced = Arc::new(AtomicBool::new(false));
    let seen = produced.clone();
    pad.add_probe(
        gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
        move |_, _| {
            seen.store(true, Ordering::Relaxed);
            gst::PadProbeReturn::Remove
        },
    );
    produced
}

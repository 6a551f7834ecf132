//! What is known of renditions and viewers; the facts and commands of both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use weir_forwarding::{
    Answer, CatchUpConfig, Counters, Frame, GopCache, KeyFrameBudget, KeyFrameCommand, KeyFrameConfig,
    OutgoingStream, RenditionId, RequestKind,
};
use weir_units::Timestamp;

use super::output::{Output, OutputId};
use super::packets::Packet;
use super::viewer_pad::ViewerPad;
use super::watchdog::{self, ThreadId, Watched};
use super::{dispatch, rendition_pad};
use crate::{clock, lock};

/// What the hub has to say. Emitted on its threads, without a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HubEvent {
    /// A key frame of this rendition is wanted, and due.
    KeyFrameWanted(RenditionId),
    /// The rendition makes no key frames on request.
    Unresponsive(RenditionId),
    /// A push to this viewer blocks for good: its session is to end.
    Stalled {
        /// The viewer.
        viewer: u64,
    },
    /// Everything that was handed in before [`Hub::drain`] has been pushed.
    Drained,
}

/// A viewer's copy of a stream, to be.
#[derive(Debug)]
pub(crate) struct OutputSpec {
    /// Whose, of what.
    pub(crate) id: OutputId,
    /// Where its packets go: a pad whose webrtcbin is negotiated, sending and connected.
    pub(crate) pad: ViewerPad,
    /// Its numbers.
    pub(crate) outgoing: OutgoingStream,
    /// The rendition to start with.
    pub(crate) rendition: RenditionId,
}

/// How joiners of a rendition begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// With a new key frame; from the cache while the last one is recent.
    OnRequest,
    /// From the cache whenever there is one, for the input may make no key frames on request; one is asked for all
    /// the same.
    FromCache,
    /// With the next key frame, whenever it comes.
    AtNextKeyFrame,
}

/// What an output has sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputCounters {
    /// Whose, of what.
    pub(crate) id: OutputId,
    /// The rendition that it is on, or will be.
    pub(crate) rendition: Option<RenditionId>,
    /// What went out.
    pub(crate) counters: Counters,
}

/// The hub of one element: frames of all its renditions in, packets for all its viewers out.
#[derive(Debug)]
pub(crate) struct Hub {
    shared: Arc<Shared>,
}

impl Hub {
    /// A hub without renditions and viewers, and its dispatch thread.
    pub(crate) fn new(events: impl Fn(HubEvent) + Send + Sync + 'static) -> Self {
        let shared = Arc::new_cyclic(|this| Shared {
            this: this.clone(),
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
            events: Box::new(events),
        });
        dispatch::spawn(shared.clone(), 0);
        let watched: Arc<dyn Watched> = shared.clone();
        watchdog::watch(Arc::downgrade(&watched));
        Self { shared }
    }

    /// A rendition is about to start: the pad that its packets go to.
    pub(crate) fn add_rendition(
        &self,
        id: RenditionId,
        stream: u32,
        format: weir_forwarding::PayloadFormat,
        clock_rate: u32,
        joining: Joining,
        on_end: impl Fn() + Send + Sync + 'static,
    ) -> gst::Pad {
        self.shared
            .lock()
            .renditions
            .insert(id, RenditionState::new(stream, clock_rate, joining));
        let shared = Arc::downgrade(&self.shared);
        rendition_pad::make(format, move |output| match output {
            rendition_pad::RenditionOutput::Frame(frame) => {
                if let Some(shared) = shared.upgrade() {
                    shared.handle_frame(id, frame);
                }
            }
            rendition_pad::RenditionOutput::Eos => on_end(),
        })
    }

    /// A rendition is gone. Its viewers keep waiting until they are moved.
    pub(crate) fn remove_rendition(&self, id: RenditionId) {
        let is_its = |work: &Work| matches!(work, Work::Frame { rendition, .. } if *rendition == id);
        let mut state = self.shared.lock();
        let rendition = state.renditions.remove(&id);
        let (frames, others): (VecDeque<_>, _) =
            std::mem::take(&mut state.queue).into_iter().partition(is_its);
        state.queue = others;
        // Megabytes of packets may go, and not with the lock.
        drop(state);
        drop((rendition, frames));
    }

    /// A viewer is connected: it gets a stream from here on.
    pub(crate) fn attach(&self, spec: OutputSpec) {
        let OutputSpec {
            id,
            pad,
            outgoing,
            rendition,
        } = spec;
        let output = Arc::new(Output::new(id, pad, outgoing, rendition));
        {
            let mut state = self.shared.lock();
            state.outputs.insert(id, output.clone());
            state.join(&output, rendition);
        }
        self.shared.wake.notify_all();
        watchdog::wake();
    }

    /// A viewer is about to connect: has a key frame made by the time that it does.
    pub(crate) fn expect(&self, viewer: u64, rendition: RenditionId) {
        {
            let mut state = self.shared.lock();
            let Some(expected) = state.renditions.get_mut(&rendition) else {
                return;
            };
            if expected.joining != Joining::OnRequest || !expected.has_begun {
                return;
            }
            let kind = RequestKind::Join {
                cached: expected.gop.is_usable(),
            };
            expected.budget.handle_request(viewer, kind, clock::now());
            state.collect_commands(rendition);
        }
        self.shared.wake.notify_all();
    }

    /// Moves everybody who is on one rendition, or waits for it, to another.
    pub(crate) fn replace_rendition(&self, from: RenditionId, to: RenditionId) {
        {
            let mut state = self.shared.lock();
            let moved: Vec<_> = state
                .outputs
                .values()
                .filter(|output| output.target() == Some(from))
                .cloned()
                .collect();
            for output in moved {
                output.set_target(to);
                state.join(&output, to);
            }
        }
        self.shared.wake.notify_all();
    }

    /// A viewer leaves: nothing more is pushed to it, and a push that blocks lets go.
    pub(crate) fn detach(&self, viewer: u64) {
        let gone = {
            let mut state = self.shared.lock();
            let ids: Vec<_> = state
                .outputs
                .keys()
                .filter(|id| id.viewer == viewer)
                .copied()
                .collect();
            for rendition in state.renditions.values_mut() {
                rendition.budget.handle_viewer_left(viewer);
            }
            state.suspended.retain(|push| push.output.id().viewer != viewer);
            ids.iter()
                .filter_map(|id| state.remove_output(*id))
                .collect::<Vec<_>>()
        };
        for output in gone {
            output.suspend();
            output.pad().flush();
        }
    }

    /// One stream of a viewer ends; its others go on. A push that is under way is left to end by itself: all streams
    /// of a viewer share the way from webrtcbin's RTP funnel on, and flushing one would flush them all.
    pub(crate) fn detach_output(&self, id: OutputId) {
        let gone = self.shared.lock().remove_output(id);
        if let Some(output) = gone {
            output.suspend();
        }
    }

    /// What to call for a viewer's PLI or FIR; it does not keep the hub alive.
    pub(crate) fn requester(&self) -> impl Fn(OutputId) + Clone + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move |id| {
            let Some(shared) = shared.upgrade() else { return };
            {
                let mut state = shared.lock();
                let target = state.outputs.get(&id).and_then(|output| output.target());
                if let Some(rendition) = target {
                    state.request_key_frame(id, rendition, RequestKind::Loss);
                }
            }
            // The dispatch thread emits what came of it.
            shared.wake.notify_all();
        }
    }

    /// Has [`HubEvent::Drained`] emitted once all that was handed in so far has been pushed.
    pub(crate) fn drain(&self) {
        self.shared.lock().queue.push_back(Work::Drain);
        self.shared.wake.notify_all();
    }

    /// What all outputs have sent.
    pub(crate) fn counters(&self) -> Vec<OutputCounters> {
        let outputs: Vec<_> = self.shared.lock().outputs.values().cloned().collect();
        outputs
            .iter()
            .map(|output| OutputCounters {
                id: output.id(),
                rendition: output.target(),
                counters: output.counters(),
            })
            .collect()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.wake.notify_all();
    }
}

/// A push that takes longer blocks, if its thread sleeps: the thread is replaced, so that nobody else waits.
const BLOCKED_AFTER: Duration = Duration::from_millis(50);
/// A viewer whose push has not returned by then is given up.
const STALLED_AFTER: Duration = Duration::from_secs(1);
/// Frames that may wait for the dispatch thread: some seconds of several streams. What comes beyond is dropped.
const QUEUE_LIMIT: usize = 1024;

pub(super) struct Shared {
    /// Itself, for the threads that it starts.
    this: Weak<Self>,
    state: Mutex<State>,
    pub(super) wake: Condvar,
    events: Box<dyn Fn(HubEvent) + Send + Sync>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queue: VecDeque<Work>,
    pub(super) renditions: BTreeMap<RenditionId, RenditionState>,
    pub(super) outputs: BTreeMap<OutputId, Arc<Output>>,
    /// Outputs that are being served from a cache.
    pub(super) catching_up: BTreeSet<OutputId>,
    /// The frame that is being pushed, and whom it has yet to reach.
    pub(super) current: Option<Round>,
    pub(super) pushing: Option<Push>,
    /// Pushes that block, each in a thread that was replaced.
    pub(super) suspended: Vec<Push>,
    pub(super) events: Vec<HubEvent>,
    /// Counts the dispatch threads: one that is not the last ends when its push returns.
    pub(super) generation: u64,
    pub(super) stopped: bool,
}

pub(super) enum Work {
    Frame {
        rendition: RenditionId,
        frame: Arc<Frame<Packet>>,
    },
    Drain,
}

/// One frame on its way to all viewers.
pub(super) struct Round {
    pub(super) rendition: RenditionId,
    pub(super) frame: Arc<Frame<Packet>>,
    pub(super) outputs: std::vec::IntoIter<Arc<Output>>,
}

#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) output: Arc<Output>,
    pub(super) since: Instant,
    pub(super) thread: ThreadId,
}

pub(super) struct RenditionState {
    pub(super) stream: u32,
    gop: GopCache<Packet>,
    budget: KeyFrameBudget,
    clock_rate: u32,
    joining: Joining,
    /// Its first frame is out.
    has_begun: bool,
}

impl RenditionState {
    fn new(stream: u32, clock_rate: u32, joining: Joining) -> Self {
        Self {
            stream,
            gop: GopCache::new(GopCache::<Packet>::DEFAULT_LIMIT),
            budget: KeyFrameBudget::new(KeyFrameConfig::default()),
            clock_rate,
            joining,
            has_begun: false,
        }
    }

    pub(super) fn handle_frame(&mut self, frame: &Arc<Frame<Packet>>, now: Timestamp) {
        self.has_begun = true;
        self.gop.handle_frame(frame);
        if frame.key {
            self.budget.handle_key_frame(now);
        }
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn emit(&self, events: Vec<HubEvent>) {
        for event in events {
            (self.events)(event);
        }
    }

    fn handle_frame(&self, rendition: RenditionId, frame: Arc<Frame<Packet>>) {
        {
            let mut state = self.lock();
            if state.queue.len() >= QUEUE_LIMIT {
                gst::warning!(crate::CAT, "the dispatch thread is behind: a frame is dropped");
                return;
            }
            state.queue.push_back(Work::Frame { rendition, frame });
        }
        self.wake.notify_all();
    }
}

impl State {
    fn join(&mut self, output: &Arc<Output>, id: RenditionId) {
        let now = clock::now();
        let Some(rendition) = self.renditions.get_mut(&id) else {
            return;
        };
        let viewer = output.id().viewer;
        let is_usable = rendition.gop.is_usable();
        let from_cache = match rendition.joining {
            Joining::FromCache if is_usable => {
                // Asked all the same: if the input does make one, it ends the catching up with what is past.
                let kind = RequestKind::Join { cached: true };
                rendition.budget.handle_request(viewer, kind, now);
                true
            }
            Joining::FromCache | Joining::AtNextKeyFrame => {
                rendition
                    .budget
                    .handle_request(viewer, RequestKind::Join { cached: false }, now);
                false
            }
            // An encoder begins with a key frame by itself.
            Joining::OnRequest if !rendition.has_begun => false,
            Joining::OnRequest => {
                let kind = RequestKind::Join { cached: is_usable };
                rendition.budget.handle_request(viewer, kind, now) == Answer::FromCache
            }
        };
        if from_cache {
            let config = CatchUpConfig {
                clock_rate: rendition.clock_rate,
                ..CatchUpConfig::default()
            };
            if let Some(catch_up) = rendition.gop.catch_up(config, now) {
                output.start_catch_up(catch_up);
                self.catching_up.insert(output.id());
            }
        }
        self.collect_commands(id);
    }

    pub(super) fn request_key_frame(&mut self, output: OutputId, id: RenditionId, kind: RequestKind) {
        if let Some(rendition) = self.renditions.get_mut(&id) {
            rendition.budget.handle_request(output.viewer, kind, clock::now());
            self.collect_commands(id);
        }
    }

    /// What the budget of a rendition wants done.
    pub(super) fn collect_commands(&mut self, id: RenditionId) {
        let Some(rendition) = self.renditions.get_mut(&id) else {
            return;
        };
        while let Some(command) = rendition.budget.poll_command() {
            self.events.push(match command {
                KeyFrameCommand::Request => HubEvent::KeyFrameWanted(id),
                KeyFrameCommand::Unresponsive => HubEvent::Unresponsive(id),
            });
        }
    }

    /// Feeds the budgets the time, and says when they want to be fed again.
    pub(super) fn handle_timeouts(&mut self, now: Timestamp) -> Option<Timestamp> {
        let due: Vec<_> = self
            .renditions
            .iter()
            .filter(|(_, rendition)| rendition.budget.poll_timeout().is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if let Some(rendition) = self.renditions.get_mut(&id) {
                rendition.budget.handle_timeout(now);
            }
            self.collect_commands(id);
        }
        let budgets = self
            .renditions
            .values()
            .filter_map(|rendition| rendition.budget.poll_timeout());
        let outputs = self
            .catching_up
            .iter()
            .filter_map(|id| self.outputs.get(id)?.catch_up_timeout());
        budgets.chain(outputs).min()
    }

    fn remove_output(&mut self, id: OutputId) -> Option<Arc<Output>> {
        self.catching_up.remove(&id);
        self.outputs.remove(&id)
    }
}

impl Watched for Shared {
    fn check(&self) -> bool {
        let blocked = self
            .lock()
            .pushing
            .clone()
            .filter(|push| push.since.elapsed() > BLOCKED_AFTER);
        // The system is asked without the lock.
        if let Some(push) = blocked.filter(|push| watchdog::is_asleep(push.thread)) {
            self.replace_thread(&push);
        }
        let mut state = self.lock();
        let (given_up, waiting) = std::mem::take(&mut state.suspended)
            .into_iter()
            .partition(|push: &Push| push.since.elapsed() > STALLED_AFTER);
        state.suspended = waiting;
        let events: Vec<_> = given_up
            .iter()
            .map(|push: &Push| HubEvent::Stalled {
                viewer: push.output.id().viewer,
            })
            .collect();
        let anything = !state.outputs.is_empty() || !state.suspended.is_empty();
        drop(state);
        self.emit(events);
        anything
    }
}

impl Shared {
    fn replace_thread(&self, blocked: &Push) {
        let generation = {
            let mut state = self.lock();
            let is_still = state.pushing.as_ref().is_some_and(|push| {
                push.since == blocked.since && Arc::ptr_eq(&push.output, &blocked.output)
            });
            if !is_still {
                return;
            }
            let push = state.pushing.take();
            state.suspended.extend(push);
            state.generation += 1;
            state.generation
        };
        blocked.output.suspend();
        let id = blocked.output.id();
        gst::warning!(
            crate::CAT,
            "viewer {}'s push of stream {} blocks: others go on",
            id.viewer,
            id.stream
        );
        if let Some(this) = self.this.upgrade() {
            dispatch::spawn(this, generation);
        }
    }
}

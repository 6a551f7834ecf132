//! The thread that pushes: one for all viewers of an element, replaced when a push blocks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_forwarding::{RenditionId, RequestKind};
use weir_units::Timestamp;

use super::hub::{HubEvent, Push, Round, Shared, State, Work};
use super::output::{Delivery, Output};
use super::watchdog::ThreadId;
use crate::clock;

/// Starts a dispatch thread. It ends when the hub does, or when a later generation has taken over.
pub(super) fn spawn(shared: Arc<Shared>, generation: u64) {
    let spawned = std::thread::Builder::new()
        .name("weir-hub".to_owned())
        .spawn(move || run(&shared, generation));
    if let Err(error) = spawned {
        gst::error!(crate::CAT, "no thread for the hub: {error}");
    }
}

/// What comes next. Events go first, as encoders wait for them; then the frame under way; then what is due.
enum Step {
    Emit(Vec<HubEvent>),
    Deliver(Arc<Output>, Part),
    Quit,
}

enum Part {
    Live(RenditionId, Arc<weir_forwarding::Frame<super::packets::Packet>>),
    Due,
}

fn run(shared: &Arc<Shared>, generation: u64) {
    let thread = ThreadId::current();
    loop {
        match next_step(shared, generation, thread) {
            Step::Quit => return,
            Step::Emit(events) => shared.emit(events),
            Step::Deliver(output, part) => {
                if !deliver(shared, generation, &output, part) {
                    return;
                }
            }
        }
    }
}

fn next_step(shared: &Shared, generation: u64, thread: ThreadId) -> Step {
    let mut state = shared.lock();
    loop {
        if state.stopped || state.generation != generation {
            return Step::Quit;
        }
        let now = clock::now();
        let wake_at = state.handle_timeouts(now);
        if !state.events.is_empty() {
            return Step::Emit(std::mem::take(&mut state.events));
        }
        if let Some((output, part)) = state.next_delivery(now) {
            state.pushing = Some(Push {
                output: output.clone(),
                since: Instant::now(),
                thread,
            });
            return Step::Deliver(output, part);
        }
        if !state.events.is_empty() {
            continue;
        }
        state = match wake_at {
            Some(at) => {
                let wait = at.saturating_since(now).max(Duration::from_micros(100));
                shared
                    .wake
                    .wait_timeout(state, wait)
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .0
            }
            None => shared
                .wake
                .wait(state)
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        };
    }
}

impl State {
    fn next_delivery(&mut self, now: Timestamp) -> Option<(Arc<Output>, Part)> {
        loop {
            if let Some(round) = &mut self.current {
                if let Some(output) = round.outputs.next() {
                    return Some((output, Part::Live(round.rendition, round.frame.clone())));
                }
                self.current = None;
            }
            let due = self.catching_up.iter().find_map(|id| {
                let output = self.outputs.get(id)?;
                output
                    .catch_up_timeout()
                    .is_some_and(|at| at <= now)
                    .then(|| output.clone())
            });
            if let Some(output) = due {
                return Some((output, Part::Due));
            }
            match self.queue.pop_front()? {
                Work::Frame { rendition, frame } => self.begin_round(rendition, frame, now),
                Work::Drain => {
                    self.events.push(HubEvent::Drained);
                    return None;
                }
            }
        }
    }

    fn begin_round(
        &mut self,
        rendition: RenditionId,
        frame: Arc<weir_forwarding::Frame<super::packets::Packet>>,
        now: Timestamp,
    ) {
        let Some(state) = self.renditions.get_mut(&rendition) else {
            return;
        };
        // The cache and the round change together: whoever joins later gets the frame from one or the other.
        state.handle_frame(&frame, now);
        let stream = state.stream;
        self.collect_commands(rendition);
        let outputs: Vec<_> = self
            .outputs
            .values()
            .filter(|output| output.id().stream == stream)
            .cloned()
            .collect();
        self.current = Some(Round {
            rendition,
            frame,
            outputs: outputs.into_iter(),
        });
    }
}

/// Pushes what an output gets. Returns false if another thread has taken over in the meantime.
fn deliver(shared: &Shared, generation: u64, output: &Arc<Output>, part: Part) -> bool {
    let delivery = match &part {
        Part::Live(rendition, frame) => output.handle_live(*rendition, frame),
        Part::Due => output.handle_due(clock::now()),
    };
    let mut needs_key_frame = None;
    match delivery {
        Delivery::Push(list) => {
            if let Err(error) = output.pad().push(list)
                && error != gst::FlowError::Flushing
            {
                gst::debug!(
                    crate::CAT,
                    "a push to viewer {} failed: {error}",
                    output.id().viewer
                );
            }
        }
        Delivery::KeyFrameNeeded(rendition) => needs_key_frame = Some(rendition),
        Delivery::Nothing => (),
    }
    let mut state = shared.lock();
    let is_current = state.generation == generation;
    if is_current {
        state.pushing = None;
    } else {
        // The push did return, in the end: the viewer goes on with a key frame.
        state.suspended.retain(|push| !Arc::ptr_eq(&push.output, output));
        needs_key_frame = output.resume();
    }
    if output.catch_up_timeout().is_none() {
        state.catching_up.remove(&output.id());
    }
    if let Some(rendition) = needs_key_frame {
        // As a joiner: a key frame that went out before does not help who missed what came after it.
        state.request_key_frame(output.id(), rendition, RequestKind::Join { cached: false });
    }
    drop(state);
    if !is_current {
        shared.wake.notify_all();
    }
    is_current
}

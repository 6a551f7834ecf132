//! A viewer's own pipeline around its webrtcbin, so that its errors on the bus are its own.

use gst::prelude::*;

/// What a session's pipeline has to say beyond its webrtcbin's events. Emitted on streaming threads.
#[derive(Debug)]
pub(crate) enum PipelineEvent {
    /// An element failed: the session is over.
    Error(String),
    /// An element needs, or has, a context that is shared with the application's pipeline.
    Context(gst::Message),
}

/// A pipeline with one webrtcbin in it, on the clock and base time of the element that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct SessionPipeline {
    pipeline: gst::Pipeline,
}

impl SessionPipeline {
    /// Makes the pipeline, in state NULL, with `webrtcbin` in it.
    ///
    /// # Errors
    /// When webrtcbin has a parent already.
    pub(crate) fn new(
        name: &str,
        webrtcbin: &gst::Element,
        events: impl Fn(PipelineEvent) + Send + Sync + 'static,
    ) -> Result<Self, gst::glib::BoolError> {
        let pipeline = gst::Pipeline::builder().name(name).build();
        pipeline.add(webrtcbin)?;
        if let Some(bus) = pipeline.bus() {
            bus.set_sync_handler(move |_, message| {
                match message.view() {
                    gst::MessageView::Error(error) => {
                        events(PipelineEvent::Error(error.error().message().to_owned()));
                    }
                    gst::MessageView::NeedContext(_) | gst::MessageView::HaveContext(_) => {
                        events(PipelineEvent::Context(message.to_owned()));
                    }
                    _ => (),
                }
                gst::BusSyncReply::Drop
            });
        }
        Ok(Self { pipeline })
    }

    /// The pipeline, for the application's signal handlers.
    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    /// Gives the pipeline the clock and base time of the element, and starts it.
    ///
    /// # Errors
    /// When an element refuses to start.
    pub(crate) fn play(
        &self,
        clock: Option<&gst::Clock>,
        base_time: Option<gst::ClockTime>,
    ) -> Result<(), gst::StateChangeError> {
        self.follow(clock, base_time);
        self.pipeline.set_state(gst::State::Playing).map(drop)
    }

    /// Takes over a clock and base time, also while playing.
    pub(crate) fn follow(&self, clock: Option<&gst::Clock>, base_time: Option<gst::ClockTime>) {
        self.pipeline
            .use_clock(Some(&clock.cloned().unwrap_or_else(gst::SystemClock::obtain)));
        // With a start time of none the pipeline does not choose a base time of its own.
        self.pipeline.set_start_time(gst::ClockTime::NONE);
        if let Some(base_time) = base_time {
            self.pipeline.set_base_time(base_time);
        }
    }

    /// Stops everything. Joins threads: never called from a thread of the pipeline.
    pub(crate) fn stop(&self) {
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        if self.pipeline.set_state(gst::State::Null).is_err() {
            gst::warning!(
                crate::CAT,
                obj = self.pipeline,
                "a session's pipeline did not stop cleanly"
            );
        }
    }
}

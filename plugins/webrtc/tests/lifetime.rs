//! Elements that are gone leave nothing behind.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstweir::BaseWebRTCSink;

/// Nothing in these tests takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The process's threads by name. Those of the async runtime and the watchdog are the process's.
fn threads() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let name = name.trim().to_owned();
        if !name.is_empty() && name != "weir-async" && name != "weir-watchdog" {
            *names.entry(name).or_default() += 1;
        }
    }
    names
}

/// A pipeline whose sink has a signaller that never finds its server.
fn pipeline() -> (gst::Pipeline, gst::glib::WeakRef<BaseWebRTCSink>) {
    let pipeline = gst::parse::launch(
        "webrtcsink name=sink signaller::uri=ws://127.0.0.1:9 \
         videotestsrc is-live=true ! video/x-raw,width=64,height=36 ! sink. \
         audiotestsrc is-live=true ! sink.",
    )
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let sink = pipeline
        .by_name("sink")
        .unwrap()
        .downcast::<BaseWebRTCSink>()
        .unwrap();
    (pipeline, sink.downgrade())
}

#[test]
fn twenty_sinks_that_come_and_go_leave_no_thread_and_no_object() {
    gst::init().unwrap();
    gstweir::plugin_register_static().unwrap();
    let run = |state: Option<gst::State>| {
        let (pipeline, sink) = pipeline();
        if let Some(state) = state {
            pipeline.set_state(state).unwrap();
        }
        pipeline.set_state(gst::State::Null).unwrap();
        drop(pipeline);
        // A thread of its own may hold it for a moment longer.
        let deadline = Instant::now() + PATIENCE;
        while sink.upgrade().is_some() {
            assert!(Instant::now() < deadline, "somebody still holds the sink");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    // Pools of the process's own have started by then.
    run(Some(gst::State::Playing));
    let before = settle(|_| true);

    for i in 0..20 {
        run([
            None,
            Some(gst::State::Ready),
            Some(gst::State::Paused),
            Some(gst::State::Playing),
        ][i % 4]);
    }

    let count = |threads: &BTreeMap<String, usize>| threads.values().sum::<usize>();
    let after = settle(|now| count(now) <= count(&before));
    assert!(
        count(&after) <= count(&before),
        "before: {before:?}, after: {after:?}"
    );
    assert_eq!(after.get("weir-sink"), None, "{after:?}");
    assert_eq!(after.get("weir-hub"), None, "{after:?}");
}

/// Waits until no thread of an element is left and what is left is `enough`, or for too long.
fn settle(enough: impl Fn(&BTreeMap<String, usize>) -> bool) -> BTreeMap<String, usize> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = threads();
        let is_gone = !now.contains_key("weir-sink") && !now.contains_key("weir-hub");
        if is_gone && enough(&now) || Instant::now() > deadline {
            return now;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

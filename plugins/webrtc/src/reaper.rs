//! Threads that take things down.
//!
//! Stopping a webrtcbin or an encoder joins threads and may take its time, or, with a broken driver, for ever:
//! nobody who serves others waits for it.

/// Runs `work` on a thread of its own, or in place if the system has none left.
pub(crate) fn run(what: &str, work: impl FnOnce() + Send + 'static) {
    let work = std::sync::Arc::new(std::sync::Mutex::new(Some(work)));
    let on_thread = work.clone();
    let take = |work: &std::sync::Mutex<Option<_>>| crate::lock(work).take();
    let spawned = std::thread::Builder::new()
        .name("weir-reaper".to_owned())
        .spawn(move || {
            let work = crate::lock(&on_thread).take();
            if let Some(work) = work {
                work();
            }
        });
    if let Err(error) = spawned {
        gst::warning!(crate::CAT, "taking down a {what} in place: {error}");
        if let Some(work) = take(&work) {
            work();
        }
    }
}

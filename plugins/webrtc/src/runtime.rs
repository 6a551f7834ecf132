//! The process's one tokio runtime.
//!
//! Every element of this plugin in a process shares it: two worker threads serve all signalling connections and
//! the embedded servers. It starts when it is first needed and lives as long as the process, for GStreamer never
//! unloads a plugin.
//!
//! **Nobody blocks on it.** Code on a worker does not wait for GStreamer, GLib locks or other threads; where an
//! application's signal handler has to run, it runs inside [`tokio::task::block_in_place`], which first hands the
//! worker's other tasks over. In the other direction no thread of GStreamer's waits for a task without a bound:
//! the one place that waits at all, a signaller's `stop`, gives up after half a second.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// How many threads serve all connections. Signalling is a few messages a second per viewer that joins.
const WORKERS: usize = 2;

/// The runtime's handle; starts the runtime on the first call.
///
/// # Errors
/// When the operating system refuses to start threads. The next call tries again.
pub fn handle() -> std::io::Result<Handle> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("weir-async")
        .enable_all()
        .build()?;
    // Of two threads that come here at once one wins; the other's runtime has run nothing and is let go.
    if let Err(surplus) = RUNTIME.set(runtime) {
        surplus.shutdown_background();
    }
    RUNTIME
        .get()
        .map(|runtime| runtime.handle().clone())
        .ok_or_else(|| std::io::Error::other("no runtime"))
}

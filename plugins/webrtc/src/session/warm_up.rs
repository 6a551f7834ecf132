//! What the first session of a process would otherwise wait for.

use std::sync::Once;

/// Has the process's DTLS certificate made, on a thread of its own: its RSA key takes up to some hundred
/// milliseconds, which the first viewer would see as delay. GStreamer keeps the certificate for all sessions.
pub(crate) fn warm_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let spawned = std::thread::Builder::new()
            .name("weir-warm-up".to_owned())
            .spawn(|| {
                // The element's instance init asks for the certificate. It stays in state NULL.
                if let Err(error) = gst::ElementFactory::make("dtlsdec").build() {
                    gst::warning!(crate::CAT, "no DTLS certificate ahead of time: {error}");
                }
            });
        if let Err(error) = spawned {
            gst::warning!(crate::CAT, "no thread to warm up in: {error}");
        }
    });
}

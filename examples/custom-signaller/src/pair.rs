//! Two signallers that hand everything to each other: what a signaller needs, and no more.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::glib::subclass::prelude::*;
use gst::prelude::*;
use gst_webrtc::WebRTCSessionDescription;
use gstweir::signaller::{Signallable, SignallableExt, SignallableImpl};

/// There is one session, and both sides know its name.
const SESSION: &str = "the-session";

glib::wrapper! {
    /// One of the two ends.
    pub struct End(ObjectSubclass<imp::End>) @implements Signallable;
}

/// A producer's end, for `webrtcsink`, and a consumer's, for `webrtcsrc`.
pub(crate) fn pair() -> (End, End) {
    let (producer, consumer): (End, End) = (glib::Object::new(), glib::Object::new());
    for (end, other) in [(&producer, &consumer), (&consumer, &producer)] {
        // Weak, or the two would keep each other alive.
        let _ = end.imp().other.set((other.downgrade(), *end == producer));
    }
    (producer, consumer)
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct End {
        /// The other end, and whether this is the producer's.
        pub(super) other: OnceLock<(glib::WeakRef<super::End>, bool)>,
        started: AtomicBool,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for End {
        const NAME: &'static str = "CustomSignallerEnd";
        type Type = super::End;
        type Interfaces = (Signallable,);
    }

    impl ObjectImpl for End {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: OnceLock<Vec<glib::ParamSpec>> = OnceLock::new();
            PROPERTIES.get_or_init(|| {
                vec![glib::ParamSpecOverride::for_interface::<Signallable>(
                    "manual-sdp-munging",
                )]
            })
        }

        fn property(&self, _id: usize, _pspec: &glib::ParamSpec) -> glib::Value {
            false.to_value()
        }
    }

    impl SignallableImpl for End {
        fn start(&self) {
            self.started.store(true, Ordering::SeqCst);
            let Some((other, is_producer)) = self.other() else {
                return;
            };
            if !other.imp().started.load(Ordering::SeqCst) {
                return;
            }
            let this = self.obj().clone();
            let (producer, consumer) = if is_producer { (this, other) } else { (other, this) };
            consumer.emit_session_started(SESSION, "producer");
            producer.emit_session_requested(SESSION, "consumer", None);
        }

        fn stop(&self) {
            self.started.store(false, Ordering::SeqCst);
        }

        fn send_sdp(&self, session_id: &str, description: &WebRTCSessionDescription) {
            if let Some((other, _)) = self.other() {
                other.emit_session_description(session_id, description);
            }
        }

        fn add_ice(&self, session_id: &str, candidate: &str, m_line: u32, mid: Option<&str>) {
            if let Some((other, _)) = self.other() {
                other.emit_handle_ice(session_id, m_line, mid, candidate);
            }
        }

        fn end_session(&self, session_id: &str) {
            if let Some((other, _)) = self.other() {
                other.emit_session_ended(session_id, None);
            }
        }
    }

    impl End {
        fn other(&self) -> Option<(super::End, bool)> {
            let (other, is_producer) = self.other.get()?;
            Some((other.upgrade()?, *is_producer))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_one_end_sends_the_other_receives() {
        gst::init().unwrap();
        let (producer, consumer) = pair();
        let (sender, events) = channel();
        let to = sender.clone();
        consumer.connect_session_started(move |_, session, _| to.send(format!("started {session}")).unwrap());
        let to = sender.clone();
        producer.connect_session_requested(move |_, session, _, _| {
            to.send(format!("requested {session}")).unwrap();
        });
        let to = sender.clone();
        consumer.connect_handle_ice(move |_, _, _, _, candidate| to.send(candidate.to_owned()).unwrap());
        let to = sender;
        producer.connect_session_ended(move |_, session, _| to.send(format!("ended {session}")).is_ok());

        producer.start();
        consumer.start();
        producer.send_ice(SESSION, "candidate:1", 0, None);
        consumer.end_session(SESSION, Some("bored: nothing to see"));
        drop((producer, consumer));
        let events: Vec<_> = events.iter().collect();
        assert_eq!(
            events,
            [
                "started the-session",
                "requested the-session",
                "candidate:1",
                "ended the-session"
            ]
        );
    }
}

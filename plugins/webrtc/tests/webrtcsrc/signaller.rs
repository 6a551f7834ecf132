//! A signaller in the same process: what the element asks for is handed to a producer beside it.

use gst::glib;
use gst::glib::subclass::prelude::*;
use gst_webrtc::WebRTCSessionDescription;
use gstweir::signaller::{Signallable, SignallableImpl};

/// What the element asks for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Start,
    Stop,
    Description(String, WebRTCSessionDescription),
    Candidate(u32, String),
    EndSession(String, Option<String>),
    Connected,
}

glib::wrapper! {
    pub(crate) struct InProcess(ObjectSubclass<imp::InProcess>) @implements Signallable;
}

impl InProcess {
    pub(crate) fn new(asked: impl Fn(&Self, Ask) + Send + Sync + 'static) -> Self {
        let signaller: Self = glib::Object::new();
        assert!(signaller.imp().asked.set(Box::new(asked)).is_ok());
        signaller
    }
}

mod imp {
    use std::sync::{LazyLock, OnceLock};

    use super::*;

    type Asked = Box<dyn Fn(&super::InProcess, Ask) + Send + Sync>;

    #[derive(Default)]
    pub(crate) struct InProcess {
        pub asked: OnceLock<Asked>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for InProcess {
        const NAME: &'static str = "TestInProcessSignaller";
        type Type = super::InProcess;
        type Interfaces = (Signallable,);
    }

    impl ObjectImpl for InProcess {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                vec![glib::ParamSpecOverride::for_interface::<Signallable>(
                    "manual-sdp-munging",
                )]
            });
            &PROPERTIES
        }

        fn property(&self, _id: usize, _pspec: &glib::ParamSpec) -> glib::Value {
            false.into()
        }
    }

    impl SignallableImpl for InProcess {
        fn start(&self) {
            self.ask(Ask::Start);
        }

        fn stop(&self) {
            self.ask(Ask::Stop);
        }

        fn send_sdp(&self, session_id: &str, description: &WebRTCSessionDescription) {
            self.ask(Ask::Description(session_id.to_owned(), description.clone()));
        }

        fn add_ice(&self, _session_id: &str, candidate: &str, mline: u32, _mid: Option<&str>) {
            self.ask(Ask::Candidate(mline, candidate.to_owned()));
        }

        fn end_session(&self, session_id: &str) {
            self.ask(Ask::EndSession(session_id.to_owned(), None));
        }

        fn end_session_with_error(&self, session_id: &str, error: Option<&str>) {
            self.ask(Ask::EndSession(session_id.to_owned(), error.map(str::to_owned)));
        }

        fn session_connected(&self, _session_id: &str) {
            self.ask(Ask::Connected);
        }
    }

    impl InProcess {
        fn ask(&self, ask: Ask) {
            if let Some(asked) = self.asked.get() {
                asked(&self.obj(), ask);
            }
        }
    }
}

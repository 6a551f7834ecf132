//! A producer that answers offers.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_webrtc::{WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection, WebRTCSessionDescription};
use gstweir::signaller::SignallableExt;

use crate::signaller::{Ask, InProcess};

const SESSION: &str = "session";

/// Sends VP8 to whoever offers to receive it.
pub(crate) struct Answerer {
    signaller: InProcess,
    pipeline: Arc<Mutex<Option<gst::Pipeline>>>,
}

impl Answerer {
    pub(crate) fn new() -> Self {
        let pipeline = Arc::new(Mutex::new(None::<gst::Pipeline>));
        let running = pipeline.clone();
        let signaller = InProcess::new(move |signaller, ask| match ask {
            Ask::Start => {
                let signaller = signaller.clone();
                std::thread::spawn(move || signaller.emit_session_requested(SESSION, "producer", None));
            }
            Ask::Description(_, offer) => {
                *running.lock().unwrap() = Some(answer(signaller, &offer));
            }
            Ask::Candidate(mline, candidate) => {
                let sender = running
                    .lock()
                    .unwrap()
                    .as_ref()
                    .and_then(|pipeline| pipeline.by_name("sender"));
                if let Some(sender) = sender {
                    sender.emit_by_name::<()>("add-ice-candidate", &[&mline, &candidate]);
                }
            }
            Ask::Stop | Ask::EndSession(..) | Ask::Connected => (),
        });
        Self { signaller, pipeline }
    }

    pub(crate) fn signaller(&self) -> &InProcess {
        &self.signaller
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        if let Some(pipeline) = self.pipeline.lock().unwrap().take() {
            pipeline.set_state(gst::State::Null).unwrap();
        }
    }
}

fn answer(signaller: &InProcess, offer: &WebRTCSessionDescription) -> gst::Pipeline {
    let payload = offer.sdp().media(0).unwrap().format(0).unwrap().to_owned();
    let pipeline = gst::parse::launch(&format!(
        "webrtcbin name=sender bundle-policy=max-bundle videotestsrc is-live=true ! vp8enc deadline=1 cpu-used=8 ! \
         rtpvp8pay ! capsfilter caps=application/x-rtp,payload={payload} ! sender."
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let sender = pipeline.by_name("sender").unwrap();
    let to = signaller.clone();
    sender.connect("on-ice-candidate", false, move |values| {
        to.emit_handle_ice(SESSION, values[1].get().unwrap(), None, values[2].get().unwrap());
        None
    });
    sender
        .emit_by_name::<WebRTCRTPTransceiver>("get-transceiver", &[&0i32])
        .set_direction(WebRTCRTPTransceiverDirection::Sendonly);
    pipeline.set_state(gst::State::Playing).unwrap();
    sender.emit_by_name::<()>("set-remote-description", &[offer, &None::<gst::Promise>]);
    let (to, answerer) = (signaller.clone(), sender.clone());
    let promise = gst::Promise::with_change_func(move |reply| {
        let answer = reply
            .unwrap()
            .unwrap()
            .get::<WebRTCSessionDescription>("answer")
            .unwrap();
        answerer.emit_by_name::<()>("set-local-description", &[&answer, &None::<gst::Promise>]);
        to.emit_session_description(SESSION, &answer);
    });
    sender.emit_by_name::<()>("create-answer", &[&None::<gst::Structure>, &promise]);
    pipeline
}

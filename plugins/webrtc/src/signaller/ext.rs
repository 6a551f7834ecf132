//! The interface's signals as Rust functions: for elements, for signallers and for applications.

use glib::prelude::*;
use glib::{SignalHandlerId, Value};
use gst::glib;
use gst_webrtc::WebRTCSessionDescription;

use super::Signallable;

/// Emits and connects to the signals of a [`Signallable`]; the interface's documentation says what each means.
///
/// No lock may be held across a call of a function that emits: handlers run inside it, the application's too.
/// The handlers given to the `connect_…` functions are not called for emissions whose required arguments are NULL.
pub trait SignallableExt: IsA<Signallable> {
    // The element asks.

    /// Asks to connect and register.
    fn start(&self) {
        self.emit_by_name::<bool>("start", &[]);
    }

    /// Asks to end all sessions and to disconnect.
    fn stop(&self) {
        self.emit_by_name::<bool>("stop", &[]);
    }

    /// Asks to send an offer or an answer.
    fn send_session_description(&self, session_id: &str, description: &WebRTCSessionDescription) {
        self.emit_by_name::<bool>("send-session-description", &[&session_id, description]);
    }

    /// Asks to send a local candidate.
    fn send_ice(&self, session_id: &str, candidate: &str, sdp_m_line_index: u32, sdp_mid: Option<&str>) {
        self.emit_by_name::<bool>(
            "send-ice",
            &[&session_id, &candidate, &sdp_m_line_index, &sdp_mid],
        );
    }

    /// Asks to end a session; `error` says why, as `code: sentence`, unless it was meant to end.
    fn end_session(&self, session_id: &str, error: Option<&str>) {
        match error {
            None => self.emit_by_name::<bool>("end-session", &[&session_id]),
            Some(_) => self.emit_by_name::<bool>("end-session-with-error", &[&session_id, &error]),
        };
    }

    /// Says that the session's media flows: losing the server does not end the session from here on.
    fn session_connected(&self, session_id: &str) {
        self.emit_by_name::<bool>("session-connected", &[&session_id]);
    }

    /// The description to use, which an application may have changed.
    fn munge_session_description(
        &self,
        session_id: &str,
        description: &WebRTCSessionDescription,
    ) -> WebRTCSessionDescription {
        self.emit_by_name::<Option<WebRTCSessionDescription>>(
            "munge-session-description",
            &[&session_id, description],
        )
        .unwrap_or_else(|| description.clone())
    }

    /// Whether the signaller changes descriptions itself.
    fn manual_sdp_munging(&self) -> bool {
        self.property("manual-sdp-munging")
    }

    // The element tells.

    /// A viewer's webrtcbin exists; nothing has been negotiated. `consumer-added` is emitted with it.
    fn emit_webrtcbin_ready(&self, peer_id: &str, webrtcbin: &impl IsA<gst::Element>) {
        let webrtcbin: &gst::Element = webrtcbin.as_ref();
        self.emit_by_name::<()>("consumer-added", &[&peer_id, webrtcbin]);
        self.emit_by_name::<()>("webrtcbin-ready", &[&peer_id, webrtcbin]);
    }

    /// A viewer's webrtcbin is gone.
    fn emit_consumer_removed(&self, peer_id: &str, webrtcbin: &impl IsA<gst::Element>) {
        let webrtcbin: &gst::Element = webrtcbin.as_ref();
        self.emit_by_name::<()>("consumer-removed", &[&peer_id, webrtcbin]);
    }

    // The signaller tells.

    /// The element's metadata, if it has any.
    fn request_meta(&self) -> Option<gst::Structure> {
        self.emit_by_name("request-meta", &[])
    }

    /// A peer wants a session.
    fn emit_session_requested(
        &self,
        session_id: &str,
        peer_id: &str,
        offer: Option<&WebRTCSessionDescription>,
    ) {
        self.emit_by_name::<()>("session-requested", &[&session_id, &peer_id, &offer]);
    }

    /// The session that was asked for exists.
    fn emit_session_started(&self, session_id: &str, peer_id: &str) {
        self.emit_by_name::<()>("session-started", &[&session_id, &peer_id]);
    }

    /// The peer's offer or answer arrived.
    fn emit_session_description(&self, session_id: &str, description: &WebRTCSessionDescription) {
        self.emit_by_name::<()>("session-description", &[&session_id, description]);
    }

    /// A candidate of the peer's arrived.
    fn emit_handle_ice(&self, session_id: &str, m_line: u32, mid: Option<&str>, candidate: &str) {
        self.emit_by_name::<()>("handle-ice", &[&session_id, &m_line, &mid, &candidate]);
    }

    /// The session is over; `error` is the reason, if one was given. Returns whether the element knew the session.
    fn emit_session_ended(&self, session_id: &str, error: Option<&str>) -> bool {
        match error {
            None => self.emit_by_name("session-ended", &[&session_id]),
            Some(_) => self.emit_by_name("session-ended-with-error", &[&session_id, &error]),
        }
    }

    /// The server cannot be reached; the signaller keeps trying.
    fn emit_connection_lost(&self, sentence: &str) {
        self.emit_by_name::<()>("connection-lost", &[&sentence]);
    }

    /// The signaller has registered again.
    fn emit_connection_restored(&self) {
        self.emit_by_name::<()>("connection-restored", &[]);
    }

    /// Something went wrong that ends nothing.
    fn emit_warning(&self, sentence: &str) {
        self.emit_by_name::<()>("warning", &[&sentence]);
    }

    /// Something went wrong that trying again cannot mend.
    fn emit_error(&self, sentence: &str) {
        self.emit_by_name::<()>("error", &[&sentence]);
    }

    /// The element shall send EOS.
    fn emit_shutdown(&self) {
        self.emit_by_name::<()>("shutdown", &[]);
    }

    /// A producer is there.
    fn emit_producer_added(&self, peer_id: &str, meta: Option<&gst::Structure>, new_connection: bool) {
        self.emit_by_name::<()>("producer-added", &[&peer_id, &meta, &new_connection]);
    }

    /// A producer left.
    fn emit_producer_removed(&self, peer_id: &str, meta: Option<&gst::Structure>) {
        self.emit_by_name::<()>("producer-removed", &[&peer_id, &meta]);
    }

    // The element listens.

    /// Answers `request-meta`.
    fn connect_request_meta(
        &self,
        f: impl Fn(&Self) -> Option<gst::Structure> + Send + Sync + 'static,
    ) -> SignalHandlerId {
        self.connect("request-meta", false, move |args| Some(f(&this(args)).to_value()))
    }

    /// Arguments: session, peer, offer.
    fn connect_session_requested(
        &self,
        f: impl Fn(&Self, &str, &str, Option<WebRTCSessionDescription>) + Send + Sync + 'static,
    ) -> SignalHandlerId {
        connect(self, "session-requested", move |args| {
            f(
                &this(args),
                args[1].get().ok()?,
                args[2].get().ok()?,
                args[3].get().ok()?,
            );
            Some(())
        })
    }

    /// Arguments: session, peer.
    fn connect_session_started(
        &self,
        f: impl Fn(&Self, &str, &str) + Send + Sync + 'static,
    ) -> SignalHandlerId {
        connect(self, "session-started", move |args| {
            f(&this(args), args[1].get().ok()?, args[2].get().ok()?);
            Some(())
        })
    }

    /// Arguments: session, description.
    fn connect_session_description(
        &self,
        f: impl Fn(&Self, &str, WebRTCSessionDescription) + Send + Sync + 'static,
    ) -> SignalHandlerId {
        connect(self, "session-description", move |args| {
            f(&this(args), args[1].get().ok()?, args[2].get().ok()?);
            Some(())
        })
    }

    /// Arguments: session, m-line index, mid, candidate.
    fn connect_handle_ice(
        &self,
        f: impl Fn(&Self, &str, u32, Option<&str>, &str) + Send + Sync + 'static,
    ) -> SignalHandlerId {
        connect(self, "handle-ice", move |args| {
            let (session, m_line) = (args[1].get().ok()?, args[2].get().ok()?);
            f(
                &this(args),
                session,
                m_line,
                args[3].get().ok()?,
                args[4].get().ok()?,
            );
            Some(())
        })
    }

    /// Arguments: session, reason. `f` is called for `session-ended` and for `session-ended-with-error`; it returns
    /// whether it knew the session.
    fn connect_session_ended(
        &self,
        f: impl Fn(&Self, &str, Option<&str>) -> bool + Clone + Send + Sync + 'static,
    ) -> [SignalHandlerId; 2] {
        let with_error = f.clone();
        [
            self.connect("session-ended", false, move |args| {
                let known = args[1].get().is_ok_and(|session| f(&this(args), session, None));
                Some(known.to_value())
            }),
            self.connect("session-ended-with-error", false, move |args| {
                let error = args[2].get().ok().flatten();
                let known = args[1]
                    .get()
                    .is_ok_and(|session| with_error(&this(args), session, error));
                Some(known.to_value())
            }),
        ]
    }

    /// Argument: a sentence.
    fn connect_connection_lost(&self, f: impl Fn(&Self, &str) + Send + Sync + 'static) -> SignalHandlerId {
        connect_sentence(self, "connection-lost", f)
    }

    /// The signaller has registered again.
    fn connect_connection_restored(&self, f: impl Fn(&Self) + Send + Sync + 'static) -> SignalHandlerId {
        connect(self, "connection-restored", move |args| {
            f(&this(args));
            Some(())
        })
    }

    /// Argument: a sentence.
    fn connect_warning(&self, f: impl Fn(&Self, &str) + Send + Sync + 'static) -> SignalHandlerId {
        connect_sentence(self, "warning", f)
    }

    /// Argument: a sentence.
    fn connect_error(&self, f: impl Fn(&Self, &str) + Send + Sync + 'static) -> SignalHandlerId {
        connect_sentence(self, "error", f)
    }

    /// The element shall send EOS.
    fn connect_shutdown(&self, f: impl Fn(&Self) + Send + Sync + 'static) -> SignalHandlerId {
        connect(self, "shutdown", move |args| {
            f(&this(args));
            Some(())
        })
    }

    /// Arguments: peer, metadata, whether it came while we listened.
    fn connect_producer_added(
        &self,
        f: impl Fn(&Self, &str, Option<gst::Structure>, bool) + Send + Sync + 'static,
    ) -> SignalHandlerId {
        connect(self, "producer-added", move |args| {
            f(
                &this(args),
                args[1].get().ok()?,
                args[2].get().ok()?,
                args[3].get().ok()?,
            );
            Some(())
        })
    }

    /// Arguments: peer, metadata.
    fn connect_producer_removed(
        &self,
        f: impl Fn(&Self, &str, Option<gst::Structure>) + Send + Sync + 'static,
    ) -> SignalHandlerId {
        connect(self, "producer-removed", move |args| {
            f(&this(args), args[1].get().ok()?, args[2].get().ok()?);
            Some(())
        })
    }
}

impl<T: IsA<Signallable>> SignallableExt for T {}

fn connect<T: IsA<Signallable>>(
    object: &T,
    signal: &str,
    f: impl Fn(&[Value]) -> Option<()> + Send + Sync + 'static,
) -> SignalHandlerId {
    object.connect(signal, false, move |args| {
        f(args);
        None
    })
}

fn connect_sentence<T: IsA<Signallable>>(
    object: &T,
    signal: &str,
    f: impl Fn(&T, &str) + Send + Sync + 'static,
) -> SignalHandlerId {
    connect(object, signal, move |args| {
        f(&this(args), args[1].get().ok()?);
        Some(())
    })
}

/// The emitting object, which the handler was connected to.
fn this<T: IsA<Signallable>>(args: &[Value]) -> T {
    match args[0].get::<T>() {
        Ok(object) => object,
        Err(_) => unreachable!("the first argument is the object that the handler was connected to"),
    }
}

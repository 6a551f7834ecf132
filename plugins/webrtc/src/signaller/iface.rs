//! The GObject interface `WeirSignallableIface`: its signals, its property and its virtual functions.
//!
//! # From the element to the signaller
//! Each of these has a `bool` (or a description) as its result, and the emission stops at the first handler. The
//! last handler is the signaller's own virtual function, so it runs only if nobody connected.
//!
//! | signal | arguments | asks to |
//! |---|---|---|
//! | `start` | | connect and register |
//! | `stop` | | end all sessions and disconnect; returns soon, whatever the network does |
//! | `send-session-description` | session id, description | send an offer or an answer |
//! | `send-ice` | session id, candidate, m-line index, mid (or NULL) | send a local candidate |
//! | `end-session` | session id | end a session |
//! | `end-session-with-error` | session id, reason (or NULL) | end a session and say why |
//! | `session-connected` | session id | note that media flows, so the session can do without signalling |
//! | `munge-session-description` | session id, description | return the description to use |
//!
//! `end-session-with-error` becomes `end-session` where somebody connected to that alone.
//!
//! # From the signaller to the element
//! | signal | arguments | tells that |
//! |---|---|---|
//! | `session-requested` | session id, peer id, offer (or NULL) | a peer wants a session (a sink answers the offer, or makes one) |
//! | `session-started` | session id, peer id | the session that was asked for exists (a source makes its webrtcbin) |
//! | `session-description` (action) | session id, description | the peer's offer or answer arrived |
//! | `handle-ice` (action) | session id, m-line index, mid (or NULL), candidate | a candidate of the peer's arrived |
//! | `session-ended` → bool | session id | the peer or the server ended the session |
//! | `session-ended-with-error` → bool | session id, reason (or NULL) | the same, with the reason that was given |
//! | `request-meta` → structure or NULL | | the signaller is about to register and wants the element's metadata |
//! | `connection-lost` | sentence | the server cannot be reached; the signaller keeps trying, sessions live on: **a warning** |
//! | `connection-restored` | | the signaller has registered again |
//! | `warning` | sentence | something went wrong that ends nothing: a warning |
//! | `error` | sentence | something went wrong that trying again cannot mend: **the element posts an error**, which ends most pipelines |
//! | `shutdown` (action) | | the element shall send EOS |
//! | `producer-added` | peer id, metadata (or NULL), new connection | a producer is there (role listener) |
//! | `producer-removed` | peer id, metadata (or NULL) | a producer left (role listener) |
//!
//! An element tells `webrtcbin-ready`, `consumer-added` (deprecated: `webrtcbin-ready` says the same) and
//! `consumer-removed`, each with a peer id and the webrtcbin.
//!
//! # Threads
//! Signals are emitted without any lock of the emitter's being held, in whatever thread it likes; those of one
//! signaller to its element come one after the other, in the order in which the messages arrived.

use std::ops::ControlFlow;
use std::sync::{LazyLock, OnceLock};

use glib::prelude::*;
use glib::subclass::prelude::*;
use glib::subclass::{InitializingType, Signal, SignalId};
use gst::glib;
use gst_webrtc::WebRTCSessionDescription;

pub(super) mod imp {
    use super::*;

    /// The interface's table of virtual functions. They have the Rust ABI: other languages connect to signals.
    #[derive(Clone, Copy)]
    #[repr(C)]
    pub struct SignallableInterface {
        parent: glib::gobject_ffi::GTypeInterface,
        pub(super) start: Option<fn(&Signallable)>,
        pub(super) stop: Option<fn(&Signallable)>,
        pub(super) send_sdp: Option<fn(&Signallable, &str, &WebRTCSessionDescription)>,
        pub(super) add_ice: Option<AddIce>,
        pub(super) end_session: Option<fn(&Signallable, &str)>,
        pub(super) end_session_with_error: Option<fn(&Signallable, &str, Option<&str>)>,
        pub(super) session_connected: Option<fn(&Signallable, &str)>,
    }

    /// Session, candidate, m-line index, mid.
    type AddIce = fn(&Signallable, &str, &str, u32, Option<&str>);

    // SAFETY: `#[repr(C)]`, and the parent's structure comes first.
    unsafe impl InterfaceStruct for SignallableInterface {
        type Type = SignallableIface;
    }

    pub enum SignallableIface {}

    #[glib::object_interface]
    impl ObjectInterface for SignallableIface {
        const NAME: &'static str = "WeirSignallableIface";
        type Interface = SignallableInterface;
        type Prerequisites = (glib::Object,);

        fn type_init(_type: &mut InitializingType<Self>) {}

        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                vec![
                    glib::ParamSpecBoolean::builder("manual-sdp-munging")
                        .nick("Manual SDP munging")
                        .blurb(
                            "Whether the signaller changes descriptions itself: the sink then does not emit \
                             munge-session-description",
                        )
                        .read_only()
                        .build(),
                ]
            });
            &PROPERTIES
        }

        fn signals() -> &'static [Signal] {
            static SIGNALS: LazyLock<Vec<Signal>> =
                LazyLock::new(|| asking_signals().into_iter().chain(telling_signals()).collect());
            &SIGNALS
        }
    }
}

glib::wrapper! {
    /// An object that can signal for an element: see the [module's table](self) of signals.
    pub struct Signallable(ObjectInterface<imp::SignallableIface>);
}

// SAFETY: an implementation is used from the element's and from its own threads; `SignallableImpl` demands it.
unsafe impl Send for Signallable {}
// SAFETY: as above.
unsafe impl Sync for Signallable {}

/// What a signaller in Rust implements. Everything defaults to what the parent class does, or to nothing.
///
/// A function may be called from any thread. It must not block on the network, and it may emit signals. The object
/// has to override the property `manual-sdp-munging`
/// (`glib::ParamSpecOverride::for_interface::<Signallable>("manual-sdp-munging")`).
pub trait SignallableImpl: ObjectImpl + ObjectSubclass<Type: IsA<Signallable>> + Send + Sync {
    /// Connect and register. Called again while started, it does nothing.
    fn start(&self) {
        self.parent_start();
    }

    /// Ends all sessions, disconnects and returns soon. Called while stopped, it does nothing.
    fn stop(&self) {
        self.parent_stop();
    }

    /// Sends an offer or an answer to the session's peer.
    fn send_sdp(&self, session_id: &str, description: &WebRTCSessionDescription) {
        self.parent_send_sdp(session_id, description);
    }

    /// Sends a local candidate to the session's peer.
    fn add_ice(&self, session_id: &str, candidate: &str, sdp_m_line_index: u32, sdp_mid: Option<&str>) {
        self.parent_add_ice(session_id, candidate, sdp_m_line_index, sdp_mid);
    }

    /// Tells the session's peer that it is over.
    fn end_session(&self, session_id: &str) {
        self.parent_end_session(session_id);
    }

    /// Tells the session's peer that it is over, and why. Without an implementation it is [`Self::end_session`].
    fn end_session_with_error(&self, session_id: &str, error: Option<&str>) {
        let _ = error;
        self.end_session(session_id);
    }

    /// The session's media flows.
    fn session_connected(&self, session_id: &str) {
        self.parent_session_connected(session_id);
    }
}

/// The parent class's implementation, for one that adds to it.
pub trait SignallableImplExt: SignallableImpl {
    /// See [`SignallableImpl::start`].
    fn parent_start(&self) {
        if let Some(start) = parent::<Self>().start {
            start(&this(self));
        }
    }

    /// See [`SignallableImpl::stop`].
    fn parent_stop(&self) {
        if let Some(stop) = parent::<Self>().stop {
            stop(&this(self));
        }
    }

    /// See [`SignallableImpl::send_sdp`].
    fn parent_send_sdp(&self, session_id: &str, description: &WebRTCSessionDescription) {
        if let Some(send_sdp) = parent::<Self>().send_sdp {
            send_sdp(&this(self), session_id, description);
        }
    }

    /// See [`SignallableImpl::add_ice`].
    fn parent_add_ice(
        &self,
        session_id: &str,
        candidate: &str,
        sdp_m_line_index: u32,
        sdp_mid: Option<&str>,
    ) {
        if let Some(add_ice) = parent::<Self>().add_ice {
            add_ice(&this(self), session_id, candidate, sdp_m_line_index, sdp_mid);
        }
    }

    /// See [`SignallableImpl::end_session`].
    fn parent_end_session(&self, session_id: &str) {
        if let Some(end_session) = parent::<Self>().end_session {
            end_session(&this(self), session_id);
        }
    }

    /// See [`SignallableImpl::end_session_with_error`].
    fn parent_end_session_with_error(&self, session_id: &str, error: Option<&str>) {
        if let Some(end_session_with_error) = parent::<Self>().end_session_with_error {
            end_session_with_error(&this(self), session_id, error);
        }
    }

    /// See [`SignallableImpl::session_connected`].
    fn parent_session_connected(&self, session_id: &str) {
        if let Some(session_connected) = parent::<Self>().session_connected {
            session_connected(&this(self), session_id);
        }
    }
}

impl<T: SignallableImpl> SignallableImplExt for T {}

fn parent<T: SignallableImpl>() -> imp::SignallableInterface {
    let type_data = T::type_data();
    // SAFETY: the type's data exist, for there is an instance; the table was copied when the interface was
    // initialised, before any instance was made.
    unsafe {
        let table = type_data.as_ref().parent_interface::<Signallable>() as *const imp::SignallableInterface;
        *table
    }
}

fn this<T: SignallableImpl>(imp: &T) -> Signallable {
    let object = imp.obj();
    let object: &T::Type = &object;
    object.upcast_ref::<Signallable>().clone()
}

// SAFETY: every function casts to the type that it was installed for.
unsafe impl<T: SignallableImpl> IsImplementable<T> for Signallable {
    fn interface_init(iface: &mut glib::Interface<Self>) {
        fn with<T: SignallableImpl>(object: &Signallable, call: impl FnOnce(&T)) {
            // SAFETY: the table belongs to `T` and to classes derived from it.
            let object = unsafe { object.unsafe_cast_ref::<T::Type>() };
            call(T::from_obj(object));
        }
        let table = iface.as_mut();
        table.start = Some(|object| with::<T>(object, |imp| imp.start()));
        table.stop = Some(|object| with::<T>(object, |imp| imp.stop()));
        table.send_sdp =
            Some(|object, session, description| with::<T>(object, |imp| imp.send_sdp(session, description)));
        table.add_ice = Some(|object, session, candidate, index, mid| {
            with::<T>(object, |imp| imp.add_ice(session, candidate, index, mid));
        });
        table.end_session = Some(|object, session| with::<T>(object, |imp| imp.end_session(session)));
        table.end_session_with_error = Some(|object, session, error| {
            with::<T>(object, |imp| imp.end_session_with_error(session, error));
        });
        table.session_connected =
            Some(|object, session| with::<T>(object, |imp| imp.session_connected(session)));
    }
}

/// The signals by which an element asks: the first handler wins, the virtual function comes last.
fn asking_signals() -> Vec<Signal> {
    let string = String::static_type;
    vec![
        ask("start", [], |this, _| {
            if let Some(start) = table(this).start {
                start(this);
            }
            Some(())
        }),
        ask("stop", [], |this, _| {
            if let Some(stop) = table(this).stop {
                stop(this);
            }
            Some(())
        }),
        ask(
            "send-session-description",
            [string(), WebRTCSessionDescription::static_type()],
            |this, args| {
                let description = args[1].get::<WebRTCSessionDescription>().ok()?;
                table(this).send_sdp?(this, args[0].get().ok()?, &description);
                Some(())
            },
        ),
        ask(
            "send-ice",
            [string(), string(), u32::static_type(), string()],
            |this, args| {
                let (session, candidate) = (args[0].get().ok()?, args[1].get().ok()?);
                table(this).add_ice?(this, session, candidate, args[2].get().ok()?, args[3].get().ok()?);
                Some(())
            },
        ),
        ask("end-session", [string()], |this, args| {
            table(this).end_session?(this, args[0].get().ok()?);
            Some(())
        }),
        ask("end-session-with-error", [string(), string()], |this, args| {
            let (session, error) = (args[0].get::<&str>().ok()?, args[1].get::<Option<&str>>().ok()?);
            // An application that replaced `end-session`, and knows of no reasons, must not miss the end.
            if end_session_is_replaced(this) {
                this.emit_by_name::<bool>("end-session", &[&session]);
            } else {
                table(this).end_session_with_error?(this, session, error);
            }
            Some(())
        }),
        ask("session-connected", [string()], |this, args| {
            table(this).session_connected?(this, args[0].get().ok()?);
            Some(())
        }),
        Signal::builder("munge-session-description")
            .param_types([String::static_type(), WebRTCSessionDescription::static_type()])
            .return_type::<WebRTCSessionDescription>()
            .run_last()
            .class_handler(|args| Some(args[2].clone()))
            .accumulator(first_handler_wins)
            .build(),
    ]
}

/// The signals by which a signaller tells, and those of the element that ask for nothing.
fn telling_signals() -> Vec<Signal> {
    let string = String::static_type;
    let description = WebRTCSessionDescription::static_type;
    let structure = gst::Structure::static_type;
    let element = gst::Element::static_type;
    let tell = |name, types: &[glib::Type]| Signal::builder(name).param_types(types.iter().copied()).build();
    let action = |name, types: &[glib::Type]| {
        Signal::builder(name)
            .param_types(types.iter().copied())
            .action()
            .build()
    };
    let tell_ended = |name, types: &[glib::Type]| {
        Signal::builder(name)
            .param_types(types.iter().copied())
            .return_type::<bool>()
            .accumulator(any_handler)
            .build()
    };
    vec![
        Signal::builder("request-meta")
            .return_type::<Option<gst::Structure>>()
            .accumulator(first_handler_wins)
            .build(),
        tell("session-requested", &[string(), string(), description()]),
        tell("session-started", &[string(), string()]),
        action("session-description", &[string(), description()]),
        action("handle-ice", &[string(), u32::static_type(), string(), string()]),
        tell_ended("session-ended", &[string()]),
        tell_ended("session-ended-with-error", &[string(), string()]),
        tell("connection-lost", &[string()]),
        tell("connection-restored", &[]),
        tell("warning", &[string()]),
        tell("error", &[string()]),
        action("shutdown", &[]),
        tell("producer-added", &[string(), structure(), bool::static_type()]),
        tell("producer-removed", &[string(), structure()]),
        tell("webrtcbin-ready", &[string(), element()]),
        tell("consumer-added", &[string(), element()]),
        tell("consumer-removed", &[string(), element()]),
    ]
}

/// A signal that an element asks by. `default` returns `None` if it could do nothing with the arguments.
fn ask<const N: usize>(
    name: &str,
    types: [glib::Type; N],
    default: impl Fn(&Signallable, &[glib::Value]) -> Option<()> + Send + Sync + 'static,
) -> Signal {
    Signal::builder(name)
        .param_types(types)
        .return_type::<bool>()
        .run_last()
        .class_handler(move |args| {
            let done = args[0]
                .get::<&Signallable>()
                .ok()
                .and_then(|this| default(this, &args[1..]));
            Some(done.is_some().to_value())
        })
        .accumulator(first_handler_wins)
        .build()
}

fn first_handler_wins(
    _hint: &glib::subclass::SignalInvocationHint,
    _before: glib::Value,
    result: &glib::Value,
) -> ControlFlow<glib::Value, glib::Value> {
    ControlFlow::Break(result.clone())
}

/// All handlers run; the result is whether one of them returned true.
fn any_handler(
    _hint: &glib::subclass::SignalInvocationHint,
    before: glib::Value,
    result: &glib::Value,
) -> ControlFlow<glib::Value, glib::Value> {
    let either = before.get::<bool>().unwrap_or(false) || result.get::<bool>().unwrap_or(false);
    ControlFlow::Continue(either.to_value())
}

fn table(this: &Signallable) -> imp::SignallableInterface {
    let Some(iface) = this.interface::<Signallable>() else {
        unreachable!("a Signallable has the interface")
    };
    *iface.as_ref()
}

/// Whether somebody connected to `end-session`, so that its default does not run.
fn end_session_is_replaced(this: &Signallable) -> bool {
    static END_SESSION: OnceLock<Option<SignalId>> = OnceLock::new();
    let id = *END_SESSION.get_or_init(|| SignalId::lookup("end-session", Signallable::static_type()));
    id.is_some_and(|id| glib::signal::signal_has_handler_pending(this, id, None, false))
}

#!/usr/bin/python3
"""A signaller of one's own, in Python, made of signals alone.

webrtcsink's own signaller lets itself be replaced: whoever connects to `start`, `send-session-description` and the
others takes over what it would have done, and emits `session-requested`, `session-description` and `handle-ice`
towards the element. Here the other peer is a plain webrtcbin in the same process; it could as well be anything that
can be reached by MQTT, HTTP or a chat. Ends after a hundred frames.

    GST_PLUGIN_PATH=target/release python3 examples/custom-signaller.py
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstWebRTC  # noqa: E402

SESSION, PEER, FRAMES = "the-session", "the-peer", 100

Gst.init(None)
loop = GLib.MainLoop()
failure = None
sending = Gst.parse_launch("videotestsrc is-live=true ! webrtcsink name=sink video-caps=video/x-vp8")
receiving = Gst.Pipeline()
webrtc = Gst.ElementFactory.make("webrtcbin")
webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
receiving.add(webrtc)
signaller = sending.get_by_name("sink").props.signaller


# The element asks: each handler returns True for "done", and nobody else is asked.


def on_start(signaller):
    # Later, for the element is still inside its own call here.
    GLib.idle_add(signaller.emit, "session-requested", SESSION, PEER, None)
    return True


def on_stop(_signaller):
    return True


def on_send_session_description(signaller, session, offer):
    def answered(promise):
        reply = promise.get_reply()  # kept: it owns the answer
        answer = reply.get_value("answer")
        webrtc.emit("set-local-description", answer, None)
        signaller.emit("session-description", session, answer)

    webrtc.emit("set-remote-description", offer, None)
    webrtc.emit("create-answer", None, Gst.Promise.new_with_change_func(answered))
    return True


def on_send_ice(_signaller, _session, candidate, m_line, _mid):
    webrtc.emit("add-ice-candidate", m_line, candidate)
    return True


def on_end_session(_signaller, session):
    print(f"session {session} is over")
    return True


signaller.connect("start", on_start)
signaller.connect("stop", on_stop)
signaller.connect("send-session-description", on_send_session_description)
signaller.connect("send-ice", on_send_ice)
signaller.connect("end-session", on_end_session)


# The other peer: a webrtcbin that counts frames.


def on_ice_candidate(_webrtc, m_line, candidate):
    signaller.emit("handle-ice", SESSION, m_line, None, candidate)


def on_pad_added(_webrtc, pad):
    counter = Gst.parse_bin_from_description(
        "rtpvp8depay ! vp8dec ! fakesink name=frames signal-handoffs=true", True
    )
    counter.get_by_name("frames").connect("handoff", on_frame, iter(range(FRAMES)))
    receiving.add(counter)
    counter.sync_state_with_parent()
    pad.link(counter.get_static_pad("sink"))


def on_frame(_sink, _buffer, _pad, frames):
    if next(frames, None) is None:
        loop.quit()


def on_error(_bus, message):
    global failure
    failure = message.parse_error().gerror.message
    loop.quit()


webrtc.connect("on-ice-candidate", on_ice_candidate)
webrtc.connect("pad-added", on_pad_added)
for pipeline in (receiving, sending):
    pipeline.get_bus().add_signal_watch()
    pipeline.get_bus().connect("message::error", on_error)
    pipeline.set_state(Gst.State.PLAYING)
loop.run()
sending.set_state(Gst.State.NULL)
receiving.set_state(Gst.State.NULL)
if failure:
    sys.exit(failure)
print(f"{FRAMES} frames came through")

"""Runs a pipeline for a test, says what happens on its bus, and answers questions about it.

    pipeline.py 'videotestsrc ! webrtcsink name=sink'

Each line on standard output is a JSON object: `{"message": …}` from the bus, or `{"answer": …}` to a question. Each
line on standard input is a question or a command, with its arguments behind it:

    encoders        how many video encoders the pipeline holds
    threads         how many threads the process has
    thread_names    how many threads the process has of each name
    sockets         how many sockets the process has open
    files           how many files, sockets and the like the process has open
    limit_files N   has the system allow the process no more of them than this
    memory          how much memory the process has resident, in KiB, once malloc has given back what is free
    sessions        the ids of webrtcsink's sessions
    stats           webrtcsink's statistics, as text
    state STATE     brings the pipeline to a state
    on SIGNAL STATE has a handler of a signal bring the pipeline to a state, once: of webrtcsink's, of its signaller's
                    (signaller::NAME) or of the next viewer's webrtcbin's (webrtcbin::NAME)
    off             takes such handlers away
    set NAME PROPERTY VALUE
    factories       the factories of its video encoders, sorted
    signals         tells of every signal of webrtcsink from here on: `{"signal": …, "arguments": […], "sessions": …}`;
                    inside each handler statistics and sessions are read
    setup SIGNAL    answers encoder-setup or payloader-setup with TRUE from here on
    filter DESCRIPTION
                    answers request-encoded-filter with an element
    deaf NAME       requests for key frames do not reach an element from here on
    select NAME PAD switches an input-selector
    add DESCRIPTION adds a branch to the pipeline and links it to a new pad of webrtcsink; answers the pad's name
    get FACTORY PROPERTY
                    a property of the first element of a factory
    children        how many elements webrtcsink holds, those of renditions included
    viewers         of each session what the statistics tell: `{fields, encoders, streams}`; and `millis`, how long
                    reading them took
    sent            the last timestamps, in nanoseconds, of what was sent to each viewer since `signals`, by pad
    keys NAME       `{keys, bytesSinceKeyFrame, framesSinceKeyFrame, lastGop}` of what has left an encoder since this was first asked
    release PAD     releases a request pad of webrtcsink
    eos             sends EOS
"""

import ctypes
import json
import os
import resource
import sys
import threading
import time
from collections import Counter

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402


# Signals come on threads of their own.
SAYING = threading.Lock()


def say(**what):
    with SAYING:
        print(json.dumps(what), flush=True)


def elements(bin_):
    iterator = bin_.iterate_recurse()
    found = {}
    while True:
        result, element = iterator.next()
        if result == Gst.IteratorResult.OK:
            found[element.get_path_string()] = element
        elif result == Gst.IteratorResult.RESYNC:
            iterator.resync()
            found.clear()
        else:
            return found.values()


def is_video_encoder(element):
    factory = element.get_factory()
    return factory is not None and "Encoder/Video" in (factory.get_metadata("klass") or "")


def open_sockets():
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sum(1 for link in links if os.path.lexists(link) and os.readlink(link).startswith("socket:"))


SIGNALS = (
    "consumer-pipeline-created",
    "consumer-added",
    "consumer-removed",
    "encoder-setup",
    "payloader-setup",
    "request-encoded-filter",
)


def told(argument):
    """An argument of a signal, as JSON."""
    if isinstance(argument, Gst.Element):
        factory = argument.get_factory()
        return factory.get_name() if factory else argument.get_name()
    if isinstance(argument, Gst.Caps):
        return argument.to_string()
    return argument


def thread_names():
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as comm:
                yield comm.read().strip()
        except FileNotFoundError:
            pass  # It has just ended.


def names_of(structure):
    return [structure.nth_field_name(i) for i in range(structure.n_fields())]


def fields_of(structure):
    values = {name: structure.get_value(name) for name in names_of(structure)}
    plain = (int, float, str)
    return {name: value if isinstance(value, plain) else str(value) for name, value in values.items()}


def array_of(structure, name):
    _, array = structure.get_array(name)
    return [fields_of(array.get_nth(i)) for i in range(array.n_values)]


class Runner:
    def __init__(self, description):
        self.answers = {}
        self.counts = {}
        self.last_sent = {}
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(description)
        self.sink = self.pipeline.get_by_name("sink")
        self.handlers = []
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_message)

    def run(self):
        threading.Thread(target=self.read_questions, daemon=True).start()
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)

    def on_message(self, _bus, message):
        kind = message.type
        if kind == Gst.MessageType.ERROR:
            error, debug = message.parse_error()
            say(message="error", text=error.message, debug=debug)
            self.loop.quit()
        elif kind == Gst.MessageType.WARNING:
            warning, _ = message.parse_warning()
            say(message="warning", text=warning.message)
        elif kind == Gst.MessageType.EOS:
            say(message="eos")
        elif kind == Gst.MessageType.ELEMENT:
            structure = message.get_structure()
            fields = [structure.nth_field_name(i) for i in range(structure.n_fields())]
            values = {name: str(structure.get_value(name)) for name in fields}
            say(message="element", name=structure.get_name(), fields=values)
        elif kind == Gst.MessageType.STATE_CHANGED and message.src == self.pipeline:
            _, new, _ = message.parse_state_changed()
            say(message="state", state=new.value_nick)

    def read_questions(self):
        for line in sys.stdin:
            words = line.split()
            if words:
                GLib.idle_add(self.answer, words)
        GLib.idle_add(self.loop.quit)

    def answer(self, words):
        question, arguments = words[0], words[1:]
        try:
            say(answer=getattr(self, f"do_{question}")(*arguments))
        except Exception as error:  # noqa: BLE001 - the test is told, whatever it is
            say(answer=None, error=str(error))
        return GLib.SOURCE_REMOVE

    def do_encoders(self):
        return sum(1 for element in elements(self.pipeline) if is_video_encoder(element))

    def do_threads(self):
        return len(os.listdir("/proc/self/task"))

    def do_thread_names(self):
        return dict(Counter(thread_names()))

    def do_files(self):
        return len(os.listdir("/proc/self/fd"))

    def do_limit_files(self, number):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(number), hard))
        return True

    def do_memory(self):
        # What was freed goes back to the system first: only what is still in use counts.
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def do_sockets(self):
        return open_sockets()

    def do_sessions(self):
        return list(self.sink.emit("get-sessions"))

    def do_stats(self):
        return self.sink.get_property("stats").to_string()

    def do_state(self, state):
        return self.pipeline.set_state(getattr(Gst.State, state.upper())).value_nick

    def do_on(self, signal, state):
        left = [True]

        def handle(*_arguments):
            if left:
                left.clear()
                self.do_state(state)
                say(message="handled", signal=signal)
            return False

        owner, _, name = signal.partition("::") if signal.startswith(("signaller::", "webrtcbin::")) else ("", "", signal)
        if owner == "webrtcbin":
            self.connect(self.sink, "consumer-added", lambda _sink, _id, webrtcbin: webrtcbin.connect(name, handle))
        else:
            self.connect(self.sink.get_property("signaller") if owner else self.sink, name, handle)
        return True

    def connect(self, target, signal, handler):
        self.handlers.append((target, target.connect(signal, handler)))

    def do_off(self):
        while self.handlers:
            target, handler = self.handlers.pop()
            target.disconnect(handler)
        return True

    def do_set(self, name, prop, value):
        Gst.util_set_object_arg(self.pipeline.get_by_name(name), prop, value)
        return True

    def do_get(self, factory, prop):
        made = (e for e in elements(self.pipeline) if e.get_factory() and e.get_factory().get_name() == factory)
        return next(made).get_property(prop)

    def do_release(self, name):
        pad = self.sink.get_static_pad(name)
        peer = pad.get_peer()
        if peer is not None:
            # A source without a peer would fail.
            peer.add_probe(Gst.PadProbeType.BLOCK_DOWNSTREAM, lambda *_: Gst.PadProbeReturn.OK)
            peer.unlink(pad)
        self.sink.release_request_pad(pad)
        return True

    def do_factories(self):
        encoders = (element for element in elements(self.pipeline) if is_video_encoder(element))
        return sorted(element.get_factory().get_name() for element in encoders)

    def do_signals(self):
        for name in SIGNALS:
            self.sink.connect(name, self.on_signal, name)
        return True

    def on_signal(self, sink, *arguments):
        *arguments, name = arguments
        if name == "consumer-added":
            self.watch_sending(arguments[1])
        statistics = sink.get_property("stats")
        sessions = sink.emit("get-sessions")
        say(
            signal=name,
            arguments=[told(argument) for argument in arguments],
            sessions=list(sessions),
            statistics=statistics.get_name(),
        )
        answer = self.answers.get(name)
        if name == "request-encoded-filter":
            return Gst.parse_launch(answer) if answer else None
        return bool(answer) if name.endswith("-setup") else None

    def watch_sending(self, webrtcbin):
        def note(pad, info):
            frame = info.get_buffer_list()
            self.last_sent[f"{webrtcbin.get_name()}.{pad.get_name()}"] = frame.get(0).pts
            return Gst.PadProbeReturn.OK

        for pad in webrtcbin.sinkpads:
            pad.add_probe(Gst.PadProbeType.BUFFER_LIST, note)

    def do_sent(self):
        return self.last_sent

    def do_children(self):
        return len(elements(self.sink))

    def do_viewers(self):
        began = time.monotonic()
        statistics = self.sink.get_property("stats")
        millis = (time.monotonic() - began) * 1000
        viewers = {}
        for name in names_of(statistics):
            one = statistics.get_value(name)
            viewers[name] = {
                "fields": names_of(one),
                "encoders": array_of(one.get_value("consumer-stats"), "video-encoders"),
                "streams": array_of(one, "weir-stats"),
            }
        return {"viewers": viewers, "millis": millis}

    def do_setup(self, signal):
        self.answers[signal] = True
        return True

    def do_filter(self, *description):
        self.answers["request-encoded-filter"] = " ".join(description)
        return True

    def do_deaf(self, name):
        def drop(_pad, info):
            structure = info.get_event().get_structure()
            is_request = structure is not None and structure.get_name() == "GstForceKeyUnit"
            return Gst.PadProbeReturn.DROP if is_request else Gst.PadProbeReturn.OK

        pad = self.pipeline.get_by_name(name).get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.EVENT_UPSTREAM, drop)
        return True

    def do_select(self, name, pad):
        selector = self.pipeline.get_by_name(name)
        selector.set_property("active-pad", selector.get_static_pad(pad))
        return True

    def do_add(self, *description):
        branch = Gst.parse_bin_from_description(" ".join(description) + " ! identity", True)
        self.pipeline.add(branch)
        source = branch.get_static_pad("src")
        kind = "audio" if "audio" in description[0] else "video"
        pad = self.sink.request_pad_simple(f"{kind}_%u")
        source.link(pad)
        branch.sync_state_with_parent()
        return pad.get_name()

    def do_keys(self, name):
        if name not in self.counts:
            self.counts[name] = dict(keys=0, bytesSinceKeyFrame=0, framesSinceKeyFrame=0, lastGop=0)

            def count(_pad, info):
                buffer, counts = info.get_buffer(), self.counts[name]
                if not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT):
                    counts["keys"] += 1
                    counts["lastGop"] = counts["framesSinceKeyFrame"]
                    counts["bytesSinceKeyFrame"] = counts["framesSinceKeyFrame"] = 0
                counts["framesSinceKeyFrame"] += 1
                counts["bytesSinceKeyFrame"] += buffer.get_size()
                return Gst.PadProbeReturn.OK

            pad = self.pipeline.get_by_name(name).get_static_pad("src")
            pad.add_probe(Gst.PadProbeType.BUFFER, count)
        return self.counts[name]

    def do_eos(self):
        return self.pipeline.send_event(Gst.Event.new_eos())


Gst.init(None)
Runner(" ".join(sys.argv[1:])).run()

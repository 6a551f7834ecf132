"""An RTSP camera on this machine: `camera.py PORT ELEMENTS`, where the last of them is a payloader named pay0."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

port, elements = sys.argv[1:]
Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory(shared=True)
factory.set_launch(f"( {elements} )")
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
server.get_mount_points().add_factory("/live", factory)
if not server.attach():
    sys.exit(f"port {port} is taken")
print("listening", flush=True)
GLib.MainLoop().run()

#!/usr/bin/python3
"""A camera for the tests: GStreamer's RTSP server on a free port of 127.0.0.1, which it prints as `ready PORT`.

usage: rtsp_server.py [--port N] [--film FILE.mp4] [--clock] [basic|digest USER PASSWORD]

With --clock there is /clock, 1280 by 720 at 25 Hz: its upper edge is 32 blocks, black or white, which say when the picture was drawn:
24 bits of this machine's Unix time in ms, and 8 that are the exclusive or of their three bytes. All who look share one encoder.

It ends when its standard input is closed. Debian packages: gir1.2-gst-rtsp-server-1.0 python3-gi
gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly (x264) gstreamer1.0-plugins-bad (x265).
"""

import argparse
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
X264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 threads=1 ! video/x-h264,profile=baseline"
VOICE = "audiotestsrc is-live=true ! audioconvert ! voaacenc ! aacparse ! rtpmp4gpay name=pay1 pt=97"
REORDERED = "x264enc speed-preset=ultrafast key-int-max=20 bframes=2 b-adapt=false threads=1 ! video/x-h264,profile=main"
STREAMS = {
    # A key frame every 400 ms, with and without parameter sets in the stream.
    "/h264": f"{PICTURE} ! {X264} ! rtph264pay name=pay0 pt=96 config-interval=1",
    "/h264-sdp-only": f"{PICTURE} ! {X264} ! rtph264pay name=pay0 pt=96 config-interval=0",
    "/h265": f"{PICTURE} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! h265parse"
    " ! rtph265pay name=pay0 pt=96 config-interval=1",
    "/jpeg": f"{PICTURE} ! jpegenc ! rtpjpegpay name=pay0 pt=26",
    # A camera with a microphone: sound comes first in the description.
    "/with-sound": "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0 pt=0"
    f" {PICTURE} ! {X264} ! rtph264pay name=pay1 pt=96 config-interval=1",
    "/sound-only": "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0 pt=0",
    # The same picture larger, for a stream that changes.
    "/h264-large": f"{PICTURE.replace('width=320,height=240', 'width=640,height=360')} ! {X264}"
    " ! rtph264pay name=pay0 pt=96 config-interval=1",
    # Noise, of which nothing can be left out: some megabits a second.
    "/heavy": f"{PICTURE.replace('pattern=ball', 'pattern=snow').replace('width=320,height=240', 'width=640,height=360')}"
    f" ! {X264.replace('x264enc', 'x264enc bitrate=4000')} ! rtph264pay name=pay0 pt=96 config-interval=1",
    "/with-aac": f"{PICTURE} ! {X264} ! rtph264pay name=pay0 pt=96 config-interval=1 {VOICE}",
    "/b-frames": f"{PICTURE} ! {REORDERED} ! rtph264pay name=pay0 pt=96 config-interval=1",
    "/h264-422": f"{PICTURE.replace('I420', 'Y42B')} ! {X264.replace('profile=baseline', 'profile=high-4:2:2')}"
    " ! rtph264pay name=pay0 pt=96 config-interval=1",
    "/ends": PICTURE.replace("videotestsrc", "videotestsrc num-buffers=25")
    + f" ! {X264} ! rtph264pay name=pay0 pt=96 config-interval=1",
}


CLOCK_WIDTH, CLOCK_HEIGHT, CLOCK_RATE, CLOCK_EDGE = 1280, 720, 25, 32
CLOCK = (
    "appsrc name=clock is-live=true format=time do-timestamp=true block=false max-bytes=6000000"
    f" caps=video/x-raw,format=I420,width={CLOCK_WIDTH},height={CLOCK_HEIGHT},framerate={CLOCK_RATE}/1"
    " ! queue leaky=downstream max-size-buffers=1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=2000 threads=1 ! video/x-h264,profile=baseline"
    " ! rtph264pay name=pay0 pt=96 config-interval=1"
)


def clock_edge(now_ms):
    """The rows that say the time."""
    value = now_ms & 0xFFFFFF
    word = value << 8 | (value >> 16 ^ value >> 8 ^ value) & 0xFF
    blocks = (b"\xeb" if word >> (31 - place) & 1 else b"\x10" for place in range(32))
    return b"".join(block * (CLOCK_WIDTH // 32) for block in blocks) * CLOCK_EDGE


def clock_bodies():
    """What is below: stripes that move, so that there is something to encode."""
    stripe = bytes(40 + (x * 7) % 160 for x in range(64))
    row = stripe * (CLOCK_WIDTH // 64 + 1)
    colour = b"\x80" * (CLOCK_WIDTH * CLOCK_HEIGHT // 2)
    for shift in range(0, 64, 4):
        rows = (row[(shift + y // 8 * 5) % 64 :][:CLOCK_WIDTH] for y in range(CLOCK_HEIGHT - CLOCK_EDGE))
        yield b"".join(rows) + colour


def feed_clock(_factory, media):
    source = media.get_element().get_by_name("clock")
    bodies = list(clock_bodies())

    def draw():
        number, began = 0, time.monotonic()
        while True:
            number += 1
            time.sleep(max(0, began + number / CLOCK_RATE - time.monotonic()))
            picture = clock_edge(time.time_ns() // 1_000_000) + bodies[number % len(bodies)]
            if source.emit("push-buffer", Gst.Buffer.new_wrapped(picture)) != Gst.FlowReturn.OK:
                return

    threading.Thread(target=draw, daemon=True).start()


def film(path):
    """A file as it is, picture by picture, with its sound."""
    return (
        f'filesrc location="{path}" ! qtdemux name=d'
        " d.video_0 ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1"
        " d.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"
    )


def require_password(server, method, user, password):
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth = GstRtspServer.RTSPAuth()
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)


def end_with_the_parent(loop):
    def on_input(source, _condition):
        if source.read(1) == b"":
            loop.quit()
            return False
        return True

    GLib.io_add_watch(sys.stdin.buffer, GLib.IO_IN | GLib.IO_HUP, on_input)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--film")
    parser.add_argument("--clock", action="store_true")
    parser.add_argument("access", nargs="*")
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    if arguments.access:
        require_password(server, *arguments.access)
    streams = dict(STREAMS)
    if arguments.film:
        streams["/film"] = film(arguments.film)
    for path, launch in streams.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_role("viewer")
        for permission in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("viewer", permission, True)
        if arguments.access:
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(path, factory)
    if arguments.clock:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {CLOCK} )")
        factory.set_shared(True)
        factory.connect("media-configure", feed_clock)
        server.get_mount_points().add_factory("/clock", factory)
    server.attach(None)
    loop = GLib.MainLoop()
    end_with_the_parent(loop)
    print("ready", server.get_bound_port(), flush=True)
    loop.run()


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""An RTSP camera on loopback. GStreamer's RTSP server plays a clip at its own pace, again and again, as H.264, HEVC, Motion
JPEG or MPEG-4 (--codec). A key frame comes every --key-distance seconds. --audio adds the clip's audio, as AAC or G.711.

Prints "ready PORT" on standard output once it listens. When the clip starts again, timestamps continue without a
jump, like a camera's.
"""
import argparse
import re
import subprocess
import sys

import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


# codec: how FFmpeg encodes, where an access unit begins, its caps and GStreamer's elements
CODECS = {
    "h264": (("libx264", "-preset", "veryfast", "-crf", "18", "-bf", "0", "-x264-params",
              "aud=1:keyint={keyint}:scenecut=0:repeat-headers=1", "-f", "h264"), rb"\x00\x00\x00\x01\x09",
             "video/x-h264,stream-format=byte-stream,alignment=au", "h264parse ! rtph264pay config-interval=-1"),
    "hevc": (("libx265", "-preset", "ultrafast", "-crf", "18", "-x265-params",
              "aud=1:keyint={keyint}:scenecut=0:repeat-headers=1:bframes=0:open-gop=0:log-level=error", "-f", "hevc"),
             rb"\x00\x00\x00\x01\x46\x01", "video/x-h265,stream-format=byte-stream,alignment=au",
             "h265parse ! rtph265pay config-interval=-1"),
    "mjpeg": (("mjpeg", "-q:v", "4", "-huffman", "default", "-f", "mjpeg"), rb"\xff\xd8\xff", "image/jpeg",
              "jpegparse ! rtpjpegpay"),
    "mpeg4": (("mpeg4", "-q:v", "4", "-g", "{keyint}", "-f", "m4v"), rb"(?s)(?:\x00\x00\x01[\xb0\xb3].*?)?\x00\x00\x01\xb6",
              "video/mpeg,mpegversion=4,systemstream=false", "mpeg4videoparse ! rtpmp4vpay config-interval=1"),
}


# as CODECS: how FFmpeg encodes, samples of a packet, samples a second, caps, GStreamer's elements
AUDIO = {
    "aac": (("-c:a", "aac", "-ar", "48000", "-ac", "1", "-f", "adts"), 1024, 48000,
            "audio/mpeg,mpegversion=4,stream-format=adts,framed=true", "aacparse ! rtpmp4gpay"),
    "pcma": (("-ar", "8000", "-ac", "1", "-f", "alaw"), 160, 8000, "audio/x-alaw,rate=8000,channels=1", "rtppcmapay"),
}


def audio_units(clip, codec):
    """Encodes the clip's audio. Returns its packets, a bytes object each."""
    stream = subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", clip, "-vn", *AUDIO[codec][0], "-"], check=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    units, at = [], 0
    while at + 7 <= len(stream):
        size = (stream[at + 3] & 3) << 11 | stream[at + 4] << 3 | stream[at + 5] >> 5 if codec == "aac" else AUDIO[codec][1]
        units.append(stream[at:at + size])
        at += size
    return units


def access_units(clip, fps, codec, key_distance):
    """Encodes the clip: a key frame every key_distance seconds, no B frames. Returns its access units, a bytes object each."""
    encode, begins = CODECS[codec][:2]
    stream = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", clip, "-an", "-vf",
         f"fps={fps},format={'yuvj420p' if codec == 'mjpeg' else 'yuv420p'}", "-c:v",
         *(word.format(keyint=round(fps * key_distance)) for word in encode), "-"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    starts = [m.start() for m in re.finditer(begins, stream)]
    return [stream[a:b] for a, b in zip(starts, starts[1:] + [len(stream)])]


class Factory(GstRtspServer.RTSPMediaFactory):
    """audio: (packets, codec); None: there is none."""

    def __init__(self, units, fps, codec, audio=None):
        super().__init__()
        self.tracks = [("source", units, 1, fps)]
        self.set_shared(True)
        launch = (f"appsrc name=source is-live=true format=time caps={CODECS[codec][2]},framerate={fps}/1"
                  f" ! {CODECS[codec][3]} name=pay0 pt={26 if codec == 'mjpeg' else 96}")
        if audio:
            sounds, name = audio
            self.tracks.append(("sound", sounds, AUDIO[name][1], AUDIO[name][2]))
            launch += (f" appsrc name=sound is-live=true format=time caps={AUDIO[name][3]} ! {AUDIO[name][4]} name=pay1"
                       f" pt={8 if name == 'pcma' else 97}")
        self.set_launch(f"( {launch} )")
        self.connect("media-configure", self.configure)

    def configure(self, _factory, media):
        state = {"n": [0] * len(self.tracks), "start": None}

        def push_track(i, now):
            name, units, ticks, rate = self.tracks[i]
            source = media.get_element().get_by_name(name)
            due = state["start"] + state["n"][i] * ticks * Gst.SECOND // rate
            while due <= now:                      # after a pause it catches up, as cameras do
                unit = Gst.Buffer.new_wrapped(units[state["n"][i] % len(units)])
                unit.pts = unit.dts = due
                unit.duration = ticks * Gst.SECOND // rate
                if source.emit("push-buffer", unit) != Gst.FlowReturn.OK:
                    return False
                state["n"][i] += 1
                due = state["start"] + state["n"][i] * ticks * Gst.SECOND // rate
            return True

        def push():
            source = media.get_element().get_by_name("source")
            clock = source.get_clock()
            if clock is None:
                return True
            now = clock.get_time() - source.get_base_time()
            if state["start"] is None:
                state["start"] = now
            return all(push_track(i, now) for i in range(len(self.tracks)))
        timer = GLib.timeout_add(max(5, 500 // self.tracks[0][3]), push)
        media.connect("unprepared", lambda _media: GLib.source_remove(timer) if
                      GLib.main_context_default().find_source_by_id(timer) else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", required=True, help="a file that FFmpeg reads")
    parser.add_argument("--port", default="0", help="0: any free port")
    parser.add_argument("--path", default="/live")
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--codec", choices=CODECS, default="h264")
    parser.add_argument("--key-distance", type=float, default=1, help="seconds")
    parser.add_argument("--audio", choices=AUDIO, help="with the clip's audio")
    parser.add_argument("--user", help="require this user and password")
    parser.add_argument("--password")
    parser.add_argument("--digest", action="store_true", help="ask for a sign-in by Digest instead of Basic")
    options = parser.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    factory = Factory(access_units(options.clip, options.fps, options.codec, options.key_distance), options.fps, options.codec,
                      (audio_units(options.clip, options.audio), options.audio) if options.audio else None)
    if options.user:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth = GstRtspServer.RTSPAuth()
        if options.digest:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(options.user, options.password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
        server.set_auth(auth)
        role = Gst.Structure.new_empty("viewer")
        role.set_value("media.factory.access", True)
        role.set_value("media.factory.construct", True)
        factory.add_role_from_structure(role)
    server.get_mount_points().add_factory(options.path, factory)
    if not server.attach(None):
        sys.exit(f"rtsp_server: cannot listen on port {options.port}")
    print(f"ready {server.get_bound_port()}", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()

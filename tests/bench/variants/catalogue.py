"""The stream variants. Each is a name and a function of a Lab (lab.py). The function starts its servers and returns the
camera's source, or the source and further keys of its configuration. The source is None if its server is missing."""
import os
import random
import re

import harness
from variants.lab import FPS, H264, damage, damage_sets, lose, lose_bursts, reorder

UDP = {"transport": "udp"}
FILE = {"loop": True}
USER = {"user": "viewer", "password": "hunter2"}
HEVC = ("-c:v", "libx265", "-preset", "veryfast", "-tune", "zerolatency", "-x265-params", "keyint=10:bframes=0:log-level=none",
        "-pix_fmt", "yuv420p")


def stamps():
    """Faults of RTP time stamps. The pictures come evenly."""
    rng = random.Random(2)
    lies = {
        "sound": lambda i, s: s,
        "constant": lambda i, s: 0,
        "freeze": lambda i, s: min(s, 8),
        "outlier": lambda i, s: s + (37600 if i % 50 == 49 else 0),
        "outlier-back": lambda i, s: s - (5 if i % 50 == 49 else 0),
        "jitter": lambda i, s: s + 0.06 * (-1) ** i,
        "leap-forth": lambda i, s: s + s // 6 * 2,
        "leap-back": lambda i, s: s - 0.9 * (s // 6),
        "leap-day": lambda i, s: s + (86400 if s >= 12 else 0),
        "pairs": lambda i, s: i // 2 * 2 / FPS,
        "slow": lambda i, s: 0.9 * s,
        "half": lambda i, s: 0.5 * s,
        "fast": lambda i, s: 1.1 * s,
        "double": lambda i, s: 2 * s,
        "milliseconds": lambda i, s: s / 90,
        "microseconds": lambda i, s: 11.1 * s,
        "wrap": lambda i, s: s + 2**32 / 90000 - 8,
        "backwards": lambda i, s: 9000 - s,
        "random": lambda i, s: rng.uniform(0, 1000),
        "late": lambda i, s: 0 if s < 8 else s,
    }
    for name, stamp in lies.items():
        yield f"time-{name}", lambda lab, stamp=stamp: lab.lying(stamp=stamp)
    yield "time-constant-hevc", lambda lab: lab.lying("hevc", stamp=lambda i, s: 0)
    yield "time-constant-udp", lambda lab: (lab.lying(stamp=lambda i, s: 0), UDP)
    yield "time-outlier-udp", lambda lab: (lab.lying(stamp=lies["outlier"]), UDP)


def network():
    """Packets that are lost, late, doubled or damaged, and the three other codecs."""
    yield "hevc", lambda lab: lab.lying("hevc")
    yield "mjpeg", lambda lab: lab.gstreamer(codec="mjpeg")
    yield "mpeg4", lambda lab: lab.gstreamer(codec="mpeg4")
    yield "udp", lambda lab: (lab.lying(), UDP)
    for codec in "h264", "hevc":
        yield f"loss-2-{codec}", lambda lab, codec=codec: lab.lying(codec, packets=lose(0.02))
        yield f"loss-20-{codec}", lambda lab, codec=codec: lab.lying(codec, packets=lose(0.2))
        yield f"loss-2-{codec}-udp", lambda lab, codec=codec: (lab.lying(codec, packets=lose(0.02)), UDP)
        yield f"damage-2-{codec}", lambda lab, codec=codec: lab.lying(codec, packets=damage(0.02))
        yield f"damage-all-{codec}", lambda lab, codec=codec: lab.lying(codec, packets=damage(1))
        yield f"damage-sets-{codec}", lambda lab, codec=codec: lab.lying(codec, packets=damage_sets(codec))
    yield "loss-20-udp", lambda lab: (lab.lying(packets=lose(0.2)), UDP)
    yield "loss-all-udp", lambda lab: (lab.lying(packets=lose(1)), UDP)
    yield "bursts-udp", lambda lab: (lab.lying(packets=lose_bursts(10, 60)), UDP)
    yield "reorder-udp", lambda lab: (lab.lying(packets=reorder(0.2)), UDP)
    yield "reorder-tcp", lambda lab: lab.lying(packets=reorder(0.2))
    yield "doubled-udp", lambda lab: (lab.lying(packets=lambda i, packet: [packet, packet]), UDP)


def sign_in():
    yield "basic", lambda lab: (lab.gstreamer(**USER), USER)
    yield "digest", lambda lab: (lab.gstreamer(digest=True, **USER), USER)
    yield "wrong-password", lambda lab: (lab.gstreamer(digest=True, **USER), {**USER, "password": "hunter3"})
    yield "no-password", lambda lab: lab.gstreamer(**USER)
    yield "http-digest", lambda lab: (lab.http(scheme="Digest", **USER), USER)
    yield "http-wrong-password", lambda lab: (lab.http(scheme="Digest", **USER), {**USER, "password": "hunter3"})


AUDIO = "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track1\r\n"
METADATA = "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:track1\r\n"


def descriptions():
    """Faults of the session description."""
    def before_video(more):
        return lambda text: text.replace("m=video", more + "m=video")
    faults = {
        "no-sets": lambda text: re.sub("a=fmtp.*\r\n", "", text),
        "no-rtpmap": lambda text: re.sub("a=rtpmap.*\r\n", "", text),
        "wrong-codec": lambda text: text.replace("H264", "H265"),
        "unknown-codec": lambda text: text.replace("H264", "X999"),
        "wrong-clock": lambda text: text.replace("/90000", "/1000"),
        "rate-1000": lambda text: text + "a=framerate:1000\r\n",
        "rate-0": lambda text: text + "a=framerate:0\r\n",
        "audio-only": lambda text: text[:text.index("m=video")] + AUDIO,
        "audio-first": before_video(AUDIO),
        "metadata-first": before_video(METADATA),
        "empty": lambda text: "",
        "garbage": lambda text: "\x01\x02" * 300,
        "cut": lambda text: text[:text.index("rtpmap")],
    }
    for name, fault in faults.items():
        yield f"sdp-{name}", lambda lab, fault=fault: lab.lying(describe=fault)


def servers():
    """Servers that fail."""
    yield "rtsp-404", lambda lab: lab.lying(answers={"DESCRIBE": "404 Not Found"})
    yield "rtsp-461", lambda lab: lab.lying(answers={"SETUP": "461 Unsupported Transport"})
    yield "rtsp-500", lambda lab: lab.lying(answers={"PLAY": "500 Internal Server Error"})
    yield "rtsp-hangs-up-at-setup", lambda lab: lab.lying(answers={"SETUP": None})
    yield "rtsp-refused", lambda lab: f"rtsp://127.0.0.1:{harness.free_port()}/live"
    yield "rtsp-closes-at-once", lambda lab: lab.answerer(hangs_up=True)
    yield "rtsp-silent", lambda lab: lab.answerer()
    yield "rtsp-garbage", lambda lab: lab.answerer(bytes(range(256)) * 4)
    yield "rtsp-hangs-up-after-6-s", lambda lab: lab.lying(hangs_up_after=6)
    yield "rtsp-plays-nothing", lambda lab: lab.lying(sends=lambda i: False)
    yield "http-404", lambda lab: lab.http(status=404)
    yield "http-500", lambda lab: lab.http(status=500)
    yield "http-page", lambda lab: lab.http(text_file(lab, "page.html", "<html><body>log in</body></html>" * 100))
    yield "http-to-another", lambda lab: lab.http(redirect=f"http://127.0.0.2:{harness.free_port()}/live")


def pictures():
    """Pictures of other sizes, rates and intervals of key frames."""
    sizes = ("96x64", "160x128")
    yield "size-changes", lambda lab: lab.lying(clip=[p for s in sizes for p in lab.pictures(size=s)])
    yield "size-changes-hevc", lambda lab: lab.lying("hevc", clip=[p for s in sizes for p in lab.pictures("hevc", size=s)])
    yield "aspect-tall", lambda lab: lab.lying(clip=lab.pictures(size="48x192"))
    yield "aspect-wide", lambda lab: lab.lying(clip=lab.pictures(size="320x48"))
    yield "tiny", lambda lab: lab.lying(clip=lab.pictures(size="16x16"))
    yield "pixels-not-square", lambda lab: (lab.file("sar.mkv", "-vf", "scale=48:64,setsar=2", *H264), FILE)
    for degrees in 90, 180:
        yield f"rotated-{degrees}", lambda lab, d=degrees: (rotated(lab, d), FILE)
    yield "rate-falls", lambda lab: lab.lying(interval=1, sends=lambda i: i < 12 * FPS or i % 2 == 0)
    yield "rate-rises", lambda lab: lab.lying(interval=1, sends=lambda i: i > 12 * FPS or i % 2 == 0)
    yield "rate-5", lambda lab: lab.lying(interval=1, sends=lambda i: i % 2 == 0)
    yield "rate-1", lambda lab: lab.lying(interval=1, sends=lambda i: i % FPS == 0)
    yield "rate-25", lambda lab: lab.lying(fps=25)
    yield "in-bursts", lambda lab: lab.lying(when=lambda i: i // FPS + 1)
    yield "stall-2-s-of-10", lambda lab: lab.lying(when=lambda i: i / FPS + 2 * (i // (8 * FPS)))
    yield "stall-12-s-of-25", lambda lab: lab.lying(sends=lambda i: i % (25 * FPS) < 13 * FPS)
    yield "stall-1-s-of-4", lambda lab: lab.lying(sends=lambda i: i % (4 * FPS) < 3 * FPS)
    yield "stall-after-10-s", lambda lab: lab.lying(sends=lambda i: i < 10 * FPS)
    yield "key-frame-after-5-s", lambda lab: lab.lying(interval=15 * FPS, first=10 * FPS)
    yield "key-frame-never", lambda lab: lab.lying(packets=lambda i, packet: [] if packet[12] & 31 == 5 else [packet])
    yield "one-picture-repeats", lambda lab: lab.lying(clip=lab.pictures()[:1])


def live():
    """HTTP and UDP."""
    mjpeg = ("-c:v", "mjpeg", "-q:v", "4", "-f", "mpjpeg")
    yield "http-mjpeg", lambda lab: lab.live_http(*mjpeg)
    yield "http-mjpeg-hangs-up", lambda lab: lab.live_http(*mjpeg, hangs_up_after=8)
    yield "http-flv", lambda lab: lab.live_http(*H264, "-f", "flv")
    yield "http-ts", lambda lab: lab.live_http(*H264, "-f", "mpegts")
    yield "http-ts-hevc", lambda lab: lab.live_http(*HEVC, "-f", "mpegts")
    yield "http-mkv", lambda lab: lab.live_http("-c:v", "mpeg4", "-q:v", "4", "-f", "matroska")
    yield "http-file", lambda lab: lab.http()
    yield "udp-ts", lambda lab: lab.udp_ts(*H264)
    yield "udp-ts-mpeg4", lambda lab: lab.udp_ts("-c:v", "mpeg4", "-g", "10", "-q:v", "4")
    yield "udp-ts-loss-2", lambda lab: lab.udp_ts(*H264, sends=lambda i, rng=random.Random(3): rng.random() >= 0.02)
    yield "udp-ts-stops", lambda lab: lab.udp_ts(*H264, sends=lambda i: i < 600)
    yield "udp-ts-nobody-sends", lambda lab: f"udp://127.0.0.1:{harness.free_port()}"


def text_file(lab, name, text):
    path = lab.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def rotated(lab, degrees):
    """Returns a file whose display matrix says that a viewer turns the pictures."""
    flat, path = lab.file("flat.mp4", *H264), lab.path(f"rotated-{degrees}.mp4")
    harness.ffmpeg("-i", flat, "-c", "copy", "-metadata:s:v:0", f"rotate={degrees}", path)
    return path


def folder(lab, name, broken):
    path = lab.path(name)
    os.makedirs(path, exist_ok=True)
    harness.ffmpeg("-i", lab.scene, "-frames:v", 100, os.path.join(path, "%04d.png"))
    for i in range(1, 101, 10) if broken else ():
        with open(os.path.join(path, f"{i:04}.png"), "r+b") as f:
            f.truncate(60)
    return path


def cut(lab, name, whole, share):
    with open(whole, "rb") as f:
        data = f.read()
    with open(lab.path(name), "wb") as f:
        f.write(data[:int(len(data) * share)])
    return lab.path(name)


def files():
    yield "file-h264-without-times", lambda lab: (lab.file("raw.h264", *H264, "-f", "h264"), FILE)
    yield "file-mjpeg-without-times", lambda lab: (lab.file("raw.mjpeg", "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg"), FILE)
    yield "file-avi-mpeg4", lambda lab: (lab.file("scene.avi", "-c:v", "mpeg4", "-q:v", "4"), FILE)
    yield "file-hevc", lambda lab: (lab.file("hevc.mkv", *HEVC), FILE)
    yield "file-times-leap", lambda lab: (lab.file("leap.mkv", "-vf", "setpts=PTS+gte(N\\,100)*7/TB", "-fps_mode", "passthrough",
                                                   *H264), FILE)
    yield "file-rate-varies", lambda lab: (lab.file("vfr.mkv", "-vf", "select=not(mod(n\\,3))+not(mod(n\\,5))", "-fps_mode",
                                                    "passthrough", *H264), FILE)
    yield "file-cut", lambda lab: (cut(lab, "cut.mkv", lab.file("hevc.mkv", *HEVC), 0.6), FILE)
    yield "file-short", lambda lab: (lab.file("short.mkv", "-frames:v", "10", *H264), FILE)
    yield "file-ends", lambda lab: lab.file("ends.mkv", "-frames:v", "100", *H264)
    yield "file-garbage", lambda lab: (cut(lab, "garbage.mp4", __file__, 1), FILE)
    yield "file-empty", lambda lab: (text_file(lab, "empty.mkv", ""), FILE)
    yield "file-audio", lambda lab: (audio(lab), FILE)
    yield "folder", lambda lab: (folder(lab, "images", False), FILE)
    yield "folder-broken-images", lambda lab: (folder(lab, "broken", True), FILE)


def audio(lab):
    harness.ffmpeg("-f", "lavfi", "-i", "sine=duration=4", lab.path("audio.mka"))
    return lab.path("audio.mka")


# Options of odd_rtsp.py.
ODD = {
    "normal": (), "const": ("--ts", "const"), "zero": ("--ts", "zero"), "outlier": ("--ts", "outlier:5:600"),
    "twin": ("--ts", "twin:5:600"), "wrap": ("--ts", "wrap"), "slow": ("--ts", "slow:0.01111"), "pairs": ("--ts", "pairs"),
    "freeze": ("--ts", "freeze:8"), "jitter": ("--ts", "jitter:60"), "back": ("--ts", "back:6:-2"),
    "mid-gop": ("--start", "5"), "no-sets": ("--no-sprop",), "rate-1000": ("--framerate", "1000"),
    "metadata": ("--extra", "meta"), "thumbnail": ("--extra", "thumb"), "audio-first": ("--audio-first",), "reports": ("--sr",),
    "burst": ("--burst", "50"), "stops": ("--stop-after", "10"), "rtcp-only": ("--stop-after", "10", "--rtcp-only-after", "10"),
    "bye": ("--bye-after", "10"), "loss": ("--loss", "0.02"), "ends": ("--no-loop",), "udp-only": ("--udp-only",),
}


def odd():
    for name, options in ODD.items():
        yield f"odd-{name}", lambda lab, options=options: lab.odd(*options)
    yield "odd-halves", lambda lab: lab.odd("--halve-after", 12, codec="intra")
    yield "odd-hevc", lambda lab: lab.odd(codec="hevc")
    yield "odd-hevc-loss", lambda lab: lab.odd("--loss", 0.02, codec="hevc")
    yield "odd-hevc-const", lambda lab: lab.odd("--ts", "const", codec="hevc")
    yield "odd-basic", lambda lab: (lab.odd("--auth", "viewer:hunter2"), USER)
    yield "odd-digest", lambda lab: (lab.odd("--auth", "viewer:hunter2", "--digest"), USER)
    yield "odd-digest-wrong", lambda lab: (lab.odd("--auth", "viewer:hunter2", "--digest"), {**USER, "password": "hunter3"})
    yield "odd-digest-stale", lambda lab: (lab.odd("--auth", "viewer:hunter2", "--digest", "--stale-after", 5), USER)


def variants():
    """All of them, by name, in the order of the table."""
    found = {}
    for group in stamps, network, sign_in, descriptions, servers, pictures, live, files, odd:
        found.update(group())
    return found

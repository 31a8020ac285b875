#!/usr/bin/python3
"""Clips have audio only if it is asked for, in time with the pictures, and in a container that holds it."""
import glob
import json
import os
import re
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import counted  # noqa: E402
import harness  # noqa: E402
from servers.http_camera import HttpCamera  # noqa: E402

FPS = 10
EVENT = range(8 * FPS, 11 * FPS)
SECONDS = 80              # longer than a clip: the server begins again
WITHIN_S = 0.1
H264 = ("-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p")
MASK = {"points": [[0.8, 0.8], [1, 0.8], [1, 1]], "privacy": True}


def write_footage(path, options=("-c:v", "ffv1", "-c:a", "pcm_s16le")):
    """Writes counted pictures with noise in EVENT, and a tone at the same time."""
    counted.write_counted(path + ".silent.mkv", SECONDS * FPS, [EVENT], FPS)
    tone = f"aevalsrc='0.5*sin(2*PI*1000*t)*between(t,{EVENT.start / FPS},{EVENT.stop / FPS})':s=48000:d={SECONDS}"
    harness.ffmpeg("-i", path + ".silent.mkv", "-f", "lavfi", "-i", tone, *options, path)
    return path


def streams(path):
    done = subprocess.run(["ffprobe", "-v", "warning", "-show_streams", "-show_packets", "-of", "json", path],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return {s["codec_type"]: s["codec_name"] for s in json.loads(done.stdout)["streams"]}, done.stderr


class ClipAudio(harness.Case):
    def start(self, url, audio=True, more=None, camera=None, **evidence):
        model = harness.write_model(self.path("model.safetensors"))
        return self.daemon({"evidence": {"pre_roll_s": 3, "post_roll_s": 2}, **(more or {}), "cameras": {"gate": {
            "source": url, "model": model, "fps": FPS, "fps_force": True, "stride": 1, "alert": counted.ALERT,
            "evidence": {"audio": audio, **evidence}, **(camera or {})}}})

    def clip(self, daemon):
        written = daemon.wait_event("evidence_written", 120, kind="clip")
        return written, os.path.join(self.folder, "state", written["path"])

    def check_time(self, path):
        """The tone begins and ends with the noise."""
        counts, complaints = counted.read_counts(path)
        self.assertNotIn("rror", complaints)
        # the last B-frames may lack another picture
        self.assertEqual(counts[:-2], list(range(counts[0], counts[0] + len(counts) - 2)))
        heard = subprocess.run(["ffmpeg", "-nostdin", "-hide_banner", "-i", path, "-map", "0:a", "-af",
                                "silencedetect=n=-30dB:d=0.3", "-f", "null", "-"], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, check=True).stderr
        begins = [float(t) for t in re.findall(r"silence_end: ([0-9.]+)", heard)]
        ends = [float(t) for t in re.findall(r"silence_start: ([0-9.-]+)", heard)]
        at = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of",
                             "csv=p=0", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            check=True).stdout.split()
        times = sorted(float(t.rstrip(",")) for t in at)
        self.assertAlmostEqual(begins[0], times[EVENT.start - counts[0]], delta=WITHIN_S, msg=heard)
        self.assertTrue(any(abs(t - times[EVENT.stop - counts[0]]) < WITHIN_S for t in ends), heard)

    def over_rtsp(self, audio, name, extension, codecs, **more):
        server = self.rtsp(write_footage(self.path("footage.mkv")), fps=FPS, audio=audio)
        daemon = self.start(server.url, **more)
        told = daemon.wait_event("camera_audio", 30)
        self.assertEqual(told["codec"], name)
        written, path = self.clip(daemon)
        self.assertTrue(path.endswith(extension), path)
        self.assertEqual(written["audio"], name)
        self.assertRegex(written["codecs"], codecs)
        found, complaints = streams(path)
        self.assertEqual(complaints, "")
        self.assertEqual(found, {"video": "h264", "audio": name})
        self.check_time(path)
        self.assertEqual(daemon.events("evidence_failed") + daemon.events("snapshot_is_gray"), [])
        daemon.stop()

    def test_aac(self):
        self.over_rtsp("aac", "aac", "clip.mp4", r"^avc1\.[0-9a-f]{6},mp4a\.40\.2$")

    def test_g711(self):
        self.over_rtsp("pcma", "pcm_alaw", "clip.mkv", "^$")

    def test_in_thread(self):
        self.over_rtsp("aac", "aac", "clip.mp4", "^avc1", more={"isolation": "thread"})

    def test_not_asked(self):
        """The server has audio, but it is neither asked for nor kept."""
        server = self.rtsp(write_footage(self.path("footage.mkv")), fps=FPS, audio="aac")
        daemon = self.start(server.url, audio=False)
        written, path = self.clip(daemon)
        self.assertEqual(streams(path), ({"video": "h264"}, ""))
        self.assertEqual((written["audio"], daemon.events("camera_audio")), ("", []))
        daemon.stop()

    def test_main_and_sub(self):
        """Audio comes from the stream that is kept. The analysed stream has none, and is not asked for any."""
        footage = write_footage(self.path("footage.mkv"))
        sub, main = self.rtsp(footage, fps=FPS), self.rtsp(footage, fps=FPS, audio="aac")
        daemon = self.start(sub.url, source=main.url)
        _, path = self.clip(daemon)
        self.assertEqual(streams(path), ({"video": "h264", "audio": "aac"}, ""))
        self.assertEqual([e["codec"] for e in daemon.events("camera_audio")], ["aac"])
        daemon.stop()

    def test_stream_without(self):
        """Audio is asked for, but there is none. The log says so once, and the clip has video alone."""
        server = self.rtsp(write_footage(self.path("footage.mkv")), fps=FPS)
        daemon = self.start(server.url)
        _, path = self.clip(daemon)
        self.assertEqual(streams(path), ({"video": "h264"}, ""))
        told = daemon.events("camera_audio")
        self.assertEqual(len(told), 1)
        self.assertIn("has no audio", told[0]["reason"])
        daemon.stop()

    def test_file(self):
        path = write_footage(self.path("footage.mp4"), (*H264, "-bf", "2", "-c:a", "aac"))
        daemon = self.start(path)
        _, clip = self.clip(daemon)
        self.assertEqual(streams(clip), ({"video": "h264", "audio": "aac"}, ""))
        self.check_time(clip)
        daemon.stop()

    def transport_stream(self, codec, name, of_file):
        """MPEG-TS over HTTP, which tells what the audio is in its packets alone. of_file: how FFmpeg names that of the clip."""
        camera = HttpCamera(write_footage(self.path("footage.ts"), (*H264, "-bf", "0", "-c:a", codec)))
        self.addCleanup(camera.close)
        daemon = self.start(camera.url)
        written, clip = self.clip(daemon)
        self.assertEqual(streams(clip), ({"video": "h264", "audio": of_file}, ""))
        self.assertEqual(written["audio"], codec)
        self.assertTrue(written["codecs"].endswith("," + name), written["codecs"])
        self.check_time(clip)
        daemon.stop()

    def test_aac_in_ts_over_http(self):
        self.transport_stream("aac", "mp4a.40.2", "aac")

    def test_mp2_in_ts_over_http(self):
        self.transport_stream("mp2", "mp4a.6b", "mp3")         # MP4 has one name for both

    def test_masked_clip_and_copy(self):
        """A mask hides pictures alone: a masked clip and a copy have the audio, and REST names what they hold."""
        footage = write_footage(self.path("footage.mp4"), (*H264, "-c:a", "aac"))
        daemon = self.start(footage, camera={"masks": [MASK]}, masked_clips=True)
        written, clip = self.clip(daemon)
        self.assertEqual(streams(clip), ({"video": "h264", "audio": "aac"}, ""))
        self.check_time(clip)
        alert = written["alert"]
        url = f"http://{daemon.address}/api/v1/alerts/{alert}/copy"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30 * harness.SCALE).close()
        copied = daemon.wait_event("evidence_written", 120, kind="copy")
        self.assertEqual(streams(os.path.join(self.folder, "state", copied["path"])), ({"video": "h264", "audio": "aac"}, ""))

        def both():
            videos = daemon.get(f"/api/v1/alerts/{alert}")[1].get("videos", {})
            return videos if "clip" in videos and "copy" in videos else None
        for video in harness.wait_for("clip and copy in REST", both, 30).values():
            self.assertRegex(video["codecs"], r"^avc1\.[0-9a-f]{6},mp4a\.40\.2$")
        daemon.stop()

    def test_privacy_mask(self):
        """If a mask switches clips off, no audio is kept either."""
        footage = write_footage(self.path("footage.mp4"), (*H264, "-c:a", "aac"))
        daemon = self.start(footage, camera={"masks": [MASK]})
        daemon.wait_event("evidence_written", 60, kind="snapshot")
        self.assertEqual(daemon.events("camera_audio"), [])
        self.assertEqual(glob.glob(self.path("state/evidence/gate/*/*/clip.*")), [])
        daemon.stop()


if __name__ == "__main__":
    harness.main()

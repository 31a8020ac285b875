"""Footage and streams that are made to harm their reader. Each function writes a file and returns its path."""
import os
import struct

import harness


class Bits:
    """Writes the entropy-coded bits of a JPEG scan, with its stuffing."""

    def __init__(self):
        self.value, self.n, self.bytes = 0, 0, bytearray()

    def put(self, value, bits):
        self.value = self.value << bits | value
        self.n += bits
        while self.n >= 8:
            byte = self.value >> (self.n - 8) & 0xff
            self.bytes.append(byte)
            if byte == 0xff:
                self.bytes.append(0)
            self.n -= 8
        self.value &= (1 << self.n) - 1

    def end(self):
        if self.n:
            self.put((1 << (8 - self.n)) - 1, 8 - self.n)
        return bytes(self.bytes)


def _segment(marker, data):
    return struct.pack(">BBH", 0xff, marker, len(data) + 2) + data


def progressive_jpeg(path, width, height, scans):
    """A gray progressive JPEG. After one scan of DC coefficients, all 0, come many scans that change nothing, in runs of up to
    32767 blocks. Each scan costs few bytes, and its decoder a walk over all blocks."""
    blocks = (width + 7) // 8 * ((height + 7) // 8)
    # Huffman tables: DC knows category 0 as "0"; AC knows EOB14 (runs of 16384 to 32767 blocks) as "0", EOB0 as "10".
    dc = _segment(0xc4, bytes([0x00]) + bytes([1] + [0] * 15) + bytes([0]))
    ac = _segment(0xc4, bytes([0x10]) + bytes([1, 1] + [0] * 14) + bytes([0xe0, 0x00]))
    first = Bits()
    for _ in range(blocks // 8):
        first.put(0, 8)
    first.put(0, blocks % 8)
    runs, left = Bits(), blocks
    while left:
        run = min(left, 32767)
        if run >= 16384:
            runs.put(0, 1)
            runs.put(run - 16384, 14)
        else:
            run = 1
            runs.put(2, 2)
        left -= run
    scan = _segment(0xda, bytes([1, 1, 0x00, 1, 63, 0x00])) + runs.end()
    with open(path, "wb") as f:
        f.write(b"\xff\xd8" + _segment(0xdb, bytes([0]) + bytes([1] * 64)))
        f.write(_segment(0xc2, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])))
        f.write(dc + ac + _segment(0xda, bytes([1, 1, 0x00, 0, 0, 0x00])) + first.end())
        for _ in range(scans):
            f.write(scan)
        f.write(b"\xff\xd9")
    return path


def mp4_of_many_samples(path, samples=88_000_000):
    """An MP4 whose tables claim so many samples of one size."""
    harness.write_clip(path, seconds=2, size="64x48", codec=("-c:v", "mpeg4"))
    with open(path, "rb") as f:
        data = bytearray(f.read())
    for name, at in ((b"stsz", None), (b"stts", None), (b"stsc", None)):
        at = data.index(name) + 4
        if name == b"stsz":                     # version, sample_size, sample_count
            struct.pack_into(">III", data, at, 0, 100, samples)
        elif name == b"stts":                   # version, entries, count, delta
            struct.pack_into(">IIII", data, at, 0, 1, samples, 1)
        else:                                   # version, entries, first chunk, samples a chunk, description
            struct.pack_into(">IIIII", data, at, 0, 1, 1, samples, 1)
    with open(path, "wb") as f:
        f.write(data)
    return path


def playlists(own_url, file_url):
    """Returns {name: (content type, text)}: playlists that name files of this machine and its loopback."""
    hls = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n{}#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
    path = os.path.abspath(file_url)
    kind = "application/vnd.apple.mpegurl"
    dash = ('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S" '
            'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation '
            'id="1" bandwidth="1000"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>')
    return {
        "hls-file": (kind, hls.format("", "file://" + path)),
        "hls-path": (kind, hls.format("", path)),
        "hls-loopback": (kind, hls.format("", own_url)),
        "hls-subfile": (kind, hls.format("", f"subfile,,start,0,end,100,,:{path}")),
        "hls-concat": (kind, hls.format("", f"concat:{path}|{path}")),
        "hls-crypto": (kind, hls.format(f'#EXT-X-KEY:METHOD=AES-128,URI="file://{path}"\n', "crypto+file://" + path)),
        "hls-key": (kind, hls.format(f'#EXT-X-KEY:METHOD=AES-128,URI="{own_url}"\n', own_url + "/segment.ts")),
        "dash": ("application/dash+xml", dash.format(own_url)),
        "dash-file": ("application/dash+xml", dash.format("file://" + path)),
        "concat": ("text/plain", f"ffconcat version 1.0\nfile 'file:{path}'\n"),
    }

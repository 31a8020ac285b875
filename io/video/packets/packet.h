/* Coded packets of a video stream, and of the audio beside it where that is asked for. They are kept for clips that are copied
 * without decoding (io/video/packets/clip_file.h). A packet and the description of its stream are constant once made. Both are
 * counted references, so that a ring and its readers share them without a copy. Any thread.
 *
 * They may come from a process that an attacker has taken over, so packet_format_fault() and packet_fault() check them. */
#ifndef MEMAED_IO_VIDEO_PACKETS_PACKET_H
#define MEMAED_IO_VIDEO_PACKETS_PACKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PACKET_MAX_EXTRADATA = 65536,       /* bytes */
    PACKET_MAX_SIZE = 1 << 24,          /* bytes of a packet */
    PACKET_MAX_AUDIO = 1 << 16,         /* the same, of audio */
};
enum packet_kind { PACKET_VIDEO, PACKET_AUDIO };
/* Bits of packet_format.turn, as in struct turn (io/video/display.h). */
enum { PACKET_TURN_SWAP = 1, PACKET_TURN_FLIP_X = 2, PACKET_TURN_FLIP_Y = 4 };
#define PACKET_NO_TIME INT64_MIN

/* The format of a stream, as a muxer has to know it. Plain data; it crosses between processes as it is in memory. */
struct packet_format {
    uint32_t kind;              /* enum packet_kind */
    int32_t codec;              /* FFmpeg's number of the codec; one that is allowed (io/video/input/allowed.h) */
    uint32_t tag;               /* FFmpeg's codec_tag, where the codec needs it; else 0 */
    int32_t pixel_format, bits_per_sample, profile, level;      /* as FFmpeg numbers them; unknown: negative or 0 */
    int32_t width, height;      /* 0: not known, or audio */
    int32_t aspect_num, aspect_den;     /* of a pixel; 0/1: not known, or audio */
    int32_t sample_rate, channels;      /* of audio: 1 to 192000 samples a second, 1 to 8 channels; else 0 */
    int32_t frame_samples, block_align; /* of audio: samples of a packet, bytes of a block; 0: not known, or video */
    int32_t time_base_num, time_base_den;       /* num / den seconds are one tick of pts and dts */
    uint32_t turn;              /* how a viewer turns the picture: PACKET_TURN_… */
    uint32_t extradata_size;    /* bytes, up to PACKET_MAX_EXTRADATA */
};

struct packet_stream {
    atomic_uint references;
    struct packet_format format;
    uint8_t extradata[];        /* [format.extradata_size], and 64 zero bytes behind, as FFmpeg wants them */
};

struct packet_times {
    int64_t pts, dts;           /* ticks; PACKET_NO_TIME: not known */
    int64_t arrival_us;         /* CLOCK_MONOTONIC: when it had been read from the network or the file */
    bool key;                   /* decoding of the video can begin here; false for audio */
    bool audio;                 /* the packet is of the audio */
};

struct packet {
    atomic_uint references;
    struct packet_stream *stream;       /* a reference */
    struct packet_times times;
    size_t size;
    uint8_t data[];             /* [size], and 64 zero bytes behind */
};

/* The fault of a format or of a packet; NULL: there is none. */
const char *packet_format_fault(const struct packet_format *format);
const char *packet_fault(const struct packet_times *times, size_t size);

/* Copies; the caller holds one reference. NULL: no memory. */
struct packet_stream *packet_stream_new(const struct packet_format *format, const void *extradata);
struct packet *packet_new(struct packet_stream *stream, const struct packet_times *times, const void *data, size_t size);

bool packet_stream_equal(const struct packet_stream *a, const struct packet_stream *b);
/* Returns true if packets of b can follow those of a in one file. Either both are equal, or their parameter sets differ and are
 * in the packets, too (H.264 and HEVC with start codes). */
bool packet_stream_follows(const struct packet_stream *b, const struct packet_stream *a);

struct packet_stream *packet_stream_ref(struct packet_stream *stream);
void packet_stream_unref(struct packet_stream *stream);         /* takes NULL */
struct packet *packet_ref(struct packet *packet);
void packet_unref(struct packet *packet);                       /* takes NULL */

#endif

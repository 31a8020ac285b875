#include "io/reencode/copy_file.h"

#include <errno.h>
#include <libavcodec/packet.h>
#include <libavutil/mathematics.h>
#include <stdio.h>

#include "io/video/demux.h"
#include "io/video/packets/packet_tap.h"

struct copying {
    const struct copy_file_options *options;
    int to;
    struct packet_stream *streams[2];   /* by enum packet_kind; NULL: none. That of the audio comes first */
    struct reencode *reencode;
    int64_t first_us;           /* time of the first packet; INT64_MIN: none yet */
    bool is_long;               /* the clip goes on behind options.length_us */
    int result;                 /* -errno of what failed */
    struct error err;
};

static bool is_stopped(const struct copying *copying)
{
    return copying->options->stop && atomic_load_explicit(copying->options->stop, memory_order_relaxed);
}

/* Later parameter sets of the stream stand in its packets, too. */
static void begin(void *arg, const struct packet_format *format, const void *extradata)
{
    struct copying *copying = arg;
    struct packet_stream **stream = &copying->streams[format->kind];
    if (*stream || copying->result < 0)
        return;
    *stream = packet_stream_new(format, extradata);
    if (format->kind != PACKET_VIDEO)
        return;                         /* without memory for it, the copy has no audio */
    copying->result = *stream ? reencode_open(&copying->reencode, copying->to, *stream, copying->streams[PACKET_AUDIO],
                                              &copying->options->reencode, &copying->err)
                              : error_set(&copying->err, -ENOMEM, "out of memory");
}

/* A packet of a file counts as arriving at its decoding time, so a gap that the camera left keeps its length. */
static void add(void *arg, const struct packet_times *times, const void *data, size_t size)
{
    struct copying *copying = arg;
    if (!copying->reencode || copying->result < 0)
        return;
    struct packet_times of_file = *times;
    struct packet_stream *stream = copying->streams[times->audio ? PACKET_AUDIO : PACKET_VIDEO];
    if (!stream)
        return;
    const struct packet_format *f = &stream->format;
    int64_t at = times->dts != PACKET_NO_TIME ? times->dts : times->pts;
    if (at != PACKET_NO_TIME)
        of_file.arrival_us = av_rescale_q(at, (AVRational){f->time_base_num, f->time_base_den}, (AVRational){1, 1000000});
    if (copying->first_us == INT64_MIN)
        copying->first_us = of_file.arrival_us;
    const bool is_behind = of_file.arrival_us - copying->first_us >= copying->options->length_us;
    copying->is_long |= is_behind && !times->audio;
    if (is_behind)
        return;
    struct packet *packet = packet_new(stream, &of_file, data, size);
    if (!packet && times->audio)
        return;
    copying->result = packet ? reencode_add(copying->reencode, packet, &copying->err)
                             : error_set(&copying->err, -ENOMEM, "out of memory");
    packet_unref(packet);
}

/* Reads the file's packets to the end, or to the length that is copied. */
static int read_all(struct copying *copying, struct demux *demux, const struct source_tap *tap, AVPacket *packet,
                    struct error *err)
{
    int r;
    while (copying->result == 0 && !copying->is_long && (r = demux_read(demux, packet, err)) != 0) {
        if (r == 1) {
            tap->packet(tap->arg, packet);
            av_packet_unref(packet);
        } else if (r != -EAGAIN) {
            return r;
        }
        if (is_stopped(copying))
            return error_set(err, -EINTR, "stopped");
    }
    if (copying->result < 0)
        *err = copying->err;
    return copying->result;
}

static int copy(struct copying *copying, struct demux *demux, struct packet_tap *packet_tap, struct clip_file_stats *ret,
                struct error *err)
{
    const struct demux_stream *stream = demux_stream(demux);
    const struct source_tap tap = packet_tap_source(packet_tap);
    const struct source_stream told = {.parameters = stream->parameters, .time_base_num = stream->time_base.num,
                                       .time_base_den = stream->time_base.den, .fps = stream->fps,
                                       .swap = stream->display.turn.swap, .flip_x = stream->display.turn.flip_x,
                                       .flip_y = stream->display.turn.flip_y};
    AVPacket *packet = av_packet_alloc();
    struct error later;
    if (stream->audio)
        tap.audio_stream(tap.arg, &(struct source_stream){.parameters = stream->audio,
                                                          .time_base_num = stream->audio_time_base.num,
                                                          .time_base_den = stream->audio_time_base.den});
    tap.stream(tap.arg, &told);
    int r = packet ? read_all(copying, demux, &tap, packet, err) : error_set(err, -ENOMEM, "out of memory");
    av_packet_free(&packet);
    int end = reencode_close(copying->reencode, ret, r < 0 ? &later : err);
    packet_stream_unref(copying->streams[PACKET_VIDEO]);
    packet_stream_unref(copying->streams[PACKET_AUDIO]);
    return r < 0 ? r : end;
}

int copy_file(int from, int to, const struct copy_file_options *options, struct clip_file_stats *ret, bool *is_cut,
              struct error *err)
{
    char path[32];
    struct demux *demux;
    struct packet_tap *tap;
    struct clip_file_stats stats = {0};
    struct copying copying = {.options = options, .to = to, .first_us = INT64_MIN};
    snprintf(path, sizeof path, "/proc/self/fd/%d", from);
    int r = packet_tap_open(&tap, &(struct packet_consumer){.arg = &copying, .begin = begin, .add = add});
    if (r < 0)
        return error_set(err, r, "out of memory");
    const struct source_options source = {.stop = options->stop, .audio = true, .tap = packet_tap_source(tap)};
    r = demux_open(&demux, path, &source, err);
    if (r == 0) {
        r = copy(&copying, demux, tap, &stats, err);
        demux_close(demux);
    }
    packet_tap_close(tap);
    if (r == 0) {
        *ret = stats;
        *is_cut = copying.is_long;
    }
    return r;
}

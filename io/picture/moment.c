#include "io/picture/moment.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mathematics.h>
#include <string.h>

#include "io/base/clock.h"
#include "io/base/redact.h"
#include "io/picture/colour.h"
#include "io/video/decode.h"
#include "io/video/demux.h"
#include "io/video/source_url.h"

/* Key frames from which decoding is tried. If the decoder cannot begin at the last one, or shows it after the moment, the one
 * before is tried. */
enum { KEYS = 2 };

struct reading {
    const char *url;
    const struct source_options *options;
    bool from_start;
    char shown[256];            /* the URL, redacted */
    int64_t limit_us;           /* CLOCK_MONOTONIC */
    struct demux *demux;
    struct decode *decode;
    unsigned version;           /* of the stream that decode was started with; 0: it was not */
    AVPacket *packet;
    AVFrame *frame, *kept;      /* the last picture; the one to give */
    int64_t us;                 /* the time stamp of frame; INT64_MIN: none yet */
    bool corrupt;               /* frame is damaged */
    bool skipped;               /* reading began in the middle */
};

static void stop_reading(struct reading *reading)
{
    decode_close(reading->decode);
    demux_close(reading->demux);
    reading->decode = NULL;
    reading->demux = NULL;
}

/* A decoder that has seen nothing. */
static int renew_decoder(struct reading *reading, struct error *err)
{
    decode_close(reading->decode);
    reading->decode = NULL;
    reading->version = 0;
    reading->us = INT64_MIN;
    return decode_open(&reading->decode, 1) < 0 ? error_set(err, -ENOMEM, "%s: out of memory", reading->shown) : 0;
}

/* 0; -EINTR or -ETIMEDOUT: reading is to end. */
static int may_go_on(const struct reading *reading, struct error *err)
{
    const atomic_bool *stop = reading->options->stop;
    if (stop && atomic_load_explicit(stop, memory_order_relaxed))
        return error_set(err, -EINTR, "%s: stopped", reading->shown);
    if (monotonic_us() > reading->limit_us)
        return error_set(err, -ETIMEDOUT, "%s: no picture within the time limit for decoding it", reading->shown);
    return 0;
}

/* Starts at the source's beginning, but leaves out the first `skip` packets. */
static int start_reading(struct reading *reading, uint64_t skip, struct error *err)
{
    stop_reading(reading);
    reading->skipped = skip > 0;
    int r = demux_open(&reading->demux, reading->url, reading->options, err);
    for (; r >= 0 && skip > 0; skip--)
        if ((r = may_go_on(reading, err)) == 0 && (r = demux_read(reading->demux, reading->packet, err)) > 0)
            av_packet_unref(reading->packet);
    return r < 0 ? r : renew_decoder(reading, err);
}

/* Gives the decoder a packet. 1; 0: the end; a negative errno. */
static int feed(struct reading *reading, struct error *err)
{
    const struct demux_stream *stream = demux_stream(reading->demux);
    int r = demux_read(reading->demux, reading->packet, err);
    if (r == -EAGAIN) {
        decode_lose(reading->decode);
        return 1;
    }
    if (r <= 0)
        return r;
    if (stream->version != reading->version && (r = decode_start(reading->decode, stream, err)) < 0) {
        av_packet_unref(reading->packet);
        return error_prefix(err, r, "%s", reading->shown);
    }
    reading->version = stream->version;
    decode_packet(reading->decode, reading->packet, 0, AVDISCARD_DEFAULT);
    return 1;
}

/* The time at which the picture in reading->frame was taken, by the stream's clock. One without a time stamp comes after the one
 * before. INT64_MIN: not known. */
static int64_t stamp_of(const struct reading *reading)
{
    const struct demux_stream *stream = demux_stream(reading->demux);
    if (reading->frame->best_effort_timestamp != AV_NOPTS_VALUE)
        return av_rescale_q(reading->frame->best_effort_timestamp, stream->time_base, (AVRational){1, 1000000});
    if (reading->us == INT64_MIN)
        return reading->skipped ? INT64_MIN : 0;
    return reading->us + (int64_t)(1e6 / (stream->fps > 0 ? stream->fps : SOURCE_DEFAULT_FPS));
}

/* Decodes the next picture into reading->frame. 1, 0 (the end), or an error. */
static int next_picture(struct reading *reading, struct error *err)
{
    for (;;) {
        int r = may_go_on(reading, err);
        if (r < 0)
            return r;
        enum decode_result result = decode_picture(reading->decode, reading->frame);
        if (result == DECODE_PICTURE) {
            reading->us = stamp_of(reading);
            if (reading->us == INT64_MIN)
                continue;
            reading->corrupt = decode_judge(reading->decode, reading->frame, reading->us);
            return 1;
        }
        if (result == DECODE_END)
            return 0;
        r = result == DECODE_PACKET ? feed(reading, err) : 1;
        if (r < 0)
            return r;
        if (r == 0)
            decode_finish(reading->decode);
    }
}

/* Writes how many packets come before each of the last KEYS key frames at us or before, the last one first; *n of them. */
static int find_keys(struct reading *reading, int64_t us, uint64_t before[KEYS], size_t *n, struct error *err)
{
    const int64_t until = av_rescale_q(us, (AVRational){1, 1000000}, demux_stream(reading->demux)->time_base);
    bool more = true;
    int r = start_reading(reading, 0, err);
    *n = 0;
    for (uint64_t i = 0; r >= 0 && more; i++) {
        if ((r = may_go_on(reading, err)) < 0 || (r = demux_read(reading->demux, reading->packet, err)) <= 0)
            break;
        const AVPacket *packet = reading->packet;
        int64_t shown = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        if (packet->flags & AV_PKT_FLAG_KEY && shown != AV_NOPTS_VALUE && shown <= until) {
            memmove(before + 1, before, (KEYS - 1) * sizeof *before);
            before[0] = i;
            *n = *n < KEYS ? *n + 1 : KEYS;
        }
        more = packet->dts == AV_NOPTS_VALUE || packet->dts <= until;   /* no picture is shown before it is decoded */
        av_packet_unref(reading->packet);
    }
    return r == -EINTR || r == -ETIMEDOUT || r == -ENOMEM ? r : 0;      /* other faults end the file */
}

/* Goes to a place from which the picture at us can be decoded, and decodes the first picture there. Packets before it are read,
 * and not decoded. FFmpeg's own search is not used: with an incomplete index, as in a fragmented MP4, it finds a wrong place, and
 * damaged pictures are not flagged. 1, 0 or an error. */
static int go_to(struct reading *reading, int64_t us, struct error *err)
{
    const struct demux_stream *stream = demux_stream(reading->demux);
    uint64_t before[KEYS];
    size_t n = 0;
    int r = stream->images || stream->timeless || stream->live ? 0 : find_keys(reading, us, before, &n, err);
    for (size_t i = 0; r >= 0 && i < n && before[i] > 0; i++) {
        r = start_reading(reading, before[i], err);
        while (r >= 0 && (r = next_picture(reading, err)) == 1 && reading->us <= us)
            if (reading->frame->key_frame && !reading->corrupt)
                return 1;
    }
    if (r >= 0)
        r = start_reading(reading, 0, err);
    return r < 0 ? r : next_picture(reading, err);
}

/* Decodes to the moment; reading->kept is its picture, and ret says all else. */
static int find(struct reading *reading, int64_t pts_us, struct moment *ret, struct error *err)
{
    int r = start_reading(reading, 0, err);
    if (r == 0)
        r = next_picture(reading, err);
    if (r == 0)
        return error_set(err, -EINVAL, "%s: ended without a picture that FFmpeg decodes", reading->shown);
    int64_t first_us = reading->us;
    if (r == 1 && pts_us > 0 && !reading->from_start)
        r = go_to(reading, pts_us > INT64_MAX - first_us ? INT64_MAX : first_us + pts_us, err);
    /* A file whose end is damaged still has its pictures before. */
    for (; r == 1 && (!reading->kept->buf[0] || reading->us - first_us <= pts_us); r = next_picture(reading, err)) {
        ret->pts_us = reading->us - first_us;
        ret->corrupt = reading->corrupt;
        av_frame_unref(reading->kept);
        av_frame_move_ref(reading->kept, reading->frame);
        if (ret->pts_us >= pts_us)
            break;
    }
    if (reading->kept->buf[0])
        return r == -EINTR || r == -ETIMEDOUT || r == -ENOMEM ? r : 0;
    return r < 0 ? r : error_set(err, -EINVAL, "%s: no picture at %.3f s", reading->shown, 1e-6 * (double)pts_us);
}

int moment_read(struct moment *ret, const char *url, int64_t pts_us, const struct moment_options *options, struct error *err)
{
    struct moment moment = {0};
    struct source_options source = options->source;
    source.decoder_threads = 1;
    struct reading reading = {.url = url, .options = &source, .from_start = options->from_start,
                              .packet = av_packet_alloc(), .frame = av_frame_alloc(), .kept = av_frame_alloc(),
                              .limit_us = options->limit_ms > 0 ? monotonic_us() + INT64_C(1000) * options->limit_ms : INT64_MAX};
    redact(reading.shown, sizeof reading.shown, url);
    int r = reading.packet && reading.frame && reading.kept ? 0 : error_set(err, -ENOMEM, "out of memory");
    if (r == 0 && ((r = source_check(url, err)) < 0 || (r = source_check_sign_in(url, source.user, source.password, err)) < 0))
        error_prefix(err, r, "%s", reading.shown);
    if (r == 0 && (options->longest < 1 || options->longest > PICTURE_MAX_SIDE))
        r = error_set(err, -EINVAL, "%s: expected a picture size from 1 to %d, got %d", reading.shown, PICTURE_MAX_SIDE,
                      options->longest);
    if (r == 0)
        r = find(&reading, pts_us, &moment, err);
    if (r == 0 && (r = colour_convert(&moment.picture, reading.kept, &demux_stream(reading.demux)->display, options->longest,
                                      err)) < 0)
        error_prefix(err, r, "%s", reading.shown);
    if (r == 0)
        *ret = moment;
    stop_reading(&reading);
    av_packet_free(&reading.packet);
    av_frame_free(&reading.frame);
    av_frame_free(&reading.kept);
    return r;
}

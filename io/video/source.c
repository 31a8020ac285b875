#include "io/video/source.h"

#include <errno.h>
#include <libavutil/log.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "io/base/clock.h"
#include "io/base/redact.h"
#include "io/video/chroma/chroma.h"
#include "io/video/damage/blocks.h"
#include "io/video/decode.h"
#include "io/video/demux.h"
#include "io/video/input/cause.h"
#include "io/video/pick.h"
#include "io/video/source_url.h"

struct source {
    const atomic_bool *stop;
    struct source_tap tap;
    double fps;                 /* pictures to pick a second; 0: all */
    bool packets_only, chroma;
    int64_t first_us;           /* arrival of the first packet, with packets_only; 0: none yet */
    enum source_kind kind;
    char shown[256];            /* the URL, redacted */

    struct demux *demux;
    struct decode *decode;
    struct pick *pick;
    unsigned version;           /* of the stream that decode and pick were started with */

    AVPacket *packet;           /* blank between calls */
    int64_t arrival_us;         /* CLOCK_MONOTONIC: when the last packet came */
    int64_t pick_limit_us;      /* CLOCK_MONOTONIC: when a picture must have been picked; INT64_MAX: never */
    AVFrame *frame;
    bool held;                  /* the frame is a picture that source_read() has not seen yet */
    int end;                    /* what to return once the decoder has no more pictures: 0 or an error */
    struct error end_error;
    bool ended;

    uint64_t lost;              /* decode_lost() before the last picture */
    bool corrupt_before;        /* the picture that was returned before was corrupt */
    struct blocks blocks;
    struct source_stats stats;
};

static bool stopped(const struct source *source)
{
    return source->stop && atomic_load_explicit(source->stop, memory_order_relaxed);
}

/* Opens the decoder and starts picking for a codec that is new, and tells the tap of the stream. */
static int start(struct source *source, const struct demux_stream *stream, struct error *err)
{
    int r = source->packets_only ? 0 : decode_start(source->decode, stream, err);
    if (r < 0)
        return error_prefix(err, r, "%s", source->shown);
    pick_start(source->pick, stream);
    source->version = stream->version;
    snprintf(source->stats.codec, sizeof source->stats.codec, "%s", avcodec_get_name(stream->parameters->codec_id));
    if (source->tap.stream)
        source->tap.stream(source->tap.arg, &(struct source_stream){
            .parameters = stream->parameters, .time_base_num = stream->time_base.num, .time_base_den = stream->time_base.den,
            .fps = stream->fps, .swap = stream->display.turn.swap, .flip_x = stream->display.turn.flip_x,
            .flip_y = stream->display.turn.flip_y});
    if (stream->audio && source->tap.audio_stream)
        source->tap.audio_stream(source->tap.arg, &(struct source_stream){.parameters = stream->audio,
                                                                          .time_base_num = stream->audio_time_base.num,
                                                                          .time_base_den = stream->audio_time_base.den});
    return 0;
}

int source_open(struct source **ret, const char *url, const struct source_options *options, struct error *err)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return error_set(err, -ENOMEM, "out of memory");
    source->stop = options->stop;
    source->tap = options->tap;
    source->fps = options->fps;
    source->packets_only = options->packets_only;
    source->chroma = options->chroma;
    source->kind = source_kind(url);
    redact(source->shown, sizeof source->shown, url);

    int r = -ENOMEM;
    source->packet = av_packet_alloc();
    source->frame = av_frame_alloc();
    if (!source->packet || !source->frame || decode_open(&source->decode, options->decoder_threads) < 0 ||
        pick_open(&source->pick, options->fps) < 0) {
        error_set(err, r, "%s: out of memory", source->shown);
        goto fail;
    }
    if ((r = source_check(url, err)) < 0 || (r = source_check_sign_in(url, options->user, options->password, err)) < 0) {
        error_prefix(err, r, "%s", source->shown);
        goto fail;
    }
    if (!isfinite(options->fps) || options->fps < 0 || options->fps > 1000) {
        r = error_set(err, -EINVAL, "%s: expected 0 to 1000 pictures a second, got %g", source->shown, options->fps);
        goto fail;
    }
    if ((options->width != 0 || options->height != 0) &&
        (r = source_resize(source, options->width, options->height, err)) < 0)
        goto fail;
    if ((r = demux_open(&source->demux, url, options, err)) < 0)
        goto fail;
    const struct demux_stream *stream = demux_stream(source->demux);
    if (stream->version && (r = start(source, stream, err)) < 0)
        goto fail;
    *ret = source;
    return 0;
fail:
    source_close(source);
    return r;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    decode_close(source->decode);
    demux_close(source->demux);
    pick_close(source->pick);
    av_packet_free(&source->packet);
    av_frame_free(&source->frame);
    free(source);
}

/* The time that packets may come without a picture; 0: for ever. */
static int64_t picture_stall_ms(const struct source *source)
{
    return (int64_t)demux_stream(source->demux)->stall_ms * (source->stats.frames_decoded ? 1 : SOURCE_PICTURE_STALLS);
}

/* The time by which the decoder must have given a picture; INT64_MAX: never. */
static int64_t picture_limit_us(const struct source *source)
{
    int64_t stall_ms = picture_stall_ms(source);
    return stall_ms > 0 ? monotonic_us() + 1000 * stall_ms : INT64_MAX;
}

/* The time by which a picture must have been picked, if waiting begins now. It is after the stall time-out, or after two
 * periods of the picked pictures if that is longer. */
static int64_t pick_limit_us(const struct source *source)
{
    int64_t stall_us = INT64_C(1000) * demux_stream(source->demux)->stall_ms;
    int64_t periods_us = source->fps > 0 ? (int64_t)fmin(2e6 / source->fps, 1e15) : 0;
    return stall_us > 0 ? monotonic_us() + (stall_us > periods_us ? stall_us : periods_us) : INT64_MAX;
}

/* 0, or -ETIMEDOUT: pictures come, but none has been picked for too long. */
static int check_picking(const struct source *source, struct error *err)
{
    if (source->pick_limit_us == INT64_MAX || monotonic_us() <= source->pick_limit_us)
        return 0;
    return error_set(err, -ETIMEDOUT, "%s: pictures arrive, but by their time stamps none is due for %g s: the camera's clock "
                     "stands still, or is wrong", source->shown, demux_stream(source->demux)->stall_ms / 1000.);
}

/* Reads a packet, shows it to the tap and gives it to the decoder. 1: done, or the packet was lost; 2: the packet need not
 * be decoded; 0: the stream has ended; negative: the error to end with, err written. */
static int feed(struct source *source, struct error *err)
{
    int r = demux_read(source->demux, source->packet, err);
    if (r == -EAGAIN) {
        decode_lose(source->decode);
        return 1;
    }
    if (r <= 0)
        return r;
    source->arrival_us = monotonic_us();
    const struct demux_stream *stream = demux_stream(source->demux);
    if (stream->version != source->version && (r = start(source, stream, err)) < 0) {
        av_packet_unref(source->packet);
        if (r == -ENOMEM)
            return r;
        decode_lose(source->decode);
        return 1;
    }
    if (source->tap.packet)
        source->tap.packet(source->tap.arg, source->packet);
    enum AVDiscard discard = pick_packet(source->pick, source->packet, source->arrival_us);
    decode_packet(source->decode, source->packet, source->arrival_us, discard);
    return discard == AVDISCARD_ALL ? 2 : 1;
}

/* Decodes the next picture into source->frame. 1, 0 (the end), or an error. */
static int next_picture(struct source *source, struct error *err)
{
    int64_t limit_us = picture_limit_us(source);
    for (;;) {
        if (stopped(source))
            return error_set(err, -EINTR, "%s: stopped", source->shown);
        enum decode_result result = decode_picture(source->decode, source->frame);
        if (result == DECODE_PICTURE)
            return 1;
        if (result == DECODE_END)
            break;
        if (limit_us != INT64_MAX && monotonic_us() > limit_us)
            return error_set(err, -ETIMEDOUT, "%s: packets arrive, but no picture for %g s", source->shown,
                             (double)picture_stall_ms(source) / 1000.);
        if (result != DECODE_PACKET)
            continue;
        int r = feed(source, &source->end_error);
        if (r == 2) {
            limit_us = picture_limit_us(source);
            int late = check_picking(source, err);
            if (late < 0)
                return late;
        }
        if (r > 0)
            continue;
        source->end = r;
        if (r == -EINTR || r == -ETIMEDOUT)
            break;
        limit_us = INT64_MAX;
        decode_finish(source->decode);
    }
    if (err && source->end < 0)
        *err = source->end_error;
    return source->end;
}

/* Nothing more comes. */
static int end(struct source *source, int r, const struct error *err)
{
    source->ended = true;
    source->end = r;
    if (err && r < 0)
        source->end_error = *err;
    return r;
}

/* Decodes a picture into source->frame, unless one is held there. 1, 0 (the end), or an error. */
static int hold_picture(struct source *source, struct error *err)
{
    if (source->ended) {
        if (err && source->end < 0)
            *err = source->end_error;
        return source->end;
    }
    int r = source->held ? 1 : next_picture(source, err);
    if (r == 0 && !source->stats.frames_decoded)
        r = error_set(err, source->kind == SOURCE_FILE ? -EINVAL : -EIO, "%s: ended without a picture that FFmpeg decodes",
                      source->shown);
    source->held = r == 1;
    return r == 1 ? 1 : end(source, r, err);
}

int source_peek(struct source *source, int *width, int *height, struct error *err)
{
    source->pick_limit_us = pick_limit_us(source);
    int r = hold_picture(source, err);
    if (r == 1) {
        pick_display(source->pick, source->frame, width, height);
    }
    return r;
}

int source_resize(struct source *source, int width, int height, struct error *err)
{
    int r = pick_resize(source->pick, width, height);
    if (r == -EINVAL)
        return error_set(err, r, "%s: expected a picture size from 1x1 to 8192x8192, got %dx%d", source->shown, width,
                         height);
    return r < 0 ? error_set(err, r, "%s: out of memory", source->shown) : 0;
}

/* Reads packets for the tap, for about a second. */
static int read_packets(struct source *source, struct source_frame *frame, struct error *err)
{
    struct error cause = {""};
    int64_t until_us = 0;
    while (!source->ended) {
        int r = stopped(source) ? error_set(&cause, -EINTR, "%s: stopped", source->shown)
                                : demux_read(source->demux, source->packet, &cause);
        if (r <= 0 && r != -EAGAIN) {
            end(source, r, &cause);
            break;
        }
        const struct demux_stream *stream = demux_stream(source->demux);
        source->arrival_us = monotonic_us();
        if (r == 1 && (stream->version == source->version || start(source, stream, &cause) == 0) && source->tap.packet)
            source->tap.packet(source->tap.arg, source->packet);
        av_packet_unref(source->packet);
        bool first = source->first_us == 0;
        if (first)
            source->first_us = source->arrival_us;
        if (until_us == 0)
            until_us = source->arrival_us + 1000000;
        if (!first && source->arrival_us < until_us)
            continue;
        *frame = (struct source_frame){.pts_us = source->arrival_us - source->first_us, .arrival_us = source->arrival_us};
        return 1;
    }
    if (err && source->end < 0)
        *err = source->end_error;
    return source->end;
}

int source_read(struct source *source, uint8_t *pixels, struct source_frame *frame, struct error *err)
{
    if (source->packets_only)
        return read_packets(source, frame, err);
    source->pick_limit_us = pick_limit_us(source);
    for (;;) {
        int r = hold_picture(source, err);
        if (r <= 0)
            return r;
        source->held = false;

        const AVFrame *picture = source->frame;
        source->stats.frames_decoded++;
        pick_display(source->pick, picture, &source->stats.width, &source->stats.height);
        if (decode_lost(source->decode) != source->lost)
            pick_break(source->pick);
        source->lost = decode_lost(source->decode);

        struct source_frame out = {.arrival_us = decode_arrival_us(source->decode, picture)};
        bool picked = pick_picture(source->pick, picture, source->arrival_us, &out.pts_us, &out.cause);
        out.corrupt = decode_judge(source->decode, picture, out.pts_us);
        source->stats.frames_corrupt += out.corrupt;
        if (!picked) {
            if ((r = check_picking(source, err)) < 0)
                return end(source, r, err);
            continue;
        }
        if (source->corrupt_before)
            out.cause = SOURCE_BREAK_CORRUPT;
        out.gap = out.cause != SOURCE_UNBROKEN;
        source->corrupt_before = out.corrupt;
        int blocks = source->chroma ? blocks_measure(&source->blocks, picture) : -1;
        out.blocks = blocks < 0 ? SOURCE_NO_BLOCKS : (uint16_t)blocks;
        if (source->chroma)
            chroma_measure(&out.chroma, picture);
        if (source->tap.frame)
            source->tap.frame(source->tap.arg, picture, &out);
        r = pick_gray(source->pick, picture, pixels, err);
        if (r < 0) {
            error_prefix(err, r, "%s", source->shown);
            return end(source, r, err);
        }
        *frame = out;
        return 1;
    }
}

void source_stats(const struct source *source, struct source_stats *ret)
{
    *ret = source->stats;
    ret->packets_lost = decode_lost(source->decode);
    ret->fps_in = pick_fps(source->pick);
    ret->time = pick_time(source->pick);
    ret->live = demux_stream(source->demux)->live;
    ret->images = demux_stream(source->demux)->images;
    ret->audio = demux_stream(source->demux)->audio_state;
    if (demux_stream(source->demux)->audio_codec != AV_CODEC_ID_NONE)
        snprintf(ret->audio_codec, sizeof ret->audio_codec, "%s", avcodec_get_name(demux_stream(source->demux)->audio_codec));
}

/* ---- FFmpeg's log -------------------------------------------------------------------------------------------------- */

/* FFmpeg logs pieces of lines. Each thread joins its own. */
struct line {
    char text[4096];
    size_t n;
    bool cut;
    int level;
    int print_prefix;
    char last[256];             /* the beginning of the line handed on last; a line like it counts as a repeat */
    int last_level;
    unsigned repeated;          /* repeats of it since */
};

static _Thread_local struct line line = {.print_prefix = 1};
static _Thread_local const char *camera;
static void (*_Atomic handler)(int priority, const char *camera, const char *text);

static int priority_of(int level)
{
    if (level <= AV_LOG_PANIC)
        return LOG_CRIT;
    if (level <= AV_LOG_ERROR)
        return LOG_ERR;
    if (level <= AV_LOG_WARNING)
        return LOG_WARNING;
    return level <= AV_LOG_INFO ? LOG_INFO : LOG_DEBUG;
}

static void give_line(void (*to)(int priority, const char *camera, const char *text))
{
    char text[4096];
    bool tells = false;
    if (line.cut) {
        /* Drop the last word: redact() could not find the password in a URL that is cut before its '@'. */
        while (line.n && line.text[line.n - 1] != ' ')
            line.n--;
    }
    while (line.n && (unsigned char)line.text[line.n - 1] <= ' ')
        line.n--;
    line.text[line.n] = 0;
    for (char *at = line.text; *(at += strcspn(at, "\r\n")); )
        *at = ' ';
    if (line.n) {
        redact(text, sizeof text, line.text);
        tells = !(line.level <= AV_LOG_ERROR || strstr(text, "] HTTP error ")) || cause_hear(text);     /* a warning to FFmpeg */
    }
    if (tells && to) {
        char head[sizeof line.last];
        snprintf(head, sizeof head, "%.*s", (int)sizeof head - 1, text);
        if (strcmp(head, line.last) == 0 && line.level == line.last_level) {
            line.repeated++;
        } else {
            if (line.repeated) {
                char note[64];
                snprintf(note, sizeof note, "(the line before was repeated %u times)", line.repeated);
                to(priority_of(line.last_level), camera, note);
            }
            line.repeated = 0;
            line.last_level = line.level;
            memcpy(line.last, head, sizeof head);
            to(priority_of(line.level), camera, text);
        }
    }
    line.n = 0;
    line.cut = false;
}

static void log_piece(void *context, int level, const char *format, va_list args)
{
    void (*to)(int, const char *, const char *) = atomic_load(&handler);
    level &= 0xff;              /* the higher bits are a colour */
    if (level > av_log_get_level() || (!to && level > AV_LOG_WARNING))
        return;
    if (!line.n)
        line.level = level;
    size_t room = sizeof line.text - line.n;
    int n = av_log_format_line2(context, level, format, args, line.text + line.n, (int)room, &line.print_prefix);
    if (n < 0)
        return;
    if ((size_t)n >= room) {
        line.n = sizeof line.text - 1;
        line.cut = true;
    } else {
        line.n += (size_t)n;
    }
    if (line.print_prefix)      /* FFmpeg sets it when the piece ends the line */
        give_line(to);
}

void source_log(int priority, const char *text)
{
    void (*to)(int, const char *, const char *) = atomic_load(&handler);
    if (to)
        to(priority, camera, text);
}

void source_warm_up(void)
{
    decode_warm_up();
}

void source_log_as(const char *name)
{
    camera = name;
}

void source_set_log(void (*to)(int priority, const char *camera, const char *text))
{
    atomic_store(&handler, to);
    av_log_set_callback(log_piece);
}

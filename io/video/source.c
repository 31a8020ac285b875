#include "io/video/source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>

#include "io/base/redact.h"
#include "io/video/damage.h"
#include "io/video/gray.h"
#include "io/video/pacing.h"
#include "io/video/skip.h"
#include "io/video/source_folder.h"
#include "io/video/source_url.h"

enum { CLOSE_MS = 300, IMAGES_FPS = 25 };
static const int64_t max_pixels = 8192 * 8192;

struct source {
    struct source_options options;
    enum source_kind kind;
    bool pattern;               /* an image sequence */
    int stall_ms;               /* of a source that can stall; else 0 */
    char shown[256];            /* the URL, redacted */

    AVFormatContext *format;    /* NULL: a folder */
    struct folder *folder;
    size_t next_image;
    int stream;
    AVRational time_base;
    _Atomic int64_t deadline_us;        /* CLOCK_MONOTONIC; FFmpeg's calls end where it has passed */
    atomic_bool late;           /* it had passed in a call; that call may still give a packet that was under way */
    bool closing;

    AVCodecContext *decoder;
    AVPacket *packet;           /* holds one that the decoder hasn't taken yet, or is blank */
    AVFrame *frame;
    bool held;                  /* the frame is a picture that source_read() has not seen yet */
    bool draining;
    int end;                    /* what to return once the decoder is drained: 0 or an error */
    struct error end_error;
    bool ended;

    int64_t last_timestamp;     /* in time_base */
    int64_t interval;           /* of frames without timestamps, in time_base */
    struct pacing pacing;
    struct gray *gray;
    struct damage damage;
    struct skip skip;
    bool lost;                  /* the decoder refused a packet since the last picture */
    bool corrupt_before;        /* the picture given out before was corrupt */
    struct source_stats stats;
};

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static bool stopped(const struct source *source)
{
    return source->options.stop && atomic_load_explicit(source->options.stop, memory_order_relaxed);
}

static bool overdue(const struct source *source)
{
    int64_t deadline = atomic_load_explicit(&source->deadline_us, memory_order_relaxed);
    return atomic_load_explicit(&source->late, memory_order_relaxed) || (deadline != INT64_MAX && now_us() >= deadline);
}

static int interrupted(void *arg)
{
    struct source *source = arg;
    if (source->closing)
        return now_us() >= atomic_load_explicit(&source->deadline_us, memory_order_relaxed);
    if (overdue(source))
        atomic_store_explicit(&source->late, true, memory_order_relaxed);
    return stopped(source) || overdue(source);
}

static void set_deadline(struct source *source, int64_t ms)
{
    atomic_store_explicit(&source->deadline_us, ms > 0 ? now_us() + ms * 1000 : INT64_MAX, memory_order_relaxed);
}

/* FFmpeg's code as an errno. */
static int map_code(int code)
{
    switch (code) {
    case AVERROR_INVALIDDATA: case AVERROR_EOF: case AVERROR_DEMUXER_NOT_FOUND: case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_STREAM_NOT_FOUND: case AVERROR_PROTOCOL_NOT_FOUND: case AVERROR_OPTION_NOT_FOUND: case AVERROR_PATCHWELCOME:
    case AVERROR_HTTP_BAD_REQUEST: case AVERROR_HTTP_OTHER_4XX:
        return -EINVAL;
    case AVERROR_HTTP_UNAUTHORIZED: case AVERROR_HTTP_FORBIDDEN:
        return -EACCES;
    case AVERROR_HTTP_NOT_FOUND:
        return -ENOENT;
    case AVERROR_EXIT:
        return -EINTR;
    default:
        return code < 0 && code > -4096 && code != -EAGAIN ? code : -EIO;
    }
}

/* Ends a call that FFmpeg failed with code: tells a stop and a stall from other causes. */
static int fail(struct source *source, int code, const char *doing, struct error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (stopped(source))
        return error_set(err, -EINTR, "%s: stopped", source->shown);
    if (overdue(source))
        return error_set(err, -ETIMEDOUT, "%s: no packet of the video for %g s", source->shown, source->stall_ms / 1000.);
    av_strerror(code, text, sizeof text);
    return error_set(err, map_code(code), "%s: %s%s", source->shown, doing, text);
}

static int open_decoder(struct source *source, enum AVCodecID id, const AVCodecParameters *parameters, struct error *err)
{
    const AVCodec *codec = avcodec_find_decoder(id);
    if (!codec)
        return error_set(err, -EINVAL, "%s: FFmpeg has no decoder for %s here", source->shown, avcodec_get_name(id));
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    if (!decoder)
        return error_set(err, -ENOMEM, "%s: out of memory", source->shown);
    int r = parameters ? avcodec_parameters_to_context(decoder, parameters) : 0;
    decoder->pkt_timebase = source->time_base;
    decoder->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    decoder->err_recognition |= AV_EF_CRCCHECK;
    decoder->max_pixels = max_pixels;
    decoder->thread_count = source->options.decoder_threads;
    if (source->folder) {
        decoder->thread_count = 1;                      /* each file's picture comes at once */
    } else if (source->kind == SOURCE_LIVE) {
        decoder->thread_type = FF_THREAD_SLICE;         /* threads by frame would hold frames back */
    }
    if (r >= 0)
        r = avcodec_open2(decoder, codec, NULL);
    if (r < 0) {
        avcodec_free_context(&decoder);
        return fail(source, r, "the decoder can't be opened: ", err);
    }
    avcodec_free_context(&source->decoder);
    source->decoder = decoder;
    damage_init(&source->damage, id);
    skip_init(&source->skip, id);
    snprintf(source->stats.codec, sizeof source->stats.codec, "%s", avcodec_get_name(id));
    return 0;
}

static double sane_fps(AVRational rate)
{
    double fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    return fps >= 0.01 && fps <= 300 ? fps : 0;
}

static void set_options(const struct source *source, const char *url, AVDictionary **options)
{
    char number[32];
    if (source->pattern && source->options.fps > 0) {
        snprintf(number, sizeof number, "%.6f", source->options.fps);
        av_dict_set(options, "framerate", number, 0);
    }
    if (!source_is_live(url))
        return;
    av_dict_set(options, "rtsp_transport", source->options.udp ? "udp" : "tcp", 0);
    av_dict_set(options, "allowed_media_types", "video", 0);
    av_dict_set(options, "fpsprobesize", "0", 0);
    if (source->options.udp)
        av_dict_set(options, "buffer_size", "1048576", 0);
    /* Stalls are told by the interrupt callback; this keeps RTSP's own timeout of 10 s from telling one before. For RTSP
     * alone: of other protocols the option means to listen for a caller. */
    if (strncasecmp(url, "rtsp", 4) == 0)
        av_dict_set_int(options, "timeout", (source->stall_ms > 0 ? source->stall_ms + INT64_C(1000) : 86400000) * 1000, 0);
}

/* Formats by which FFmpeg turns any text file into pictures. */
static bool is_text_art(const char *format)
{
    static const char *const formats[] = {"tty", "bin", "xbin", "adf", "idf"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format, formats[i]) == 0)
            return true;
    return false;
}

static int open_format(struct source *source, const char *url, struct error *err)
{
    AVDictionary *options = NULL, **stream_options = NULL;
    char *name = NULL;
    int r = -ENOMEM;

    source->format = avformat_alloc_context();
    if (!source->format)
        return error_set(err, r, "%s: out of memory", source->shown);
    source->format->interrupt_callback = (AVIOInterruptCB){interrupted, source};
    name = source->kind == SOURCE_FILE ? av_asprintf("file:%s", source_path(url)) : av_strdup(url);
    source->format->protocol_whitelist = av_strdup(source_protocols(url));
    if (!name || !source->format->protocol_whitelist) {
        error_set(err, r, "%s: out of memory", source->shown);
        goto out;
    }
    set_options(source, url, &options);
    r = avformat_open_input(&source->format, name, NULL, &options);
    if (r < 0) {
        r = fail(source, r, r == AVERROR_INVALIDDATA ? "not a video that FFmpeg knows: " : "", err);
        goto out;
    }
    if (is_text_art(source->format->iformat->name)) {
        r = error_set(err, -EINVAL, "%s: not a video", source->shown);
        goto out;
    }
    if (source->kind != SOURCE_FILE && strcmp(source->format->iformat->name, "mpjpeg") == 0)
        source->format->use_wallclock_as_timestamps = 1;

    unsigned n = source->format->nb_streams;
    stream_options = calloc(n ? n : 1, sizeof *stream_options);
    for (unsigned i = 0; stream_options && source->options.decoder_threads > 0 && i < n; i++)
        av_dict_set_int(&stream_options[i], "threads", source->options.decoder_threads, 0);
    r = avformat_find_stream_info(source->format, stream_options);
    for (unsigned i = 0; stream_options && i < n; i++)
        av_dict_free(&stream_options[i]);
    if (r < 0 || stopped(source) || overdue(source)) {
        r = fail(source, r < 0 ? r : AVERROR_EXIT, "", err);
        goto out;
    }

    source->stream = -1;
    for (unsigned i = 0; i < source->format->nb_streams; i++)       /* covers of sound recordings are no video */
        if (source->format->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC)
            source->format->streams[i]->codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
    source->stream = av_find_best_stream(source->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (source->stream < 0) {
        r = error_set(err, -EINVAL, "%s: holds no video (%u streams)", source->shown, source->format->nb_streams);
        goto out;
    }
    for (unsigned i = 0; i < source->format->nb_streams; i++)
        if ((int)i != source->stream)
            source->format->streams[i]->discard = AVDISCARD_ALL;

    const AVStream *stream = source->format->streams[source->stream];
    source->time_base = stream->time_base;
    double fps = sane_fps(stream->avg_frame_rate);
    if (fps <= 0)
        fps = sane_fps(stream->r_frame_rate);
    pacing_init(&source->pacing, source->pattern ? 0 : source->options.fps, fps);
    double interval = 1 / ((fps > 0 ? fps : IMAGES_FPS) * av_q2d(stream->time_base));
    source->interval = interval >= 1 && interval < 1e15 ? llround(interval) : 1;
    source->stats.width = stream->codecpar->width;
    source->stats.height = stream->codecpar->height;
    r = open_decoder(source, stream->codecpar->codec_id, stream->codecpar, err);
out:
    free(stream_options);
    av_dict_free(&options);
    av_free(name);
    return r;
}

static int open_folder(struct source *source, const char *path, struct error *err)
{
    double fps = source->options.fps > 0 ? source->options.fps : IMAGES_FPS;
    source->time_base = av_inv_q(av_d2q(fps, 1000000));
    source->interval = 1;
    pacing_init(&source->pacing, 0, fps);
    return folder_open(&source->folder, path, err);
}

/* What FFmpeg would wait on, or tell less clearly. */
static int check_path(const char *path, const char *shown, bool *folder, struct error *err)
{
    struct stat st;
    *folder = false;
    if (stat(path, &st) < 0)
        return source_is_pattern(path) ? 0 : error_set(err, -errno, "%s: %s", shown, strerror(errno));
    *folder = S_ISDIR(st.st_mode);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%s: neither a regular file nor a folder", shown);
    if (S_ISREG(st.st_mode) && st.st_size == 0)
        return error_set(err, -EINVAL, "%s: the file is empty", shown);
    return 0;
}

int source_open(struct source **ret, const char *url, const struct source_options *options, struct error *err)
{
    bool folder = false;
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return error_set(err, -ENOMEM, "out of memory");
    source->options = *options;
    source->kind = source_kind(url);
    source->pattern = source->kind == SOURCE_FILE && source_is_pattern(source_path(url));
    source->last_timestamp = AV_NOPTS_VALUE;
    redact(source->shown, sizeof source->shown, url);
    set_deadline(source, 0);

    int r = 0;
    if (source->kind == SOURCE_UNKNOWN)
        r = error_set(err, -EINVAL, "%s: unknown kind of URL; a file, rtsp, http, rtmp, udp, rtp, tcp or srt will do",
                      source->shown);
    else if (!isfinite(options->fps) || options->fps < 0 || options->fps > 1000)
        r = error_set(err, -EINVAL, "%s: %g pictures a second can't be analysed; 0 to 1000 can", source->shown, options->fps);
    else if (source->kind == SOURCE_FILE)
        r = check_path(source_path(url), source->shown, &folder, err);
    if (r == 0 && stopped(source))
        r = error_set(err, -EINTR, "%s: stopped", source->shown);
    if (r == 0 && (options->width != 0 || options->height != 0))
        r = source_resize(source, options->width, options->height, err);
    if (r == 0) {
        source->packet = av_packet_alloc();
        source->frame = av_frame_alloc();
        if (!source->packet || !source->frame)
            r = error_set(err, -ENOMEM, "%s: out of memory", source->shown);
    }
    if (r == 0) {
        source->stall_ms = source->kind != SOURCE_FILE || source_is_live(url) ? options->stall_timeout_ms : 0;
        set_deadline(source, source->stall_ms);
        r = folder ? open_folder(source, source_path(url), err) : open_format(source, url, err);
        set_deadline(source, 0);
    }
    if (r < 0) {
        source_close(source);
        return r;
    }
    *ret = source;
    return 0;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    source->closing = true;
    set_deadline(source, CLOSE_MS);
    avcodec_free_context(&source->decoder);
    avformat_close_input(&source->format);
    folder_close(source->folder);
    av_packet_free(&source->packet);
    av_frame_free(&source->frame);
    gray_close(source->gray);
    free(source);
}

static void count_lost(struct source *source, const AVPacket *packet)
{
    source->stats.packets_lost++;
    source->lost = true;
    damage_lost(&source->damage, packet);
}

/* The next packet of the video into the blank packet. 0; AVERROR_EOF; else the error to end with, err written. */
static int next_packet(struct source *source, struct error *err)
{
    if (source->folder) {
        while (source->next_image < folder_count(source->folder)) {
            size_t i = source->next_image++;
            enum AVCodecID id = folder_codec(source->folder, i);
            int r = folder_read(source->folder, i, source->packet, err);
            if (r == 0 && (!source->decoder || source->decoder->codec_id != id))
                r = open_decoder(source, id, NULL, err);
            if (r == 0) {
                damage_packet(&source->damage, source->packet);
                return 0;
            }
            av_packet_unref(source->packet);
            if (r == -ENOMEM)
                return r;
            count_lost(source, NULL);
        }
        return AVERROR_EOF;
    }

    for (;;) {
        int r = av_read_frame(source->format, source->packet);
        if (r < 0) {
            const AVIOContext *io = source->format->pb;
            if (stopped(source) || overdue(source))
                return fail(source, r, "", err);
            if (r == AVERROR(EAGAIN))
                continue;
            if ((r == AVERROR_EOF || r == AVERROR_INVALIDDATA) && io && io->error < 0 && io->error != AVERROR_EOF)
                r = io->error;
            else if (r == AVERROR_INVALIDDATA && source->kind == SOURCE_FILE)
                r = AVERROR_EOF;        /* cut short */
            if (r == AVERROR(EIO) && source->kind == SOURCE_REMOTE && io && avio_size(source->format->pb) < 0)
                r = AVERROR_EOF;        /* so FFmpeg calls the end of an answer over HTTP that didn't tell its length */
            return r == AVERROR_EOF ? r : fail(source, r, "reading failed: ", err);
        }
        if (source->packet->stream_index == source->stream && !source->late)
            break;
        av_packet_unref(source->packet);
        if (stopped(source) || overdue(source))
            return fail(source, AVERROR_EXIT, "", err);
    }
    set_deadline(source, source->stall_ms);
    damage_packet(&source->damage, source->packet);
    return 0;
}

/* Until when a picture has to come of the packets. */
static int64_t picture_limit_us(const struct source *source)
{
    return source->stall_ms > 0 ? now_us() + INT64_C(1000) * SOURCE_PICTURE_STALLS * source->stall_ms : INT64_MAX;
}

static int64_t to_us(const struct source *source, int64_t timestamp)
{
    return av_rescale_q(timestamp, source->time_base, (AVRational){1, 1000000});
}

/* Whether the packet is not to be decoded; else tells the decoder what it may leave out. */
static bool leave_out(struct source *source)
{
    int64_t pts = source->packet->pts;
    enum AVDiscard discard = skip_packet(&source->skip, &source->pacing, source->packet,
                                         pts == AV_NOPTS_VALUE ? pts : to_us(source, pts));
    source->decoder->skip_frame = discard;
    return discard == AVDISCARD_ALL;
}

/* Decodes the next picture into source->frame. 1, 0 (the end), or an error. */
static int next_picture(struct source *source, struct error *err)
{
    int64_t limit_us = picture_limit_us(source);
    set_deadline(source, source->stall_ms);
    for (;;) {
        if (stopped(source))
            return error_set(err, -EINTR, "%s: stopped", source->shown);
        int r = source->decoder ? avcodec_receive_frame(source->decoder, source->frame) : AVERROR(EAGAIN);
        if (r == 0)
            return 1;
        if (r == AVERROR_EOF || (source->draining && r == AVERROR(EAGAIN))) {
            if (err && source->end < 0)
                *err = source->end_error;
            return source->end;
        }
        if (r != AVERROR(EAGAIN)) {
            count_lost(source, NULL);
            if (source->draining)
                continue;
        }
        if (limit_us != INT64_MAX && now_us() > limit_us)
            return error_set(err, -ETIMEDOUT, "%s: packets, but no picture for %g s", source->shown,
                             SOURCE_PICTURE_STALLS * source->stall_ms / 1000.);
        if (!source->packet->data) {
            r = next_packet(source, &source->end_error);
            if (r < 0) {
                source->end = r == AVERROR_EOF ? 0 : r;
                if (r == -EINTR || r == -ETIMEDOUT || !source->decoder) {
                    if (err && source->end < 0)
                        *err = source->end_error;
                    return source->end;
                }
                source->draining = true;
                avcodec_send_packet(source->decoder, NULL);
                continue;
            }
            if (leave_out(source)) {
                av_packet_unref(source->packet);
                limit_us = picture_limit_us(source);
                continue;
            }
        }
        r = avcodec_send_packet(source->decoder, source->packet);
        if (r == AVERROR(EAGAIN))
            continue;
        if (r < 0)
            count_lost(source, source->packet);
        av_packet_unref(source->packet);
    }
}

/* The picture's time, made up from the rate where the stream has none. */
static int64_t timestamp_us(struct source *source)
{
    int64_t timestamp = source->frame->best_effort_timestamp;
    if (timestamp == AV_NOPTS_VALUE)
        timestamp = source->last_timestamp == AV_NOPTS_VALUE ? 0 : av_sat_add64(source->last_timestamp, source->interval);
    source->last_timestamp = timestamp;
    return to_us(source, timestamp);
}

/* There is nothing more to come. */
static int end(struct source *source, int r, const struct error *err)
{
    source->ended = true;
    source->end = r;
    if (err && r < 0)
        source->end_error = *err;
    return r;
}

/* Decodes a picture into source->frame, where none is held there. 1, 0 (the end), or an error. */
static int hold_picture(struct source *source, struct error *err)
{
    if (source->ended) {
        if (err && source->end < 0)
            *err = source->end_error;
        return source->end;
    }
    int r = source->held ? 1 : next_picture(source, err);
    set_deadline(source, 0);            /* the time until the next call is the caller's */
    if (r == 0 && !source->stats.frames_decoded)
        r = error_set(err, source->kind == SOURCE_FILE ? -EINVAL : -EIO, "%s: ended without a picture that FFmpeg decodes",
                      source->shown);
    source->held = r == 1;
    return r == 1 ? 1 : end(source, r, err);
}

int source_peek(struct source *source, int *width, int *height, struct error *err)
{
    int r = hold_picture(source, err);
    if (r == 1) {
        *width = source->frame->width;
        *height = source->frame->height;
    }
    return r;
}

int source_resize(struct source *source, int width, int height, struct error *err)
{
    struct gray *gray;
    int r = gray_open(&gray, width, height);
    if (r < 0)
        return error_set(err, r, "%s: pictures of %dx%d can't be made", source->shown, width, height);
    gray_close(source->gray);
    source->gray = gray;
    return 0;
}

int source_read(struct source *source, uint8_t *pixels, struct source_frame *frame, struct error *err)
{
    for (;;) {
        int r = hold_picture(source, err);
        if (r <= 0)
            return r;
        source->held = false;

        const AVFrame *picture = source->frame;
        int64_t us = timestamp_us(source);
        source->stats.frames_decoded++;
        skip_picture(&source->skip, &source->pacing, picture, us);
        if (picture->width != source->stats.width || picture->height != source->stats.height || source->lost)
            pacing_break(&source->pacing);
        source->lost = false;
        source->stats.width = picture->width;
        source->stats.height = picture->height;

        struct source_frame out = {0};
        bool picked = pacing_next(&source->pacing, us, &out.pts_us, &out.gap);
        out.corrupt = damage_judge(&source->damage, picture, out.pts_us);
        source->stats.frames_corrupt += out.corrupt;
        if (!picked)
            continue;
        out.gap |= source->corrupt_before;
        source->corrupt_before = out.corrupt;
        assert(source->gray);           /* source_resize() was called */
        r = gray_convert(source->gray, picture, pixels, err);
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
    ret->fps_in = pacing_fps(&source->pacing);
}

/* ---- FFmpeg's log -------------------------------------------------------------------------------------------------- */

/* FFmpeg logs pieces of lines; each thread puts its own together. */
struct line {
    char text[4096];
    size_t n;
    bool cut;
    int level;
    int print_prefix;
    char last[256];             /* the line given out last, to tell repeats by */
    int last_level;
    unsigned repeated;
};

static _Thread_local struct line line = {.print_prefix = 1};
static void (*_Atomic handler)(int priority, const char *text);

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

static void give_line(void (*to)(int priority, const char *text))
{
    char text[4096];
    if (line.cut) {
        /* The last word goes: a URL cut before its '@' would not be known as one with a password. */
        while (line.n && line.text[line.n - 1] != ' ')
            line.n--;
    }
    while (line.n && (unsigned char)line.text[line.n - 1] <= ' ')
        line.n--;
    line.text[line.n] = 0;
    if (line.n) {
        redact(text, sizeof text, line.text);
        char head[sizeof line.last];
        snprintf(head, sizeof head, "%.*s", (int)sizeof head - 1, text);
        if (strcmp(head, line.last) == 0 && line.level == line.last_level) {
            line.repeated++;
        } else {
            if (line.repeated) {
                char note[64];
                snprintf(note, sizeof note, "(the line before came %u times more)", line.repeated);
                to(priority_of(line.last_level), note);
            }
            line.repeated = 0;
            line.last_level = line.level;
            memcpy(line.last, head, sizeof head);
            to(priority_of(line.level), text);
        }
    }
    line.n = 0;
    line.cut = false;
}

static void log_piece(void *context, int level, const char *format, va_list args)
{
    void (*to)(int, const char *) = atomic_load(&handler);
    level &= 0xff;              /* the rest is a tint */
    if (!to || level > av_log_get_level())
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
    if (line.print_prefix)      /* set where the piece ended the line */
        give_line(to);
}

void source_set_log(void (*to)(int priority, const char *text))
{
    atomic_store(&handler, to);
    av_log_set_callback(log_piece);
}

#include "io/video/demux.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "io/base/clock.h"
#include "io/base/redact.h"
#include "io/video/input/allowed.h"
#include "io/video/input/answer.h"
#include "io/video/input/cause.h"
#include "io/video/input/jpegs.h"
#include "io/video/input/streams.h"
#include "io/video/source_folder.h"
#include "io/video/source_url.h"

enum { CLOSE_MS = 300 };

struct demux {
    const atomic_bool *stop;
    enum source_kind kind;
    char shown[256];            /* the URL, redacted */

    AVFormatContext *format;    /* NULL: a folder */
    int index;                  /* of the video stream in format */
    struct streams_audio audio;
    struct source_tap tap;
    bool offers_audio;          /* a server that is being opened has told of audio beside the video */
    bool without_audio;         /* it refused to open the source with it */
    enum AVCodecID refused;     /* of a video that the header tells of, which is not allowed; AV_CODEC_ID_NONE: there is none */
    AVIOContext *io;            /* of a SOURCE_REMOTE: what format or jpegs reads; NULL: format has its own */
    struct answer answer;       /* of a SOURCE_REMOTE */
    struct jpegs *jpegs;        /* NULL: FFmpeg knows the format, or it is a folder */
    AVPacket *first;            /* the first picture of jpegs, or blank */
    int64_t last_us;            /* time stamp of the last one */
    bool flowed;                /* bytes have come since */
    struct folder *folder;
    size_t next_image;
    AVCodecParameters *image;   /* of a folder or of jpegs */
    struct demux_stream stream;

    _Atomic int64_t deadline_us;        /* CLOCK_MONOTONIC; FFmpeg's calls end once it has passed; INT64_MAX: never */
    atomic_bool late;           /* it passed during a call, which may still give a packet that was under way */
    bool tls_unverified;
    const char *tls_ca_file, *tls_host;         /* NULL: the default */
    int (*io_open)(AVFormatContext *, AVIOContext **, const char *, int, AVDictionary **);      /* FFmpeg's own */
    char *asked;                /* the URL that was asked for */
    bool astray;                /* a redirect led to where it must not go */
    pthread_t opener;           /* reads format->url, which FFmpeg changes on the same thread */
    bool opening;
    struct cause_request request;
    bool connected;             /* FFmpeg has found the format */
    bool closing;
};

static bool stopped(const struct demux *demux)
{
    return demux->stop && atomic_load_explicit(demux->stop, memory_order_relaxed);
}

static bool overdue(const struct demux *demux)
{
    int64_t deadline = atomic_load_explicit(&demux->deadline_us, memory_order_relaxed);
    return atomic_load_explicit(&demux->late, memory_order_relaxed) || (deadline != INT64_MAX && monotonic_us() >= deadline);
}

static int interrupted(void *arg)
{
    struct demux *demux = arg;
    if (demux->closing)
        return monotonic_us() >= atomic_load_explicit(&demux->deadline_us, memory_order_relaxed);
    /* RTSP takes user and password along when the server sends it on, and asks here before it sends anything. */
    if (demux->opening && pthread_equal(demux->opener, pthread_self()) && demux->format && demux->format->url) {
        /* RTSP asks here while it waits for the answers to SETUP. A failure frees what DESCRIBE told. */
        demux->offers_audio |= demux->audio.wanted && streams_have_both(demux->format);
        if (!source_may_redirect(demux->asked, demux->format->url, demux->request.signs_in))
            demux->astray = true;
    }
    if (overdue(demux))
        atomic_store_explicit(&demux->late, true, memory_order_relaxed);
    return stopped(demux) || overdue(demux) || demux->astray;
}

static void set_deadline(struct demux *demux, int64_t ms)
{
    atomic_store_explicit(&demux->deadline_us, ms > 0 ? monotonic_us() + ms * 1000 : INT64_MAX, memory_order_relaxed);
}

/* The error of a call that FFmpeg failed with code: a stop, a stall, or another cause. */
static int fail(struct demux *demux, int code, const char *doing, struct error *err)
{
    char text[300];
    if (stopped(demux))
        return error_set(err, -EINTR, "%s: stopped", demux->shown);
    if (demux->astray)
        return error_set(err, -EPERM, "%s: redirected to another host or to this machine, which is refused", demux->shown);
    if (overdue(demux) && demux->jpegs && demux->flowed)
        return error_set(err, -ETIMEDOUT, "%s: data arrives, but no JPEG in it for %g s", demux->shown,
                         demux->stream.stall_ms / 1000.);
    if (overdue(demux) && !demux->connected)
        return error_set(err, -ETIMEDOUT, "%s: no answer for %g s", demux->shown, demux->stream.stall_ms / 1000.);
    if (overdue(demux))
        return error_set(err, -ETIMEDOUT, "%s: no packet of the video for %g s", demux->shown,
                         demux->stream.stall_ms / 1000.);
    cause_name(&demux->request, code, text, sizeof text);
    if (code == AVERROR_INVALIDDATA && demux->answer.type[0] && !demux->connected)
        return error_set(err, -EINVAL, "%s: the answer is %s, not a video that FFmpeg knows", demux->shown, demux->answer.type);
    return error_set(err, cause_errno(code), "%s: %s%s", demux->shown, cause_is_heard() ? "" : doing, text);
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static double sane_fps(AVRational rate)
{
    double fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    return fps >= 0.01 && fps <= 300 ? fps : 0;
}

static void set_tls(const struct demux *demux, AVDictionary **options)
{
    av_dict_set_int(options, "tls_verify", !demux->tls_unverified, 0);
    if (demux->tls_ca_file)
        av_dict_set(options, "ca_file", demux->tls_ca_file, 0);
    if (demux->tls_host)
        av_dict_set(options, "verifyhost", demux->tls_host, 0);
}

/* FFmpeg opens everything but RTSP through this: the source, and the parts that a playlist names. It hands few options on to
 * those, and those of TLS are not among them. */
static int open_io(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    struct demux *demux = format->opaque;
    uint8_t *place = NULL;
    AVDictionary *own = NULL;
    AVDictionary **all = options ? options : &own;
    set_tls(demux, all);
    int r = AVERROR(EPERM);
    demux->astray = demux->kind != SOURCE_FILE && !source_may_redirect(demux->asked, url, false);
    if (!demux->astray)
        r = demux->io_open(format, io, url, flags, all);
    /* HTTP follows a redirect by itself, without user and password. Where it ended is known only now. */
    if (r >= 0 && demux->kind == SOURCE_REMOTE && av_opt_get(*io, "location", AV_OPT_SEARCH_CHILDREN, &place) >= 0 && place &&
        !source_may_redirect(demux->asked, (const char *)place, false)) {
        demux->astray = true;
        avio_closep(io);
        r = AVERROR(EPERM);
    }
    av_free(place);
    av_dict_free(&own);
    return r;
}

/* Verifies the certificate of rtsps on a connection of its own: FFmpeg's RTSP takes no options of TLS. 0 or FFmpeg's code. */
static int verify_rtsps(struct demux *demux, const char *url)
{
    AVDictionary *options = NULL;
    AVIOContext *io = NULL;
    char *address = source_tls_address(url);
    if (!address)
        return AVERROR(ENOMEM);
    set_tls(demux, &options);
    int r = avio_open2(&io, address, AVIO_FLAG_READ_WRITE, &demux->format->interrupt_callback, &options);
    avio_closep(&io);
    av_dict_free(&options);
    free(address);
    return r < 0 ? r : 0;
}

static void set_options(const struct demux *demux, const char *url, const struct source_options *from,
                        AVDictionary **options)
{
    char number[32];
    if (demux->stream.images && from->fps > 0) {
        snprintf(number, sizeof number, "%.6f", from->fps);
        av_dict_set(options, "framerate", number, 0);
    }
    if (!source_is_live(url))
        return;
    av_dict_set(options, "rtsp_transport", from->udp ? "udp" : "tcp", 0);
    av_dict_set(options, "allowed_media_types", demux->audio.wanted ? "video+audio" : "video", 0);
    av_dict_set(options, "fpsprobesize", "0", 0);
    if (from->udp)
        av_dict_set(options, "buffer_size", "1048576", 0);
    /* The interrupt callback tells stalls. RTSP has a timeout of its own, of 10 s by default, which must not come first.
     * Only RTSP gets the option: to other protocols it means that they listen for a caller. */
    int64_t stall_ms = demux->stream.stall_ms;
    if (strncasecmp(url, "rtsp", 4) == 0)
        av_dict_set_int(options, "timeout", (stall_ms > 0 ? stall_ms + 1000 : 86400000) * 1000, 0);
}

/* Pictures one after the other, of which the demuxer says that they come at 25 a second. FFmpeg's name of such a format is
 * "jpeg_pipe" and the like. */
static bool is_timeless(const AVInputFormat *format)
{
    size_t n = strlen(format->name);
    return format->flags & AVFMT_NOTIMESTAMPS || (n > 5 && strcmp(format->name + n - 5, "_pipe") == 0);
}

/* Finds out what streams there are, by decoding a little of each video. */
static int probe(struct demux *demux, int decoder_threads, struct error *err)
{
    demux->refused = streams_refuse_videos(demux->format);
    if (streams_hide_audio(demux->format, &demux->audio) < 0)
        return error_set(err, -ENOMEM, "%s: out of memory", demux->shown);
    unsigned n = demux->format->nb_streams;
    AVDictionary **options = calloc(n ? n : 1, sizeof *options);
    for (unsigned i = 0; options && decoder_threads > 0 && i < n; i++)
        av_dict_set_int(&options[i], "threads", decoder_threads, 0);
    int r = avformat_find_stream_info(demux->format, options);
    for (unsigned i = 0; options && i < n; i++)
        av_dict_free(&options[i]);
    free(options);
    if (overdue(demux) && !stopped(demux) && !demux->astray)
        return error_set(err, -ETIMEDOUT, "%s: no picture that can be decoded in the first %g s", demux->shown,
                         demux->stream.stall_ms / 1000.);
    if (stopped(demux))
        return fail(demux, AVERROR_EXIT, "", err);
    /* -1: FFmpeg has not seen the parameters. Those of a live stream come with its next key frame. */
    if (r < 0 && !(demux->stream.live && av_find_best_stream(demux->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0) >= 0))
        return fail(demux, r, "", err);
    return 0;
}

static int choose_audio(struct demux *demux)
{
    struct demux_stream *stream = &demux->stream;
    int r = streams_choose_audio(demux->format, &demux->audio);
    stream->audio_codec = demux->audio.codec;
    stream->audio_state = demux->audio.index >= 0 ? SOURCE_AUDIO_KEPT
                          : demux->audio.codec != AV_CODEC_ID_NONE ? SOURCE_AUDIO_REFUSED : SOURCE_AUDIO_NONE;
    if (demux->audio.index >= 0) {
        stream->audio = demux->format->streams[demux->audio.index]->codecpar;
        stream->audio_time_base = demux->format->streams[demux->audio.index]->time_base;
    }
    return r;
}

static int choose_video(struct demux *demux, struct error *err)
{
    AVFormatContext *format = demux->format;
    enum AVCodecID late = streams_refuse_videos(format), refused = late != AV_CODEC_ID_NONE ? late : demux->refused;
    demux->index = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (demux->index < 0 && refused != AV_CODEC_ID_NONE)
        return error_set(err, -EINVAL, "%s: the codec is %s, which is not one that cameras or footage use", demux->shown,
                         avcodec_get_name(refused));
    if (demux->index < 0)
        return error_set(err, -EINVAL, "%s: holds no video (%u streams)", demux->shown, format->nb_streams);
    for (unsigned i = 0; i < format->nb_streams; i++)
        if ((int)i != demux->index)
            format->streams[i]->discard = AVDISCARD_ALL;
    if (demux->audio.wanted && choose_audio(demux) < 0)
        return error_set(err, -ENOMEM, "%s: out of memory", demux->shown);

    const AVStream *video = format->streams[demux->index];
    double fps = sane_fps(video->avg_frame_rate);
    demux->stream.version = 1;
    demux->stream.parameters = video->codecpar;
    demux->stream.time_base = video->time_base;
    size_t size = 0;
    const uint8_t *matrix = av_stream_get_side_data(video, AV_PKT_DATA_DISPLAYMATRIX, &size);
    demux->stream.display = (struct display){.turn = turn_of_matrix(size >= 9 * sizeof(int32_t) ? (const int32_t *)matrix : NULL),
                                             .sample_aspect = video->sample_aspect_ratio};
    demux->stream.fps = fps > 0 ? fps : sane_fps(video->r_frame_rate);
    demux->stream.stamped_here = format->use_wallclock_as_timestamps;
    demux->stream.timeless = demux->stream.images || (is_timeless(format->iformat) && !demux->stream.stamped_here);
    return 0;
}

/* The caller wipes it and frees it. NULL: memory is short. */
static char *name_for_ffmpeg(const struct demux *demux, const char *url, const struct source_options *options)
{
    char *name;
    if (demux->kind != SOURCE_FILE)
        return source_signed_in(url, options->user, options->password);
    return asprintf(&name, "file:%s", source_path(url)) < 0 ? NULL : name;
}

/* Opens what HTTP answers, before FFmpeg looks for a format in it. 0 or FFmpeg's code. */
static int open_answer(struct demux *demux, const char *name, AVDictionary **options)
{
    demux->format->url = av_strdup(name);       /* FFmpeg compares it with the address */
    int r = demux->format->url ? open_io(demux->format, &demux->io, name, AVIO_FLAG_READ, options) : AVERROR(ENOMEM);
    av_freep(&demux->format->url);
    if (r >= 0)
        r = answer_open(&demux->answer, demux->io);
    demux->format->pb = demux->io;
    demux->format->flags |= AVFMT_FLAG_CUSTOM_IO;       /* FFmpeg does not close it */
    return r < 0 ? r : 0;
}

static int read_jpegs(struct demux *demux, AVPacket *packet, struct error *err);

/* Opens Motion JPEG that comes by HTTP, with its first picture. */
static int open_jpegs(struct demux *demux, struct error *err)
{
    demux->connected = true;
    demux->image = avcodec_parameters_alloc();
    demux->first = av_packet_alloc();
    if (!demux->image || !demux->first || jpegs_open(&demux->jpegs) < 0)
        return error_set(err, -ENOMEM, "%s: out of memory", demux->shown);
    demux->image->codec_type = AVMEDIA_TYPE_VIDEO;
    demux->image->codec_id = AV_CODEC_ID_MJPEG;
    demux->stream.version = 1;
    demux->stream.parameters = demux->image;
    demux->stream.time_base = (AVRational){1, 1000000};
    demux->stream.live = demux->stream.stamped_here = true;
    int r = read_jpegs(demux, demux->first, err);
    if (r == 0)
        return error_set(err, -EINVAL, "%s: the answer%s%s has no JPEG in it", demux->shown,
                         *demux->answer.type ? ", of type " : "", *demux->answer.type ? demux->answer.type : "");
    return r < 0 ? r : 0;
}

/* Returns true if the code may be a server's refusal of RTSP's SETUP of the audio. */
static bool is_refusal(int code)
{
    return code == AVERROR_HTTP_BAD_REQUEST || code == AVERROR_HTTP_FORBIDDEN || code == AVERROR_HTTP_NOT_FOUND ||
           code == AVERROR_HTTP_OTHER_4XX || code == AVERROR_HTTP_SERVER_ERROR || code == AVERROR_INVALIDDATA;
}

static int open_format(struct demux *demux, const char *url, const struct source_options *from, struct error *err)
{
    AVDictionary *options = NULL;
    char *name = NULL;
    int r = -ENOMEM;
    demux->format = avformat_alloc_context();
    if (!demux->format)
        return error_set(err, r, "%s: out of memory", demux->shown);
    demux->format->interrupt_callback = (AVIOInterruptCB){interrupted, demux};
    name = name_for_ffmpeg(demux, url, from);
    demux->format->protocol_whitelist = av_strdup(source_protocols(url));
    demux->format->format_whitelist = av_strdup(allowed_formats(demux->kind == SOURCE_FILE));
    demux->format->codec_whitelist = av_strdup(allowed_decoders());
    if (!name || !demux->format->protocol_whitelist || !demux->format->format_whitelist || !demux->format->codec_whitelist) {
        error_set(err, r, "%s: out of memory", demux->shown);
        goto out;
    }
    set_options(demux, url, from, &options);
    cause_forget();
    demux->io_open = demux->format->io_open;
    demux->format->io_open = open_io;
    demux->format->opaque = demux;
    if (!demux->tls_unverified && strncasecmp(url, "rtsps:", 6) == 0 && (r = verify_rtsps(demux, url)) < 0) {
        r = fail(demux, r, "", err);
        goto out;
    }
    if (demux->kind == SOURCE_REMOTE && (r = open_answer(demux, name, &options)) < 0) {
        r = fail(demux, r, "", err);
        goto out;
    }
    if (demux->answer.jpegs) {
        r = open_jpegs(demux, err);
        goto out;
    }
    demux->opening = true;
    r = avformat_open_input(&demux->format, name, NULL, &options);
    demux->opening = false;
    if (r < 0) {
        bool cut_off = stopped(demux) || overdue(demux) || demux->astray;
        demux->without_audio = demux->audio.wanted && demux->offers_audio && !cut_off && is_refusal(r);
        int blamed = demux->io && !cut_off ? answer_blame(&demux->answer, demux->shown, err) : 0;
        r = blamed < 0 ? blamed : fail(demux, r, r == AVERROR_INVALIDDATA ? "not a video that FFmpeg knows: " : "", err);
        goto out;
    }
    demux->connected = true;
    if (demux->kind != SOURCE_FILE && strcmp(demux->format->iformat->name, "mpjpeg") == 0)
        demux->format->use_wallclock_as_timestamps = 1;
    if (demux->io)
        demux->stream.live = !demux->answer.finite && strcmp(demux->format->iformat->name, "hls") != 0;
    if (demux->stream.live)
        streams_hasten(demux->format);
    r = probe(demux, from->decoder_threads, err);
    if (r == 0)
        r = choose_video(demux, err);
    /* A source that tells its length is a recording. But FLV has the length in a field that live servers copy from elsewhere. */
    if (demux->io && strcmp(demux->format->iformat->name, "flv") != 0)
        demux->stream.live &= demux->format->duration <= 0;
out:
    av_dict_free(&options);
    if (name)
        explicit_bzero(name, strlen(name));
    free(name);
    return r;
}

static int open_folder(struct demux *demux, const char *path, double fps, struct error *err)
{
    demux->image = avcodec_parameters_alloc();
    if (!demux->image)
        return error_set(err, -ENOMEM, "out of memory");
    demux->image->codec_type = AVMEDIA_TYPE_VIDEO;
    demux->stream.parameters = demux->image;
    demux->stream.fps = fps > 0 ? fps : SOURCE_DEFAULT_FPS;
    demux->stream.time_base = av_inv_q(av_d2q(demux->stream.fps, 1000000));
    demux->stream.images = demux->stream.folder = demux->stream.timeless = true;
    return folder_open(&demux->folder, path, err);
}

/* Refuses files that FFmpeg would wait for, or whose fault it would name less clearly. */
static int check_path(const char *path, const char *shown, bool *folder, struct error *err)
{
    struct stat st;
    *folder = false;
    if (stat(path, &st) < 0)
        return source_is_pattern(path) ? 0 : error_set(err, -errno, "%s: %s", shown, strerror(errno));
    *folder = S_ISDIR(st.st_mode);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%s: expected a regular file or a folder, got a device, a pipe or a socket", shown);
    if (S_ISREG(st.st_mode) && st.st_size == 0)
        return error_set(err, -EINVAL, "%s: the file is empty", shown);
    return 0;
}

int demux_open(struct demux **ret, const char *url, const struct source_options *options, struct error *err)
{
    struct demux *demux = calloc(1, sizeof *demux);
    if (!demux)
        return error_set(err, -ENOMEM, "out of memory");
    demux->stop = options->stop;
    demux->kind = source_kind(url);
    demux->stream.images = demux->kind == SOURCE_FILE && source_is_pattern(source_path(url));
    demux->stream.live = demux->kind == SOURCE_LIVE;
    demux->opener = pthread_self();
    demux->tap = options->tap;
    demux->audio = (struct streams_audio){.wanted = options->audio, .index = -1};
    demux->asked = strdup(url);
    demux->tls_unverified = options->tls_unverified;
    demux->tls_ca_file = options->tls_ca_file;
    demux->tls_host = options->tls_host;
    demux->request = (struct cause_request){.signs_in = options->user || source_names_user(url), .udp = options->udp};
    demux->stream.stall_ms = demux->kind != SOURCE_FILE || source_is_live(url) ? options->stall_timeout_ms : 0;
    redact(demux->shown, sizeof demux->shown, url);
    set_deadline(demux, 0);
    bool folder = false;
    int r = demux->asked ? 0 : error_set(err, -ENOMEM, "out of memory");
    if (r == 0 && demux->kind == SOURCE_FILE)
        r = check_path(source_path(url), demux->shown, &folder, err);
    if (r == 0 && stopped(demux))
        r = error_set(err, -EINTR, "%s: stopped", demux->shown);
    if (r == 0) {
        set_deadline(demux, demux->stream.stall_ms);
        r = folder ? open_folder(demux, source_path(url), options->fps, err) : open_format(demux, url, options, err);
        if (demux->without_audio) {
            demux->audio.wanted = false;
            demux->stream.audio_state = SOURCE_AUDIO_NONE;
            r = open_format(demux, url, options, err);
        }
        set_deadline(demux, 0);
    }
    if (r < 0) {
        demux_close(demux);
        return r;
    }
    *ret = demux;
    return 0;
}

void demux_close(struct demux *demux)
{
    if (!demux)
        return;
    demux->closing = true;
    set_deadline(demux, CLOSE_MS);
    avformat_close_input(&demux->format);
    avio_closep(&demux->io);
    jpegs_close(demux->jpegs);
    av_packet_free(&demux->first);
    avcodec_parameters_free(&demux->image);
    avcodec_parameters_free(&demux->audio.parameters);
    folder_close(demux->folder);
    if (demux->asked)
        explicit_bzero(demux->asked, strlen(demux->asked));
    free(demux->asked);
    free(demux);
}

const struct demux_stream *demux_stream(const struct demux *demux)
{
    return &demux->stream;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static int read_image(struct demux *demux, AVPacket *packet, struct error *err)
{
    if (demux->next_image == folder_count(demux->folder))
        return 0;
    size_t i = demux->next_image++;
    int r = folder_read(demux->folder, i, packet, err);
    if (r < 0)
        return r == -ENOMEM ? r : -EAGAIN;
    enum AVCodecID codec = folder_codec(demux->folder, i);
    if (demux->image->codec_id != codec || !demux->stream.version) {
        demux->image->codec_id = codec;
        demux->stream.version++;
    }
    return 1;
}

/* The end of a stream: 0, or the error that FFmpeg's code stands for. */
static int end_of(struct demux *demux, int code, const AVIOContext *io, struct error *err)
{
    if ((code == AVERROR_EOF || code == AVERROR_INVALIDDATA) && io && io->error < 0 && io->error != AVERROR_EOF)
        code = io->error;
    else if (code == AVERROR_INVALIDDATA && demux->kind == SOURCE_FILE)
        code = AVERROR_EOF;             /* the file is cut short */
    /* FFmpeg gives this code at the end of an HTTP answer that did not tell its length. */
    if (code == AVERROR(EIO) && demux->kind == SOURCE_REMOTE && !demux->answer.finite)
        code = AVERROR_EOF;
    return code == AVERROR_EOF ? 0 : fail(demux, code, "reading failed: ", err);
}

/* The time stamp of a picture is when its last byte came. */
static int give_jpeg(struct demux *demux, const struct jpegs_picture *picture, AVPacket *packet, struct error *err)
{
    if (av_new_packet(packet, (int)picture->size) < 0)
        return error_set(err, -ENOMEM, "%s: out of memory", demux->shown);
    memcpy(packet->data, picture->data, picture->size);
    int64_t now_us = monotonic_us();
    demux->last_us = now_us > demux->last_us ? now_us : demux->last_us + 1;
    packet->pts = packet->dts = demux->last_us;
    packet->flags |= AV_PKT_FLAG_KEY;
    demux->flowed = false;
    if (picture->width > 0) {
        demux->image->width = picture->width;
        demux->image->height = picture->height;
    }
    return 1;
}

static int read_jpegs(struct demux *demux, AVPacket *packet, struct error *err)
{
    struct jpegs_picture picture;
    uint8_t data[16384];
    if (demux->first->data) {
        av_packet_move_ref(packet, demux->first);
        return 1;
    }
    while (jpegs_next(demux->jpegs, &picture) == 0) {
        int n = avio_read_partial(demux->io, data, sizeof data);
        if (stopped(demux) || overdue(demux))
            return fail(demux, AVERROR_EXIT, "", err);
        if (n <= 0)
            return end_of(demux, n < 0 ? n : AVERROR_EOF, demux->io, err);
        demux->flowed = true;
        if (jpegs_add(demux->jpegs, data, (size_t)n) < 0)
            return error_set(err, -ENOMEM, "%s: out of memory", demux->shown);
    }
    return give_jpeg(demux, &picture, packet, err);
}

static int read_format(struct demux *demux, AVPacket *packet, struct error *err)
{
    for (;;) {
        int r = av_read_frame(demux->format, packet);
        if (r < 0) {
            if (stopped(demux) || overdue(demux))
                return fail(demux, r, "", err);
            if (r == AVERROR(EAGAIN))
                continue;
            return end_of(demux, r, demux->format->pb, err);
        }
        if (packet->stream_index == demux->index && !demux->late)
            return 1;
        if (packet->stream_index == demux->audio.index && !demux->late && demux->tap.audio)
            demux->tap.audio(demux->tap.arg, packet);
        av_packet_unref(packet);
        if (stopped(demux) || overdue(demux))
            return fail(demux, AVERROR_EXIT, "", err);
    }
}

int demux_read(struct demux *demux, AVPacket *packet, struct error *err)
{
    cause_forget();
    set_deadline(demux, demux->stream.stall_ms);
    int r = demux->folder ? read_image(demux, packet, err) : demux->jpegs ? read_jpegs(demux, packet, err)
                                                                          : read_format(demux, packet, err);
    set_deadline(demux, 0);
    return r;
}

#include "io/video/packets/clip_file.h"

#include <assert.h>
#include <errno.h>
#include <libavformat/avformat.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/video/packets/audio_clock.h"
#include "io/video/packets/fragment_index.h"
#include "io/video/packets/packet_parameters.h"

/* OPUS_HEAD_SIZE: bytes of Opus' header (RFC 7845, 5.1), at least. MP4 holds no Opus without it. */
enum { IO_BYTES = 1 << 16, OPUS_HEAD_SIZE = 19 };

static const AVRational ticks = {1, 90000};

/* A fragment ends before a key frame if it is at least SHORTEST_TICKS long, and before any packet if it is LONGEST_TICKS long. */
#define SHORTEST_TICKS (90000 / 5)
#define LONGEST_TICKS (90000 * 2 / 5)
/* A step between time stamps that exceeds that of the arrivals by this is a leap. */
#define LEAP_TICKS (90000 * 2)
/* The most by which a presentation time may exceed its decoding time. */
#define REORDER_TICKS (90000 * 5)

struct clip_file {
    int fd;
    bool mp4;
    AVFormatContext *format;
    AVIOContext *io;
    AVPacket *packet;           /* the last one, which waits for the next one's time; blank: none */
    AVRational time_base;
    int64_t first_us;           /* arrival of the first packet */
    int64_t offset;             /* ticks to be added to the stream's */
    int64_t last_dts, last_raw, last_us;
    bool begun, had_dts, index_reserved;

    struct {
        bool on;                /* the file has a track of audio, which takes packets */
        AVRational time_base;
        int64_t length;         /* ticks of a packet; 0: not known */
        struct audio_clock clock;
        AVPacket *packet;       /* as that of the video */
        int64_t last_length;    /* ticks between the last two */
        char codec[CODEC_STRING_SIZE];  /* its part of codecs=; "": it has none */
    } audio;

    int64_t fragment_dts, fragment_start;       /* time and place where the fragment begins */
    bool fragment_key;
    uint64_t fragment_packets;
    int64_t written;            /* bytes of the file */
    struct fragment_index index;

    int io_error;               /* -errno of a write */
    bool failed;
    struct clip_file_stats stats;
};

const char *clip_file_extension(const struct packet_format *format, const struct packet_format *audio)
{
    static const int codecs[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_MPEG4},
                     audio_codecs[] = {AV_CODEC_ID_AAC, AV_CODEC_ID_MP2, AV_CODEC_ID_MP3};
    bool video_fits = false, audio_fits = !audio || (audio->codec == AV_CODEC_ID_OPUS && audio->extradata_size >= OPUS_HEAD_SIZE);
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        video_fits |= format->codec == codecs[i];
    for (size_t i = 0; audio && i < sizeof audio_codecs / sizeof *audio_codecs; i++)
        audio_fits |= audio->codec == audio_codecs[i];
    return video_fits && audio_fits ? "mp4" : "mkv";
}

/* A write to a full disk is tried again for this time, because whoever owns the folder may be making room. */
#define NO_SPACE_US INT64_C(3000000)
#define NO_SPACE_WAIT_US 50000

/* ---- the file --------------------------------------------------------------------------------------------------------- */

/* Sleeps a little. false: it is time to give up. errno stays. */
static bool waits_for_space(int64_t *until_us)
{
    int cause = errno;
    int64_t now_us = monotonic_us();
    if (*until_us == 0)
        *until_us = now_us + NO_SPACE_US;
    if (now_us < *until_us)
        nanosleep(&(struct timespec){.tv_nsec = NO_SPACE_WAIT_US * 1000L}, NULL);
    errno = cause;
    return now_us < *until_us;
}

static int write_bytes(void *opaque, uint8_t *data, int size)
{
    struct clip_file *clip = opaque;
    int64_t until_us = 0;               /* 0: the disk is not full */
    for (int done = 0; done < size;) {
        ssize_t n = write(clip->fd, data + done, (size_t)(size - done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && clip->io_error == 0 && (errno == ENOSPC || errno == EDQUOT) && waits_for_space(&until_us))
            continue;
        if (n < 0 && clip->io_error == 0)
            clip->io_error = -errno;
        if (n < 0)
            return AVERROR(errno);
        done += (int)n;
        until_us = 0;
    }
    return size;
}

static int64_t seek(void *opaque, int64_t offset, int whence)
{
    struct clip_file *clip = opaque;
    if (whence & ~(SEEK_SET | SEEK_CUR | SEEK_END))
        return AVERROR(ENOSYS);
    off_t r = lseek(clip->fd, offset, whence);
    return r < 0 ? AVERROR(errno) : r;
}

/* Nothing more can be added. Returns r. */
static int fail(struct clip_file *clip, int code, const char *doing, struct error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    clip->failed = true;
    if (clip->io_error)
        return error_set(err, clip->io_error, "%s: %s", doing, strerror(-clip->io_error));
    av_strerror(code, text, sizeof text);
    return error_set(err, code == AVERROR(ENOMEM) ? -ENOMEM : -EINVAL, "%s: %s", doing, text);
}

static void set_turn(AVStream *to, uint32_t turn)
{
    int32_t *m = turn ? (int32_t *)(void *)av_stream_new_side_data(to, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof *m) : NULL;
    if (!m)
        return;
    int32_t x = turn & PACKET_TURN_FLIP_X ? -65536 : 65536, y = turn & PACKET_TURN_FLIP_Y ? -65536 : 65536;
    bool swap = turn & PACKET_TURN_SWAP;
    memset(m, 0, 9 * sizeof *m);
    m[swap ? 1 : 0] = x;
    m[swap ? 3 : 4] = y;
    m[8] = 1 << 30;
}

static int describe(struct clip_file *clip, const struct packet_stream *stream)
{
    const struct packet_format *f = &stream->format;
    AVStream *to = avformat_new_stream(clip->format, NULL);
    if (!to)
        return AVERROR(ENOMEM);
    to->sample_aspect_ratio = (AVRational){f->aspect_num, f->aspect_den};
    to->time_base = clip->mp4 ? ticks : (AVRational){1, 1000};
    set_turn(to, f->turn);
    int r = packet_parameters(to->codecpar, stream);
    to->codecpar->codec_tag = f->codec == AV_CODEC_ID_HEVC ? MKTAG('h', 'v', 'c', '1')
                              : f->codec == AV_CODEC_ID_RAWVIDEO ? f->tag : 0;
    return r < 0 ? AVERROR(ENOMEM) : 0;
}

static int describe_audio(struct clip_file *clip, const struct packet_stream *stream)
{
    const struct packet_format *f = &stream->format;
    AVStream *to = avformat_new_stream(clip->format, NULL);
    if (!to)
        return AVERROR(ENOMEM);
    to->time_base = clip->mp4 ? (AVRational){1, f->sample_rate} : (AVRational){1, 1000};
    clip->audio.on = true;
    clip->audio.time_base = (AVRational){f->time_base_num, f->time_base_den};
    clip->audio.length = av_rescale(f->frame_samples, ticks.den, f->sample_rate);
    return packet_parameters(to->codecpar, stream) < 0 ? AVERROR(ENOMEM) : 0;
}

/* Names the codecs of an MP4. Players that take codecs= play no Matroska. That of the audio is told with its first packet. */
static void name_codecs(struct clip_file *clip, const struct packet_stream *stream, const struct packet_stream *audio)
{
    if (clip->mp4)
        codec_string(clip->stats.codecs, stream);
    if (audio && *clip->stats.codecs)
        codec_string(clip->audio.codec, audio);
}

static void name_audio(struct clip_file *clip)
{
    char *codecs = clip->stats.codecs;
    size_t n = strlen(codecs);
    if (clip->audio.codec[0])
        snprintf(codecs + n, sizeof clip->stats.codecs - n, ",%s", clip->audio.codec);
}

static int write_header(struct clip_file *clip)
{
    AVDictionary *options = NULL;
    if (clip->mp4) {
        av_dict_set(&options, "movflags", "frag_custom+delay_moov+default_base_moof+skip_trailer", 0);
        av_dict_set_int(&options, "video_track_timescale", ticks.den, 0);
    } else {
        av_dict_set_int(&options, "cluster_time_limit", 60000, 0);      /* a cluster ends where we say so */
        av_dict_set_int(&options, "cluster_size_limit", INT32_MAX, 0);
    }
    int r = avformat_write_header(clip->format, &options);
    av_dict_free(&options);
    return r < 0 ? r : 0;
}

static int open_file(struct clip_file **ret, int fd, bool mp4, const struct packet_stream *stream,
                     const struct packet_stream *audio, struct error *err)
{
    struct clip_file *clip = calloc(1, sizeof *clip);
    if (!clip)
        return error_set(err, -ENOMEM, "out of memory");
    clip->fd = fd;
    clip->mp4 = mp4;
    clip->time_base = (AVRational){stream->format.time_base_num, stream->format.time_base_den};
    clip->packet = av_packet_alloc();
    clip->audio.packet = av_packet_alloc();
    uint8_t *buffer = av_malloc(IO_BYTES);
    clip->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 1, clip, NULL, write_bytes, clip->mp4 ? NULL : seek) : NULL;
    int r = !clip->packet || !clip->audio.packet || !clip->io ? AVERROR(ENOMEM)
            : avformat_alloc_output_context2(&clip->format, NULL, clip->mp4 ? "mp4" : "matroska", NULL);
    if (!clip->io)
        av_free(buffer);
    if (r >= 0) {
        clip->format->pb = clip->io;
        clip->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
        r = describe(clip, stream);
    }
    if (r >= 0 && audio)
        r = describe_audio(clip, audio);
    if (r >= 0)
        r = write_header(clip);
    if (r < 0) {
        fail(clip, r, stream->format.width == 0 ? "expected a stream that names the size of its pictures, got one that does not"
                                                : "neither MP4 nor Matroska can hold the stream", err);
        r = clip->io_error ? clip->io_error : r == AVERROR(ENOMEM) ? -ENOMEM : -EINVAL;
        clip_file_close(clip, NULL, NULL);
        return r;
    }
    name_codecs(clip, stream, audio);
    *ret = clip;
    return 0;
}

int clip_file_open(struct clip_file **ret, int fd, const struct packet_stream *stream, const struct packet_stream *audio,
                   struct error *err)
{
    const bool mp4 = strcmp(clip_file_extension(&stream->format, audio ? &audio->format : NULL), "mp4") == 0;
    int r = open_file(ret, fd, mp4, stream, audio, err);
    /* Audio that a muxer refuses, or that memory is short for, does not cost the video. */
    if ((r == -EINVAL || r == -ENOMEM) && audio && lseek(fd, 0, SEEK_SET) == 0 && ftruncate(fd, 0) == 0)
        r = open_file(ret, fd, mp4, stream, NULL, err);
    return r;
}

/* ---- fragments -------------------------------------------------------------------------------------------------------- */

static int flush_muxer(struct clip_file *clip)
{
    int r = av_write_frame(clip->format, NULL);
    avio_flush(clip->io);
    return r < 0 ? r : clip->io->error < 0 ? clip->io->error : 0;
}

/* Writes the header of an MP4, and room for its index. */
static int begin_mp4(struct clip_file *clip)
{
    static const uint8_t room[FRAGMENT_INDEX_BYTES];
    int r = flush_muxer(clip);
    if (r < 0)
        return r;
    clip->index.place = avio_tell(clip->io);
    avio_wb32(clip->io, FRAGMENT_INDEX_BYTES);
    avio_wl32(clip->io, MKTAG('f', 'r', 'e', 'e'));
    avio_write(clip->io, room, FRAGMENT_INDEX_BYTES - 8);
    avio_flush(clip->io);
    clip->index_reserved = true;
    clip->fragment_start = avio_tell(clip->io);
    return clip->io->error < 0 ? clip->io->error : 0;
}

/* Ends the fragment or cluster, which lasts until `until`. */
static int end_fragment(struct clip_file *clip, int64_t until)
{
    int r = clip->mp4 && !clip->index_reserved ? begin_mp4(clip) : 0;
    if (r == 0)
        r = flush_muxer(clip);
    if (r < 0)
        return r;
    int64_t end = avio_tell(clip->io);
    if (clip->mp4)
        fragment_index_add(&clip->index, end - clip->fragment_start, until - clip->fragment_dts, clip->fragment_key);
    clip->stats.bytes = end;
    clip->stats.duration_us = av_rescale(until, 1000000, ticks.den);
    clip->stats.packets += clip->fragment_packets;
    clip->fragment_packets = 0;
    clip->fragment_start = end;
    clip->fragment_dts = until;
    return 0;
}

/* Hands a packet to the muxer; the next one of its track is decoded at next_dts. Leaves the packet blank. */
static int write_packet(struct clip_file *clip, AVPacket *packet, int track, int64_t next_dts)
{
    packet->stream_index = track;
    packet->duration = next_dts - packet->dts;
    av_packet_rescale_ts(packet, ticks, clip->format->streams[track]->time_base);
    int r = av_write_frame(clip->format, packet);
    av_packet_unref(packet);
    return r < 0 ? r : 0;
}

/* Hands the packet that waits to the muxer; the next one is decoded at next_dts. */
static int write_waiting(struct clip_file *clip, int64_t next_dts)
{
    AVPacket *packet = clip->packet;
    if (!packet->data)
        return 0;
    if (clip->fragment_packets++ == 0)
        clip->fragment_key = packet->flags & AV_PKT_FLAG_KEY;
    return write_packet(clip, packet, 0, next_dts);
}

/* The same of the audio. A muxer that refuses it gets no more of it. */
static void write_waiting_audio(struct clip_file *clip, int64_t next_dts)
{
    if (!clip->audio.packet->data)
        return;
    /* A header that was written without audio says that it begins at 0. The muxer has to be told that it does not. */
    if (clip->index_reserved && clip->stats.audio_packets == 0)
        av_opt_set(clip->format->priv_data, "movflags", "+frag_discont", 0);
    clip->audio.last_length = next_dts - clip->audio.packet->dts;
    if (write_packet(clip, clip->audio.packet, 1, next_dts) < 0) {
        clip->audio.on = false;
        clip->stats.audio_lost++;
    } else if (clip->stats.audio_packets++ == 0) {
        name_audio(clip);
    }
}

/* ---- times ------------------------------------------------------------------------------------------------------------ */

/* A time of a stream in ticks of the file; PACKET_NO_TIME where it is missing or absurd. */
static int64_t in_ticks(AVRational time_base, int64_t time)
{
    const int64_t most = INT64_C(1) << 56;
    int64_t ret = time == PACKET_NO_TIME ? PACKET_NO_TIME : av_rescale_q(time, time_base, ticks);
    return ret > -most && ret < most ? ret : PACKET_NO_TIME;
}

/* Writes the packet's times in ticks of the file. They rise strictly, from 0. */
static void set_times(struct clip_file *clip, const struct packet_times *times, int64_t *dts, int64_t *pts)
{
    int64_t stream_pts = in_ticks(clip->time_base, times->pts), stream_dts = in_ticks(clip->time_base, times->dts);
    bool has_pts = stream_pts != PACKET_NO_TIME, has_dts = stream_dts != PACKET_NO_TIME;
    if (!has_dts)
        stream_dts = has_pts ? stream_pts : clip->last_raw;
    int64_t since_us = times->arrival_us - clip->last_us, arrived = av_rescale(since_us > 0 ? since_us : 0, ticks.den, 1000000);
    if (!clip->begun) {
        clip->offset = -stream_dts;
        *dts = 0;
    } else if (has_pts && (!has_dts || !clip->had_dts) && llabs(stream_pts + clip->offset - clip->last_dts) <= LEAP_TICKS) {
        /* So far only presentation times were known, which may go back. Without a decoding time, one tick is enough. */
        int64_t wanted = has_dts ? stream_dts + clip->offset : 0;
        *dts = wanted > clip->last_dts ? wanted : clip->last_dts + 1;
    } else {
        int64_t step = stream_dts - clip->last_raw;
        bool sane = (has_pts || has_dts) && step >= 0 && step <= 2 * arrived + LEAP_TICKS;
        int64_t wanted = sane ? stream_dts + clip->offset : clip->last_dts + arrived;
        *dts = wanted > clip->last_dts ? wanted : clip->last_dts + 1;
        if (!sane || *dts != wanted) {
            clip->offset = *dts - stream_dts;
            clip->stats.repaired++;
        }
    }
    int64_t shown = has_pts ? stream_pts + clip->offset : *dts;
    *pts = shown >= *dts && shown - *dts <= REORDER_TICKS ? shown : *dts;
    clip->last_raw = stream_dts;
    clip->had_dts = has_dts;
    clip->last_dts = *dts;
    clip->last_us = times->arrival_us;
}

/* ---- packets ---------------------------------------------------------------------------------------------------------- */

static int copy_packet(AVPacket *to, const struct packet *from, int64_t dts, int64_t pts, bool key)
{
    int r = av_new_packet(to, (int)from->size);
    if (r < 0)
        return r;
    memcpy(to->data, from->data, from->size);
    to->dts = dts;
    to->pts = pts;
    to->flags = key ? AV_PKT_FLAG_KEY : 0;
    return 0;
}

static int add(struct clip_file *clip, const struct packet *packet)
{
    int64_t dts, pts;
    set_times(clip, &packet->times, &dts, &pts);
    clip->begun = true;
    int r = write_waiting(clip, dts);
    int64_t length = dts - clip->fragment_dts;
    if (r == 0 && clip->fragment_packets > 0 && (length >= LONGEST_TICKS || (packet->times.key && length >= SHORTEST_TICKS)))
        r = end_fragment(clip, dts);
    if (r < 0)
        return r;
    return copy_packet(clip->packet, packet, dts, pts, packet->times.key);
}

/* Audio that comes before the first picture, or at a time at which it cannot be heard, is left out. What the muxer refuses, or
 * what there is no memory for, is lost. */
static void add_audio(struct clip_file *clip, const struct packet *packet)
{
    if (!clip->begun)
        return;
    const struct packet_times *times = &packet->times;
    int64_t stamp = in_ticks(clip->audio.time_base, times->pts), time;
    int64_t arrived = clip->last_dts + av_rescale(times->arrival_us - clip->last_us, ticks.den, 1000000);
    stamp = stamp == PACKET_NO_TIME ? AUDIO_CLOCK_NONE : stamp + clip->offset;
    if (clip->audio.on &&
        !audio_clock_next(&clip->audio.clock, stamp, arrived, times->arrival_us, clip->audio.length, &time))
        return;
    if (clip->audio.on)
        write_waiting_audio(clip, time);
    if (!clip->audio.on || copy_packet(clip->audio.packet, packet, time, time, true) < 0)
        clip->stats.audio_lost++;
}

int clip_file_add(struct clip_file *clip, const struct packet *packet, struct error *err)
{
    if (clip->failed)
        return error_set(err, clip->io_error ? clip->io_error : -EINVAL, "the clip has failed before");
    if (!clip->begun && !packet->times.key && !packet->times.audio)
        return error_set(err, -EINVAL, "expected a key frame at the beginning of a clip, got another one");
    int r = 0;
    if (packet->times.audio)
        add_audio(clip, packet);
    else
        r = add(clip, packet);
    return r < 0 ? fail(clip, r, "writing the clip", err) : 0;
}

void clip_file_stats(const struct clip_file *clip, struct clip_file_stats *ret)
{
    *ret = clip->stats;
}

/* Writes the index over the room for it. */
static int write_index(struct clip_file *clip)
{
    uint8_t data[FRAGMENT_INDEX_BYTES];
    size_t n = fragment_index_encode(&clip->index, (uint32_t)ticks.den, data);
    if (lseek(clip->fd, clip->index.place, SEEK_SET) < 0) {
        clip->io_error = -errno;
        return AVERROR(errno);
    }
    int r = write_bytes(clip, data, (int)n);
    return r < 0 ? r : 0;
}

/* The last packet of the video lasts 1/25 s, that of the audio as long as the one before. */
static int finish(struct clip_file *clip)
{
    int64_t end = clip->last_dts + 90000 / 25;
    int64_t length = clip->audio.last_length > 0 ? clip->audio.last_length : clip->audio.length;
    if (clip->audio.on && clip->audio.packet->data)
        write_waiting_audio(clip, clip->audio.packet->dts + length);
    int r = write_waiting(clip, end);
    if (r == 0 && clip->fragment_packets > 0)
        r = end_fragment(clip, end);
    if (r == 0)
        r = av_write_trailer(clip->format);
    avio_flush(clip->io);
    if (r >= 0 && clip->io->error < 0)
        r = clip->io->error;
    if (r < 0)
        return r;
    if (clip->mp4)
        return clip->index_reserved ? write_index(clip) : 0;
    off_t size = lseek(clip->fd, 0, SEEK_END);
    if (size > 0)
        clip->stats.bytes = size;
    return 0;
}

int clip_file_close(struct clip_file *clip, struct clip_file_stats *ret, struct error *err)
{
    if (!clip)
        return 0;
    int r = 0;
    if (clip->begun && !clip->failed) {
        r = finish(clip);
        if (r < 0)
            r = fail(clip, r, "ending the clip", err);
    }
    if (ret)
        *ret = clip->stats;
    av_packet_free(&clip->packet);
    av_packet_free(&clip->audio.packet);
    avformat_free_context(clip->format);
    if (clip->io)
        av_freep(&clip->io->buffer);
    avio_context_free(&clip->io);
    free(clip);
    return r;
}

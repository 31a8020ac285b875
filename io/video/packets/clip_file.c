#include "io/video/packets/clip_file.h"

#include <assert.h>
#include <errno.h>
#include <libavformat/avformat.h>
#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/video/packets/fragment_index.h"
#include "io/video/packets/packet_parameters.h"

enum { IO_BYTES = 1 << 16 };

static const AVRational ticks = {1, 90000};

/* A fragment ends before a key frame once it is so long, and at the latest when it is as long as LONGEST. */
#define SHORTEST_TICKS (90000 / 5)
#define LONGEST_TICKS (90000 * 2 / 5)
/* A step between time stamps that exceeds that of the arrivals by this is a leap. */
#define LEAP_TICKS (90000 * 2)
/* Time stamps for showing a picture may be so much later than those for decoding it. */
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

    int64_t fragment_dts, fragment_start;       /* time and place where the fragment begins */
    bool fragment_key;
    uint64_t fragment_packets;
    int64_t written;            /* bytes of the file */
    struct fragment_index index;

    int io_error;               /* -errno of a write */
    bool failed;
    struct clip_file_stats stats;
};

const char *clip_file_extension(const struct packet_format *format)
{
    static const int codecs[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_MPEG4};
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (format->codec == codecs[i])
            return "mp4";
    return "mkv";
}

/* Where the disk is full, the write is tried again for so long: whoever owns the folder may be making room. */
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

int clip_file_open(struct clip_file **ret, int fd, const struct packet_stream *stream, struct error *err)
{
    struct clip_file *clip = calloc(1, sizeof *clip);
    if (!clip)
        return error_set(err, -ENOMEM, "out of memory");
    clip->fd = fd;
    clip->mp4 = strcmp(clip_file_extension(&stream->format), "mp4") == 0;
    clip->time_base = (AVRational){stream->format.time_base_num, stream->format.time_base_den};
    codec_string(clip->stats.codecs, stream);
    clip->packet = av_packet_alloc();
    uint8_t *buffer = av_malloc(IO_BYTES);
    clip->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 1, clip, NULL, write_bytes, clip->mp4 ? NULL : seek) : NULL;
    int r = clip->packet && clip->io ? avformat_alloc_output_context2(&clip->format, NULL, clip->mp4 ? "mp4" : "matroska", NULL)
                                     : AVERROR(ENOMEM);
    if (!clip->io)
        av_free(buffer);
    if (r >= 0) {
        clip->format->pb = clip->io;
        clip->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
        r = describe(clip, stream);
    }
    if (r >= 0)
        r = write_header(clip);
    if (r < 0) {
        fail(clip, r, stream->format.width == 0 ? "expected a stream that names the size of its pictures, got one that does not"
                                                : "neither MP4 nor Matroska can hold the stream", err);
        r = clip->io_error ? clip->io_error : r == AVERROR(ENOMEM) ? -ENOMEM : -EINVAL;
        clip_file_close(clip, NULL, NULL);
        return r;
    }
    *ret = clip;
    return 0;
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

/* Hands the packet that waits to the muxer; the next one is decoded at next_dts. */
static int write_waiting(struct clip_file *clip, int64_t next_dts)
{
    AVPacket *packet = clip->packet;
    if (!packet->data)
        return 0;
    if (clip->fragment_packets++ == 0)
        clip->fragment_key = packet->flags & AV_PKT_FLAG_KEY;
    packet->duration = next_dts - packet->dts;
    av_packet_rescale_ts(packet, ticks, clip->format->streams[0]->time_base);
    int r = av_write_frame(clip->format, packet);
    av_packet_unref(packet);
    return r < 0 ? r : 0;
}

/* ---- times ------------------------------------------------------------------------------------------------------------ */

/* A time of the stream in ticks of the file; PACKET_NO_TIME where it is missing or absurd. */
static int64_t in_ticks(const struct clip_file *clip, int64_t time)
{
    const int64_t most = INT64_C(1) << 56;
    int64_t ret = time == PACKET_NO_TIME ? PACKET_NO_TIME : av_rescale_q(time, clip->time_base, ticks);
    return ret > -most && ret < most ? ret : PACKET_NO_TIME;
}

/* Writes the packet's times in ticks of the file. They rise strictly, from 0. */
static void set_times(struct clip_file *clip, const struct packet_times *times, int64_t *dts, int64_t *pts)
{
    int64_t stream_pts = in_ticks(clip, times->pts), stream_dts = in_ticks(clip, times->dts);
    bool has_pts = stream_pts != PACKET_NO_TIME, has_dts = stream_dts != PACKET_NO_TIME;
    if (!has_dts)
        stream_dts = has_pts ? stream_pts : clip->last_raw;
    int64_t since_us = times->arrival_us - clip->last_us, arrived = av_rescale(since_us > 0 ? since_us : 0, ticks.den, 1000000);
    if (!clip->begun) {
        clip->offset = -stream_dts;
        *dts = 0;
    } else if (has_pts && (!has_dts || !clip->had_dts) && llabs(stream_pts + clip->offset - clip->last_dts) <= LEAP_TICKS) {
        /* Only the time of showing was known so far, which may go back: decoding takes no time. */
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
    if ((r = av_new_packet(clip->packet, (int)packet->size)) < 0)
        return r;
    memcpy(clip->packet->data, packet->data, packet->size);
    clip->packet->dts = dts;
    clip->packet->pts = pts;
    clip->packet->flags = packet->times.key ? AV_PKT_FLAG_KEY : 0;
    return 0;
}

int clip_file_add(struct clip_file *clip, const struct packet *packet, struct error *err)
{
    if (clip->failed)
        return error_set(err, clip->io_error ? clip->io_error : -EINVAL, "the clip has failed before");
    if (!clip->begun && !packet->times.key)
        return error_set(err, -EINVAL, "expected a key frame at the beginning of a clip, got another one");
    int r = add(clip, packet);
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

/* The last packet lasts as long as the one before. */
static int finish(struct clip_file *clip)
{
    int64_t end = clip->last_dts + 90000 / 25;
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
    avformat_free_context(clip->format);
    if (clip->io)
        av_freep(&clip->io->buffer);
    avio_context_free(&clip->io);
    free(clip);
    return r;
}

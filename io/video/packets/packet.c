#include "io/video/packets/packet.h"

#include <libavcodec/codec_id.h>
#include <libavcodec/defs.h>
#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

#include "io/video/input/allowed.h"

enum { PADDING = AV_INPUT_BUFFER_PADDING_SIZE, MAX_SIDE = 65535, MAX_RATE = 192000, MAX_CHANNELS = 8 };
_Static_assert(AV_INPUT_BUFFER_PADDING_SIZE == 64, "packet.h says how many zero bytes lie behind the data");

#define MAX_TICKS (INT64_C(1) << 60)

static bool is_time(int64_t ticks)
{
    return ticks == PACKET_NO_TIME || (ticks > -MAX_TICKS && ticks < MAX_TICKS);
}

static const char *audio_fault(const struct packet_format *format)
{
    if (!allowed_audio(format->codec))
        return "a codec of audio that is not allowed";
    if (format->sample_rate < 1 || format->sample_rate > MAX_RATE || format->channels < 1 || format->channels > MAX_CHANNELS)
        return "a sample rate or a count of channels out of range";
    if (format->frame_samples < 0 || format->frame_samples > PACKET_MAX_AUDIO || format->block_align < 0 ||
        format->block_align > PACKET_MAX_AUDIO)
        return "a size of audio blocks out of range";
    if (format->width != 0 || format->height != 0 || format->aspect_num != 0 || format->pixel_format != AV_PIX_FMT_NONE ||
        format->turn != 0)
        return "a picture in the audio";
    return NULL;
}

static const char *video_fault(const struct packet_format *format)
{
    if (!allowed_codec(format->codec))
        return "a codec that is not allowed";
    if (format->width < 0 || format->width > MAX_SIDE || format->height < 0 || format->height > MAX_SIDE)
        return "a size out of range";
    if (format->aspect_num < 0)
        return "an aspect out of range";
    if (format->sample_rate != 0 || format->channels != 0 || format->frame_samples != 0 || format->block_align != 0)
        return "audio in the video";
    if (format->pixel_format != AV_PIX_FMT_NONE && !av_pix_fmt_desc_get(format->pixel_format))
        return "an unknown pixel format";
    return format->turn > 7 ? "a description out of range" : NULL;
}

const char *packet_format_fault(const struct packet_format *format)
{
    const char *fault;
    if (format->kind != PACKET_VIDEO && format->kind != PACKET_AUDIO)
        return "a stream of an unknown kind";
    if ((fault = format->kind == PACKET_AUDIO ? audio_fault(format) : video_fault(format)))
        return fault;
    if (format->aspect_den < 1)
        return "an aspect out of range";
    if (format->time_base_num < 1 || format->time_base_den < 1)
        return "a time base out of range";
    if (format->bits_per_sample < 0 || format->bits_per_sample > 128)
        return "a description out of range";
    return format->extradata_size > PACKET_MAX_EXTRADATA ? "too much extradata" : NULL;
}

const char *packet_fault(const struct packet_times *times, size_t size)
{
    if (size == 0 || size > (times->audio ? PACKET_MAX_AUDIO : PACKET_MAX_SIZE))
        return "a size out of range";
    if (times->audio && times->key)
        return "a key frame in the audio";
    return is_time(times->pts) && is_time(times->dts) ? NULL : "a time out of range";
}

struct packet_stream *packet_stream_new(const struct packet_format *format, const void *extradata)
{
    struct packet_stream *stream = calloc(1, sizeof *stream + format->extradata_size + PADDING);
    if (!stream)
        return NULL;
    atomic_init(&stream->references, 1);
    stream->format = *format;
    if (format->extradata_size > 0)
        memcpy(stream->extradata, extradata, format->extradata_size);
    return stream;
}

bool packet_stream_equal(const struct packet_stream *a, const struct packet_stream *b)
{
    return memcmp(&a->format, &b->format, sizeof a->format) == 0 &&
           memcmp(a->extradata, b->extradata, a->format.extradata_size) == 0;
}

/* Extradata with start codes begin with a 0; with lengths, with a version of 1. */
static bool has_start_codes(const struct packet_stream *stream)
{
    const struct packet_format *f = &stream->format;
    return (f->codec == AV_CODEC_ID_H264 || f->codec == AV_CODEC_ID_HEVC) && f->extradata_size > 0 && stream->extradata[0] == 0;
}

bool packet_stream_follows(const struct packet_stream *b, const struct packet_stream *a)
{
    struct packet_format before = a->format, after = b->format;
    before.extradata_size = after.extradata_size = 0;
    return packet_stream_equal(a, b) ||
           (has_start_codes(a) && has_start_codes(b) && memcmp(&before, &after, sizeof before) == 0);
}

struct packet_stream *packet_stream_ref(struct packet_stream *stream)
{
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    return stream;
}

void packet_stream_unref(struct packet_stream *stream)
{
    if (stream && atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) == 1)
        free(stream);
}

struct packet *packet_new(struct packet_stream *stream, const struct packet_times *times, const void *data, size_t size)
{
    struct packet *packet = malloc(sizeof *packet + size + PADDING);
    if (!packet)
        return NULL;
    atomic_init(&packet->references, 1);
    packet->stream = packet_stream_ref(stream);
    packet->times = *times;
    packet->size = size;
    memcpy(packet->data, data, size);
    memset(packet->data + size, 0, PADDING);
    return packet;
}

struct packet *packet_ref(struct packet *packet)
{
    atomic_fetch_add_explicit(&packet->references, 1, memory_order_relaxed);
    return packet;
}

void packet_unref(struct packet *packet)
{
    if (!packet || atomic_fetch_sub_explicit(&packet->references, 1, memory_order_acq_rel) > 1)
        return;
    packet_stream_unref(packet->stream);
    free(packet);
}

#include "io/video/packets/packet_tap.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "io/video/packets/audio_tap.h"

struct packet_tap {
    struct packet_consumer consumer;
    struct packet_format format;        /* of the stream that the consumer knows; codec 0: none yet */
    uint8_t *extradata;                 /* [PACKET_MAX_EXTRADATA] */
    AVBSFContext *finder;               /* finds the parameter sets of a packet; NULL: the stream needs none */
    AVPacket *scratch;
    struct audio_tap *audio;
};

int packet_tap_open(struct packet_tap **ret, const struct packet_consumer *consumer)
{
    struct packet_tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        return -ENOMEM;
    tap->consumer = *consumer;
    tap->extradata = malloc(PACKET_MAX_EXTRADATA);
    tap->scratch = av_packet_alloc();
    if (!tap->extradata || !tap->scratch || audio_tap_open(&tap->audio, consumer) < 0) {
        packet_tap_close(tap);
        return -ENOMEM;
    }
    *ret = tap;
    return 0;
}

void packet_tap_close(struct packet_tap *tap)
{
    if (!tap)
        return;
    audio_tap_close(tap->audio);
    av_bsf_free(&tap->finder);
    av_packet_free(&tap->scratch);
    free(tap->extradata);
    free(tap);
}

/* Parameter sets in packets are looked for where packets have start codes. Packets with lengths (MP4, FLV) have them in the
 * extradata alone, which then begins with a 1. */
static void open_finder(struct packet_tap *tap, const struct source_stream *stream)
{
    const AVCodecParameters *p = stream->parameters;
    const AVBitStreamFilter *filter = av_bsf_get_by_name("extract_extradata");
    av_bsf_free(&tap->finder);
    if ((p->codec_id != AV_CODEC_ID_H264 && p->codec_id != AV_CODEC_ID_HEVC) || (p->extradata_size > 0 && p->extradata[0] == 1) ||
        !filter || av_bsf_alloc(filter, &tap->finder) < 0)
        return;
    if (avcodec_parameters_copy(tap->finder->par_in, p) < 0 || av_bsf_init(tap->finder) < 0)
        av_bsf_free(&tap->finder);
}

static void tell(struct packet_tap *tap)
{
    tap->consumer.begin(tap->consumer.arg, &tap->format, tap->extradata);
}

/* Takes over extradata that is new. false: it is what the consumer knows, or too much for it. */
static bool take_extradata(struct packet_tap *tap, const uint8_t *data, size_t size)
{
    if (size == 0 || size > PACKET_MAX_EXTRADATA ||
        (size == tap->format.extradata_size && memcmp(data, tap->extradata, size) == 0))
        return false;
    memcpy(tap->extradata, data, size);
    tap->format.extradata_size = (uint32_t)size;
    return true;
}

static void see_stream(void *arg, const struct source_stream *stream)
{
    struct packet_tap *tap = arg;
    const AVCodecParameters *p = stream->parameters;
    tap->format = (struct packet_format){.codec = p->codec_id,
                                         .tag = p->codec_tag,
                                         .pixel_format = p->format,
                                         .bits_per_sample = p->bits_per_coded_sample,
                                         .profile = p->profile,
                                         .level = p->level,
                                         .width = p->width,
                                         .height = p->height,
                                         .aspect_num = p->sample_aspect_ratio.num,
                                         .aspect_den = p->sample_aspect_ratio.den,
                                         .time_base_num = stream->time_base_num,
                                         .time_base_den = stream->time_base_den,
                                         .turn = (stream->swap ? PACKET_TURN_SWAP : 0u) |
                                                 (stream->flip_x ? PACKET_TURN_FLIP_X : 0u) |
                                                 (stream->flip_y ? PACKET_TURN_FLIP_Y : 0u)};
    if (tap->format.aspect_num < 0 || tap->format.aspect_den < 1) {
        tap->format.aspect_num = 0;
        tap->format.aspect_den = 1;
    }
    take_extradata(tap, p->extradata, p->extradata_size > 0 ? (size_t)p->extradata_size : 0);
    open_finder(tap, stream);
    tell(tap);
}

/* Looks for parameter sets that the packet brings. */
static bool find_extradata(struct packet_tap *tap, const AVPacket *packet)
{
    size_t size = 0;
    const uint8_t *data = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
    bool found = data && take_extradata(tap, data, size);
    if (found || !tap->finder || !(packet->flags & AV_PKT_FLAG_KEY) || av_packet_ref(tap->scratch, packet) < 0)
        return found;
    if (av_bsf_send_packet(tap->finder, tap->scratch) == 0 && av_bsf_receive_packet(tap->finder, tap->scratch) == 0) {
        data = av_packet_get_side_data(tap->scratch, AV_PKT_DATA_NEW_EXTRADATA, &size);
        found = data && take_extradata(tap, data, size);
    }
    av_packet_unref(tap->scratch);
    return found;
}

static int64_t ticks(int64_t time)
{
    return time == AV_NOPTS_VALUE ? PACKET_NO_TIME : time;
}

static void see_packet(void *arg, const AVPacket *packet)
{
    struct packet_tap *tap = arg;
    const struct packet_times times = {.pts = ticks(packet->pts), .dts = ticks(packet->dts), .arrival_us = monotonic_us(),
                                       .key = packet->flags & AV_PKT_FLAG_KEY};
    if (find_extradata(tap, packet))
        tell(tap);
    if (packet->size > 0)
        tap->consumer.add(tap->consumer.arg, &times, packet->data, (size_t)packet->size);
}

static void see_audio_stream(void *arg, const struct source_stream *stream)
{
    audio_tap_begin(((struct packet_tap *)arg)->audio, stream);
}

static void see_audio(void *arg, const AVPacket *packet)
{
    audio_tap_add(((struct packet_tap *)arg)->audio, packet, monotonic_us());
}

struct source_tap packet_tap_source(struct packet_tap *tap)
{
    return (struct source_tap){.arg = tap, .stream = see_stream, .packet = see_packet, .audio_stream = see_audio_stream,
                               .audio = see_audio};
}

#include "io/video/packets/audio_tap.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavutil/intreadwrite.h>
#include <stdlib.h>
#include <string.h>

/* The first bytes of an ADTS header that stay the same within a stream (ISO/IEC 13818-7, 6.2.1): up to the channels. */
enum { ADTS_HEAD = 4 };
enum { OPUS_HEAD = 19 };

struct audio_tap {
    struct packet_consumer consumer;
    AVCodecParameters *parameters;      /* as the source told them; codec AV_CODEC_ID_NONE: there is no audio */
    struct packet_format format;        /* codec 0: the consumer knows none yet */
    uint8_t *extradata;                 /* [PACKET_MAX_EXTRADATA] */
    int time_base_num, time_base_den;
    AVCodecContext *context;            /* never opened: what the parser finds */
    AVCodecParserContext *parser;       /* NULL: the source has told all, or FFmpeg has none */
    AVBSFContext *strip;                /* from ADTS; NULL: it is none */
    uint8_t head[ADTS_HEAD];            /* of the ADTS stream */
    AVPacket *scratch;
};

int audio_tap_open(struct audio_tap **ret, const struct packet_consumer *consumer)
{
    struct audio_tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        return -ENOMEM;
    tap->consumer = *consumer;
    tap->parameters = avcodec_parameters_alloc();
    tap->extradata = malloc(PACKET_MAX_EXTRADATA);
    tap->scratch = av_packet_alloc();
    if (!tap->parameters || !tap->extradata || !tap->scratch) {
        audio_tap_close(tap);
        return -ENOMEM;
    }
    *ret = tap;
    return 0;
}

/* Forgets what was found in packets. */
static void forget(struct audio_tap *tap)
{
    av_bsf_free(&tap->strip);
    av_parser_close(tap->parser);
    tap->parser = NULL;
    avcodec_free_context(&tap->context);
    tap->format.codec = 0;
}

void audio_tap_close(struct audio_tap *tap)
{
    if (!tap)
        return;
    forget(tap);
    avcodec_parameters_free(&tap->parameters);
    av_packet_free(&tap->scratch);
    free(tap->extradata);
    free(tap);
}

/* MPEG-TS and MP4 call MP2 and MP3 the same. The header of each frame tells the layer (ISO/IEC 11172-3, 2.4.2.3). */
static void read_layer(struct audio_tap *tap, const AVPacket *packet)
{
    const uint8_t *head = packet->data;
    if (tap->parameters->codec_id != AV_CODEC_ID_MP3 || packet->size < 2 || head[0] != 0xff || (head[1] & 0xe6) != 0xe4)
        return;
    forget(tap);
    tap->parameters->codec_id = AV_CODEC_ID_MP2;
}

/* Lets the parser look for the sample rate and the channels, where the source has not told them. FFmpeg's parser of AAC tells
 * neither. */
static void look(struct audio_tap *tap, const AVPacket *packet)
{
    AVCodecParameters *p = tap->parameters;
    if (p->sample_rate > 0 && p->ch_layout.nb_channels > 0)
        return;
    if (!tap->context && (tap->context = avcodec_alloc_context3(NULL))) {
        tap->context->codec_type = AVMEDIA_TYPE_AUDIO;
        tap->context->codec_id = p->codec_id;
        tap->parser = av_parser_init(p->codec_id);
    }
    if (!tap->parser)
        return;
    for (int at = 0, n = 1; n > 0 && at < packet->size; at += n) {
        uint8_t *frame;
        int size;
        n = av_parser_parse2(tap->parser, tap->context, &frame, &size, packet->data + at, packet->size - at, AV_NOPTS_VALUE,
                             AV_NOPTS_VALUE, 0);
    }
    if (tap->context->sample_rate > 0 && tap->context->ch_layout.nb_channels > 0) {
        p->sample_rate = tap->context->sample_rate;
        p->frame_size = tap->context->frame_size;
        av_channel_layout_copy(&p->ch_layout, &tap->context->ch_layout);
    }
}

/* Reads the sample rate and the channels of a header of ADTS (ISO/IEC 13818-7, 6.2.1). They are those of the AAC core, in which
 * time stamps and the AudioSpecificConfig count. The decoder itself finds out those of HE-AAC. false: the header tells none. */
static bool read_adts(AVCodecParameters *p, const uint8_t head[ADTS_HEAD])
{
    static const int rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350};
    static const int channels[] = {0, 1, 2, 3, 4, 5, 6, 8};
    unsigned rate = head[2] >> 2 & 15, layout = (head[2] & 1u) << 2 | head[3] >> 6;
    if (rate >= sizeof rates / sizeof *rates || layout == 0)
        return false;
    p->sample_rate = rates[rate];
    p->frame_size = 1024;
    av_channel_layout_uninit(&p->ch_layout);
    av_channel_layout_default(&p->ch_layout, channels[layout]);
    return true;
}

/* Begins to take headers off: sets up the filter for another stream of ADTS. */
static int begin_strip(struct audio_tap *tap, const AVPacket *packet)
{
    memcpy(tap->head, packet->data, ADTS_HEAD);
    if (!read_adts(tap->parameters, tap->head))
        return -EINVAL;
    int r = av_bsf_alloc(av_bsf_get_by_name("aac_adtstoasc"), &tap->strip);
    if (r >= 0)
        r = avcodec_parameters_copy(tap->strip->par_in, tap->parameters);
    if (r >= 0)
        r = av_bsf_init(tap->strip);
    if (r < 0)
        av_bsf_free(&tap->strip);
    return r;
}

/* Writes the packet without an ADTS header to tap->scratch. false: it is dropped. */
static bool strip(struct audio_tap *tap, const AVPacket *packet)
{
    static const uint8_t mask[ADTS_HEAD] = {0xff, 0xfe, 0xfd, 0xc0};    /* but for the checksum and a private bit */
    bool differs = packet->size < ADTS_HEAD;
    for (int i = 0; i < ADTS_HEAD && !differs; i++)
        differs = (packet->data[i] ^ tap->head[i]) & mask[i];
    if (packet->size < ADTS_HEAD || packet->data[0] != 0xff || (packet->data[1] & 0xf0) != 0xf0)
        return false;
    if (tap->strip && differs)          /* another stream of audio */
        forget(tap);
    if ((!tap->strip && begin_strip(tap, packet) < 0) || av_packet_ref(tap->scratch, packet) < 0)
        return false;
    return av_bsf_send_packet(tap->strip, tap->scratch) == 0 && av_bsf_receive_packet(tap->strip, tap->scratch) == 0;
}

/* Writes the header of Opus that RTP leaves out (RFC 7845, 5.1; RFC 7587): 48000 samples a second, one or two channels. */
static void write_opus_head(uint8_t head[OPUS_HEAD], int channels)
{
    memset(head, 0, OPUS_HEAD);
    memcpy(head, "OpusHead", 8);
    head[8] = 1;                        /* version */
    head[9] = (uint8_t)channels;
    AV_WL32(head + 12, 48000);
}

/* Tells the consumer of the stream, once all is known; packet NULL: none has come. false: it is not. */
static bool tell(struct audio_tap *tap, const AVPacket *packet)
{
    uint8_t opus[OPUS_HEAD];
    const AVCodecParameters *p = tap->parameters;
    if (tap->format.codec != 0)
        return true;
    size_t size = 0;
    const uint8_t *extradata = packet ? av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size) : NULL;
    if (!extradata) {
        extradata = p->extradata;
        size = p->extradata_size > 0 ? (size_t)p->extradata_size : 0;
    }
    if (p->codec_id == AV_CODEC_ID_OPUS && size == 0 && p->ch_layout.nb_channels >= 1 && p->ch_layout.nb_channels <= 2) {
        write_opus_head(opus, p->ch_layout.nb_channels);
        extradata = opus;
        size = sizeof opus;
    }
    struct packet_format format = {.kind = PACKET_AUDIO, .codec = p->codec_id, .pixel_format = -1,
                                   .bits_per_sample = p->bits_per_coded_sample, .profile = p->profile, .aspect_den = 1,
                                   .sample_rate = p->sample_rate, .channels = p->ch_layout.nb_channels,
                                   .frame_samples = p->frame_size, .block_align = p->block_align,
                                   .time_base_num = tap->time_base_num, .time_base_den = tap->time_base_den,
                                   .extradata_size = (uint32_t)(size < UINT32_MAX ? size : UINT32_MAX)};
    if (packet_format_fault(&format) || (format.codec == AV_CODEC_ID_AAC && size == 0))
        return false;
    if (size > 0)
        memcpy(tap->extradata, extradata, size);
    tap->format = format;
    tap->consumer.begin(tap->consumer.arg, &tap->format, tap->extradata);
    return true;
}

void audio_tap_begin(struct audio_tap *tap, const struct source_stream *stream)
{
    forget(tap);
    tap->time_base_num = stream->time_base_num;
    tap->time_base_den = stream->time_base_den;
    if (avcodec_parameters_copy(tap->parameters, stream->parameters) < 0)
        tap->parameters->codec_id = AV_CODEC_ID_NONE;
    else
        tell(tap, NULL);
}

static int64_t ticks(int64_t time)
{
    return time == AV_NOPTS_VALUE ? PACKET_NO_TIME : time;
}

void audio_tap_add(struct audio_tap *tap, const AVPacket *packet, int64_t arrival_us)
{
    const AVCodecParameters *p = tap->parameters;
    if (p->codec_id == AV_CODEC_ID_NONE || packet->size <= 0)
        return;
    bool is_adts = p->codec_id == AV_CODEC_ID_AAC && p->extradata_size == 0;
    read_layer(tap, packet);
    if (!is_adts)
        look(tap, packet);
    if (is_adts && !strip(tap, packet)) {
        av_packet_unref(tap->scratch);
        return;
    }
    const AVPacket *bare = is_adts ? tap->scratch : packet;
    const struct packet_times times = {.pts = ticks(packet->pts), .dts = ticks(packet->dts), .arrival_us = arrival_us,
                                       .audio = true};
    if (!tell(tap, bare))
        av_bsf_free(&tap->strip);       /* it gives the extradata with its first packet alone */
    else if (!packet_fault(&times, (size_t)bare->size))
        tap->consumer.add(tap->consumer.arg, &times, bare->data, (size_t)bare->size);
    av_packet_unref(tap->scratch);
}

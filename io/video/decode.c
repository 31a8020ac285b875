#include "io/video/decode.h"

#include <errno.h>
#include <stdlib.h>

#include "io/video/damage/damage.h"
#include "io/video/input/allowed.h"
#include "io/video/input/cause.h"

static const int64_t max_pixels = 8192 * 8192;

struct decode {
    int threads;
    AVCodecContext *codec;      /* NULL: decode_start() has not been called */
    AVPacket *packet;           /* one that the decoder has not taken yet, or blank */
    bool finished;
    struct damage damage;
    int64_t arrivals_us[DAMAGE_PACKETS];        /* a ring: of the last packets, by their numbers for damage */
    uint64_t lost;
};

int decode_open(struct decode **ret, int threads)
{
    struct decode *decode = calloc(1, sizeof *decode);
    if (!decode)
        return -ENOMEM;
    decode->threads = threads;
    decode->packet = av_packet_alloc();
    if (!decode->packet) {
        decode_close(decode);
        return -ENOMEM;
    }
    *ret = decode;
    return 0;
}

void decode_close(struct decode *decode)
{
    if (!decode)
        return;
    avcodec_free_context(&decode->codec);
    av_packet_free(&decode->packet);
    damage_close(&decode->damage);
    free(decode);
}

void decode_warm_up(void)
{
    static const enum AVCodecID codecs[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MJPEG, AV_CODEC_ID_MPEG4};
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        const AVCodec *codec = avcodec_find_decoder(codecs[i]);
        AVCodecContext *context = codec ? avcodec_alloc_context3(codec) : NULL;
        if (context)
            avcodec_open2(context, codec, NULL);        /* a fault is reported when a source is opened */
        avcodec_free_context(&context);
    }
}

int decode_start(struct decode *decode, const struct demux_stream *stream, struct error *err)
{
    enum AVCodecID id = stream->parameters->codec_id;
    const AVCodec *codec = avcodec_find_decoder(id);
    if (!codec)
        return error_set(err, -EINVAL, "this FFmpeg has no decoder for %s", avcodec_get_name(id));
    if (!allowed_codec(id))
        return error_set(err, -EINVAL, "the codec is %s, which is not one that cameras or footage use", avcodec_get_name(id));
    AVCodecContext *context = avcodec_alloc_context3(codec);
    if (!context)
        return error_set(err, -ENOMEM, "out of memory");
    struct damage damage = {0};
    int r = damage_open(&damage, stream->parameters);
    if (r == 0)
        r = avcodec_parameters_to_context(context, stream->parameters);
    context->pkt_timebase = stream->time_base;
    context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    context->err_recognition |= AV_EF_CRCCHECK;
    context->max_pixels = max_pixels;
    context->thread_count = decode->threads;
    if (stream->folder)
        context->thread_count = 1;                      /* each picture comes at once */
    else if (stream->live)
        context->thread_type = FF_THREAD_SLICE;         /* threads by frame would delay pictures */
    if (r >= 0)
        r = avcodec_open2(context, codec, NULL);
    if (r < 0) {
        char text[AV_ERROR_MAX_STRING_SIZE];
        avcodec_free_context(&context);
        damage_close(&damage);
        av_strerror(r, text, sizeof text);
        return error_set(err, cause_errno(r), "cannot open the decoder: %s", text);
    }
    avcodec_free_context(&decode->codec);
    decode->codec = context;
    damage_close(&decode->damage);
    decode->damage = damage;
    return 0;
}

void decode_packet(struct decode *decode, AVPacket *packet, int64_t arrival_us, enum AVDiscard discard)
{
    int64_t number = damage_packet(&decode->damage, packet);
    decode->arrivals_us[number % DAMAGE_PACKETS] = arrival_us;
    decode->codec->reordered_opaque = number;
    decode->codec->skip_frame = discard;
    if (discard == AVDISCARD_ALL || !packet->data)     /* some containers give packets of side data alone */
        av_packet_unref(packet);
    else
        av_packet_move_ref(decode->packet, packet);
}

static void count_lost(struct decode *decode, const AVPacket *packet)
{
    decode->lost++;
    damage_lost(&decode->damage, packet);
}

void decode_lose(struct decode *decode)
{
    count_lost(decode, NULL);
}

void decode_finish(struct decode *decode)
{
    decode->finished = true;
    if (decode->codec)
        avcodec_send_packet(decode->codec, NULL);
}

enum decode_result decode_picture(struct decode *decode, AVFrame *frame)
{
    int r = decode->codec ? avcodec_receive_frame(decode->codec, frame) : AVERROR(EAGAIN);
    if (r == 0)
        return DECODE_PICTURE;
    if (r == AVERROR_EOF || (decode->finished && r == AVERROR(EAGAIN)))
        return DECODE_END;
    if (r != AVERROR(EAGAIN))
        count_lost(decode, NULL);
    if (decode->finished)
        return DECODE_AGAIN;
    if (!decode->packet->data)
        return DECODE_PACKET;
    r = avcodec_send_packet(decode->codec, decode->packet);
    if (r == AVERROR(EAGAIN))
        return DECODE_AGAIN;
    if (r < 0)
        count_lost(decode, decode->packet);
    av_packet_unref(decode->packet);
    return DECODE_AGAIN;
}

bool decode_judge(struct decode *decode, const AVFrame *frame, int64_t at_us)
{
    return damage_judge(&decode->damage, frame, at_us);
}

int64_t decode_arrival_us(const struct decode *decode, const AVFrame *frame)
{
    int64_t number = frame->reordered_opaque, last = decode->damage.last;
    bool known = number >= 1 && number <= last && number > last - DAMAGE_PACKETS;
    return decode->arrivals_us[(known ? number : last) % DAMAGE_PACKETS];
}

uint64_t decode_lost(const struct decode *decode)
{
    return decode->lost;
}

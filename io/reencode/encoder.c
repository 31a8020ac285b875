#include "io/reencode/encoder.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <stdlib.h>

/* Pictures that may be in the encoder: more than its lookahead holds. */
enum { PICTURES = 128 };

struct encoder {
    AVCodecContext *codec;
    AVPacket *packet;
    struct packet_stream *stream;
    struct packet_times times[PICTURES];        /* of picture number n at n % PICTURES */
    int64_t pictures;
    bool is_ending;
};

static const AVCodec *find(struct error *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (!codec)
        error_set(err, -ENOSYS, "this FFmpeg has no encoder libx264; install a libavcodec that has it");
    return codec;
}

int encoder_check(struct error *err)
{
    return find(err) ? 0 : -ENOSYS;
}

static int failed(int code, const char *doing, struct error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    return error_set(err, code == AVERROR(ENOMEM) ? -ENOMEM : -EINVAL, "%s: %s", doing, text);
}

static void configure(AVCodecContext *codec, const AVFrame *picture, bool live)
{
    codec->width = picture->width;
    codec->height = picture->height;
    codec->pix_fmt = AV_PIX_FMT_YUV420P;
    codec->color_range = AVCOL_RANGE_MPEG;
    codec->colorspace = picture->colorspace;
    codec->sample_aspect_ratio = (AVRational){1, 1};
    codec->time_base = (AVRational){1, 30};     /* times go along by the pictures' numbers, so the rate is nominal */
    codec->framerate = (AVRational){30, 1};
    codec->gop_size = 250;
    codec->max_b_frames = 0;
    codec->thread_count = 1;
    codec->log_level_offset = AV_LOG_DEBUG - AV_LOG_INFO;       /* libx264 logs much that is no fault */
    codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_opt_set(codec->priv_data, "preset", live ? "superfast" : "veryfast", 0);
    if (live)
        av_opt_set(codec->priv_data, "tune", "zerolatency", 0);
    av_opt_set(codec->priv_data, "crf", "23", 0);
    av_opt_set_int(codec->priv_data, "forced-idr", 1, 0);
}

static int describe(struct encoder *encoder, int time_base_num, int time_base_den)
{
    const AVCodecContext *codec = encoder->codec;
    if (codec->extradata_size <= 0 || codec->extradata_size > PACKET_MAX_EXTRADATA)
        return AVERROR(EINVAL);
    const struct packet_format format = {.codec = AV_CODEC_ID_H264, .pixel_format = codec->pix_fmt, .bits_per_sample = 24,
                                         .profile = codec->profile, .level = codec->level, .width = codec->width,
                                         .height = codec->height, .aspect_num = 1, .aspect_den = 1,
                                         .time_base_num = time_base_num, .time_base_den = time_base_den,
                                         .extradata_size = (uint32_t)codec->extradata_size};
    encoder->stream = packet_stream_new(&format, codec->extradata);
    return encoder->stream ? 0 : AVERROR(ENOMEM);
}

int encoder_open(struct encoder **ret, const AVFrame *picture, bool live, int time_base_num, int time_base_den, struct error *err)
{
    const AVCodec *codec = find(err);
    if (!codec)
        return -ENOSYS;
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return error_set(err, -ENOMEM, "out of memory");
    encoder->codec = avcodec_alloc_context3(codec);
    encoder->packet = av_packet_alloc();
    int r = encoder->codec && encoder->packet ? 0 : AVERROR(ENOMEM);
    if (r == 0) {
        configure(encoder->codec, picture, live);
        r = avcodec_open2(encoder->codec, codec, NULL);
    }
    if (r == 0)
        r = describe(encoder, time_base_num, time_base_den);
    if (r < 0) {
        encoder_close(encoder);
        return failed(r, "cannot open the encoder", err);
    }
    *ret = encoder;
    return 0;
}

void encoder_close(struct encoder *encoder)
{
    if (!encoder)
        return;
    avcodec_free_context(&encoder->codec);
    av_packet_free(&encoder->packet);
    packet_stream_unref(encoder->stream);
    free(encoder);
}

struct packet_stream *encoder_stream(struct encoder *encoder)
{
    return encoder->stream;
}

int encoder_add(struct encoder *encoder, AVFrame *picture, const struct packet_times *times, struct error *err)
{
    if (picture) {
        encoder->times[encoder->pictures % PICTURES] = *times;
        picture->pts = encoder->pictures++;
        picture->pict_type = times->key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    } else if (encoder->is_ending) {
        return 0;
    }
    encoder->is_ending = !picture;
    int r = avcodec_send_frame(encoder->codec, picture);
    return r < 0 ? failed(r, "encoding", err) : 0;
}

int encoder_take(struct encoder *encoder, struct packet **ret, struct error *err)
{
    AVPacket *packet = encoder->packet;
    int r = avcodec_receive_packet(encoder->codec, packet);
    if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
        return 0;
    if (r < 0)
        return failed(r, "encoding", err);
    struct packet_times times = encoder->times[packet->pts % PICTURES];
    times.key = packet->flags & AV_PKT_FLAG_KEY;
    *ret = packet_new(encoder->stream, &times, packet->data, (size_t)packet->size);
    av_packet_unref(packet);
    return *ret ? 1 : error_set(err, -ENOMEM, "out of memory");
}

#include "io/reencode/audio_encoder.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/mathematics.h>
#include <libswresample/swresample.h>
#include <stdlib.h>
#include <string.h>

#include "io/video/packets/packet_parameters.h"

enum {
    BLOCKS = 16,                /* blocks whose times are remembered: more than the encoder holds back */
    OTHER_RATE = 48000,         /* where AAC does not have the rate of the input */
    SAMPLES_MAX = 1 << 20,      /* of one decoded frame, at the rate of the output */
};

struct audio_encoder {
    AVCodecContext *decoder, *codec;
    AVPacket *packet;
    AVFrame *decoded, *converted, *block;
    AVChannelLayout layout;     /* of what `swr` is open for, with format and rate; rate 0: not open */
    int format, rate;
    SwrContext *swr;
    AVAudioFifo *fifo;          /* samples that wait for a whole block */
    AVRational time_base;       /* of the input */
    struct packet_stream *stream;       /* of the output: its ticks are samples */
    /* The time line of the output, in samples. */
    bool is_stamped;            /* a stamp of the input was known */
    int64_t end;                /* of what is in fifo */
    int64_t arrival_us, arrival_at;     /* the sample at arrival_at arrived at arrival_us */
    struct packet_times times[BLOCKS];  /* of block number n at n % BLOCKS */
    int64_t blocks;
};

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static int open_decoder(struct audio_encoder *encoder, const struct packet_stream *stream)
{
    const AVCodec *codec = avcodec_find_decoder((enum AVCodecID)stream->format.codec);
    if (!codec)
        return -ENOSYS;
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    encoder->decoder = avcodec_alloc_context3(codec);
    int r = parameters && encoder->decoder && packet_parameters(parameters, stream) == 0 ? 0 : -ENOMEM;
    if (r == 0 && avcodec_parameters_to_context(encoder->decoder, parameters) < 0)
        r = -ENOMEM;
    avcodec_parameters_free(&parameters);
    if (r < 0)
        return r;
    encoder->decoder->thread_count = 1;
    encoder->decoder->pkt_timebase = encoder->time_base;
    return avcodec_open2(encoder->decoder, codec, NULL) < 0 ? -EINVAL : 0;
}

static int rate_of(const AVCodec *codec, int rate)
{
    for (const int *r = codec->supported_samplerates; r && *r != 0; r++)
        if (*r == rate)
            return rate;
    return OTHER_RATE;
}

static int open_encoder(struct audio_encoder *encoder, const struct packet_format *input)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (!codec)
        return -ENOSYS;
    AVCodecContext *context = encoder->codec = avcodec_alloc_context3(codec);
    if (!context)
        return -ENOMEM;
    context->sample_rate = rate_of(codec, input->sample_rate);
    context->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&context->ch_layout, input->channels < 2 ? 1 : 2);
    const int64_t most = 4 * context->sample_rate;      /* 32 kbit/s at 8000 samples a second */
    context->bit_rate = (most < 64000 ? most : 64000) * context->ch_layout.nb_channels;
    context->time_base = (AVRational){1, context->sample_rate};
    context->thread_count = 1;
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    return avcodec_open2(context, codec, NULL) < 0 || context->frame_size < 1 ? -EINVAL : 0;
}

static int describe(struct audio_encoder *encoder)
{
    const AVCodecContext *codec = encoder->codec;
    if (codec->extradata_size < 0 || codec->extradata_size > PACKET_MAX_EXTRADATA)
        return -EINVAL;
    const struct packet_format format = {.kind = PACKET_AUDIO, .codec = AV_CODEC_ID_AAC, .pixel_format = AV_PIX_FMT_NONE,
                                         .profile = codec->profile, .level = codec->level, .aspect_den = 1,
                                         .sample_rate = codec->sample_rate, .channels = codec->ch_layout.nb_channels,
                                         .frame_samples = codec->frame_size, .time_base_num = 1,
                                         .time_base_den = codec->sample_rate,
                                         .extradata_size = (uint32_t)codec->extradata_size};
    encoder->stream = packet_stream_new(&format, codec->extradata);
    return encoder->stream ? 0 : -ENOMEM;
}

static int open_buffers(struct audio_encoder *encoder)
{
    const AVCodecContext *codec = encoder->codec;
    encoder->packet = av_packet_alloc();
    encoder->decoded = av_frame_alloc();
    encoder->converted = av_frame_alloc();
    encoder->block = av_frame_alloc();
    encoder->fifo = av_audio_fifo_alloc(codec->sample_fmt, codec->ch_layout.nb_channels, 4 * codec->frame_size);
    return encoder->packet && encoder->decoded && encoder->converted && encoder->block && encoder->fifo ? 0 : -ENOMEM;
}

int audio_encoder_open(struct audio_encoder **ret, const struct packet_stream *stream, struct error *err)
{
    struct audio_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return error_set(err, -ENOMEM, "out of memory");
    encoder->time_base = (AVRational){stream->format.time_base_num, stream->format.time_base_den};
    int r = open_decoder(encoder, stream);
    if (r == 0)
        r = open_encoder(encoder, &stream->format);
    if (r == 0)
        r = describe(encoder);
    if (r == 0)
        r = open_buffers(encoder);
    if (r < 0) {
        audio_encoder_close(encoder);
        return error_set(err, r, r == -ENOMEM ? "out of memory" : r == -ENOSYS ? "this FFmpeg cannot make AAC of the audio"
                                              : "the audio's decoder or the encoder of AAC refuses the stream");
    }
    *ret = encoder;
    return 0;
}

void audio_encoder_close(struct audio_encoder *encoder)
{
    if (!encoder)
        return;
    avcodec_free_context(&encoder->decoder);
    avcodec_free_context(&encoder->codec);
    av_packet_free(&encoder->packet);
    av_frame_free(&encoder->decoded);
    av_frame_free(&encoder->converted);
    av_frame_free(&encoder->block);
    av_channel_layout_uninit(&encoder->layout);
    swr_free(&encoder->swr);
    av_audio_fifo_free(encoder->fifo);
    packet_stream_unref(encoder->stream);
    free(encoder);
}

struct packet_stream *audio_encoder_stream(struct audio_encoder *encoder)
{
    return encoder->stream;
}

/* ---- decoding --------------------------------------------------------------------------------------------------------- */

/* Opens the converter for samples such as those of the frame, if it is open for others. */
static int open_converter(struct audio_encoder *encoder, AVFrame *frame)
{
    AVCodecContext *to = encoder->codec;
    if (encoder->rate == frame->sample_rate && encoder->format == frame->format &&
        av_channel_layout_compare(&encoder->layout, &frame->ch_layout) == 0)
        return 0;
    swr_free(&encoder->swr);
    encoder->rate = 0;
    if (swr_alloc_set_opts2(&encoder->swr, &to->ch_layout, to->sample_fmt, to->sample_rate, &frame->ch_layout, frame->format,
                            frame->sample_rate, 0, NULL) < 0 ||
        swr_init(encoder->swr) < 0 || av_channel_layout_copy(&encoder->layout, &frame->ch_layout) < 0)
        return -EINVAL;
    encoder->rate = frame->sample_rate;
    encoder->format = frame->format;
    return 0;
}

/* Places the frame's first sample on the time line. */
static void place(struct audio_encoder *encoder, int64_t stamp, int64_t arrival_us)
{
    const int rate = encoder->codec->sample_rate;
    if (stamp != AV_NOPTS_VALUE) {
        int64_t at = av_rescale_q(stamp, encoder->time_base, (AVRational){1, rate});
        int64_t off = at - encoder->end;
        if (!encoder->is_stamped || off > rate / 10 || off < -rate / 10) {
            av_audio_fifo_reset(encoder->fifo);
            encoder->end = at;
        }
        encoder->is_stamped = true;
    }
    encoder->arrival_us = arrival_us;
    encoder->arrival_at = encoder->end;
}

/* Takes the samples of the frame into the fifo. */
static int take_samples(struct audio_encoder *encoder, AVFrame *frame)
{
    const AVCodecContext *to = encoder->codec;
    AVFrame *converted = encoder->converted;
    if (frame->nb_samples < 1 || frame->sample_rate < 1 || frame->ch_layout.nb_channels < 1 || open_converter(encoder, frame) < 0)
        return -EINVAL;
    converted->format = to->sample_fmt;
    converted->sample_rate = to->sample_rate;
    converted->nb_samples = swr_get_out_samples(encoder->swr, frame->nb_samples);
    if (converted->nb_samples < 1 || converted->nb_samples > SAMPLES_MAX ||
        av_channel_layout_copy(&converted->ch_layout, &to->ch_layout) < 0)
        return -EINVAL;
    if (av_frame_get_buffer(converted, 0) < 0)
        return -ENOMEM;
    int n = swr_convert(encoder->swr, converted->extended_data, converted->nb_samples,
                        (const uint8_t **)frame->extended_data, frame->nb_samples);
    int r = n < 0 ? -EINVAL : 0;
    if (n > 0 && av_audio_fifo_write(encoder->fifo, (void **)converted->extended_data, n) < n)
        r = -ENOMEM;
    if (r == 0)
        encoder->end += n;
    av_frame_unref(converted);
    return r;
}

static int decode(struct audio_encoder *encoder, const struct packet *packet)
{
    AVPacket *to = encoder->packet;
    int result = 0;
    if (av_new_packet(to, (int)packet->size) < 0)
        return -ENOMEM;
    memcpy(to->data, packet->data, packet->size);
    to->pts = to->dts = packet->times.pts == PACKET_NO_TIME ? AV_NOPTS_VALUE : packet->times.pts;
    int r = avcodec_send_packet(encoder->decoder, to);
    av_packet_unref(to);
    if (r < 0)
        return r == AVERROR(ENOMEM) ? -ENOMEM : -EINVAL;
    while (avcodec_receive_frame(encoder->decoder, encoder->decoded) == 0) {
        place(encoder, encoder->decoded->pts, packet->times.arrival_us);
        r = take_samples(encoder, encoder->decoded);
        av_frame_unref(encoder->decoded);
        if (r < 0)
            result = r;
    }
    return result;
}

/* ---- encoding --------------------------------------------------------------------------------------------------------- */

/* The times of what begins at a sample of the time line. */
static struct packet_times times_at(const struct audio_encoder *encoder, int64_t sample)
{
    const AVRational samples = {1, encoder->codec->sample_rate}, us = {1, 1000000};
    int64_t stamp = encoder->is_stamped ? sample : PACKET_NO_TIME;
    return (struct packet_times){.pts = stamp, .dts = stamp, .audio = true,
                                 .arrival_us = encoder->arrival_us + av_rescale_q(sample - encoder->arrival_at, samples, us)};
}

/* Gives the encoder n samples of the fifo. */
static int encode_block(struct audio_encoder *encoder, int n)
{
    AVFrame *block = encoder->block;
    const AVCodecContext *codec = encoder->codec;
    block->format = codec->sample_fmt;
    block->sample_rate = codec->sample_rate;
    block->nb_samples = n;
    block->pts = encoder->blocks * codec->frame_size;
    if (av_channel_layout_copy(&block->ch_layout, &codec->ch_layout) < 0 || av_frame_get_buffer(block, 0) < 0)
        return -ENOMEM;
    encoder->times[encoder->blocks++ % BLOCKS] = times_at(encoder, encoder->end - av_audio_fifo_size(encoder->fifo));
    int r = av_audio_fifo_read(encoder->fifo, (void **)block->extended_data, n) == n &&
            avcodec_send_frame(encoder->codec, block) == 0 ? 0 : -EINVAL;
    av_frame_unref(block);
    return r;
}

int audio_encoder_add(struct audio_encoder *encoder, const struct packet *packet)
{
    if (packet)
        return decode(encoder, packet);
    int n = av_audio_fifo_size(encoder->fifo);
    int r = n > 0 && n < encoder->codec->frame_size ? encode_block(encoder, n) : 0;
    avcodec_send_frame(encoder->codec, NULL);
    return r;
}

int audio_encoder_take(struct audio_encoder *encoder, struct packet **ret)
{
    AVPacket *packet = encoder->packet;
    const int block = encoder->codec->frame_size;
    int r;
    while ((r = avcodec_receive_packet(encoder->codec, packet)) == AVERROR(EAGAIN)) {
        if (av_audio_fifo_size(encoder->fifo) < block)
            return 0;
        if ((r = encode_block(encoder, block)) < 0)
            return r;
    }
    if (r == AVERROR_EOF)
        return 0;
    if (r < 0)
        return -EINVAL;
    /* The first packet begins before the first block, by what the encoder needs to start. */
    int64_t number = packet->pts < 0 ? 0 : packet->pts / block, ahead = packet->pts - number * block;
    struct packet_times times = encoder->times[number % BLOCKS];
    if (times.pts != PACKET_NO_TIME)
        times.pts = times.dts += ahead;
    times.arrival_us += av_rescale_q(ahead, (AVRational){1, encoder->codec->sample_rate}, (AVRational){1, 1000000});
    *ret = packet_new(encoder->stream, &times, packet->data, (size_t)packet->size);
    av_packet_unref(packet);
    return *ret ? 1 : -ENOMEM;
}

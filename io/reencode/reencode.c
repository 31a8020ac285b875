#include "io/reencode/reencode.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

#include "io/reencode/audio_encoder.h"
#include "io/reencode/audio_queue.h"
#include "io/reencode/encoder.h"
#include "io/reencode/planes.h"
#include "io/video/decode.h"
#include "io/video/packets/packet_parameters.h"

/* The interval between key frames, at which a player can begin. */
#define KEY_US INT64_C(2000000)

struct reencode {
    int fd;
    struct privacy privacy;
    int longest;
    bool live, failed;
    bool has_video;             /* a packet of it is in the file */
    AVRational time_base;       /* of the stream */
    struct display display;
    struct decode *decode;
    AVPacket *packet;
    AVFrame *picture;
    /* Opened for the first picture. */
    struct planes *planes;
    struct burning *burning;
    struct encoder *encoder;
    struct clip_file *clip;
    struct packet_stream *audio;        /* that of the file; NULL: none is kept */
    struct audio_encoder *audio_encoder;        /* NULL: the packets stay as they were coded */
    struct audio_queue queue;
    uint64_t audio_lost;        /* packets that found no room in the queue, or could not be decoded */
    int64_t last_us;            /* time of the last picture; INT64_MIN: none yet */
    int64_t key_us;             /* of the last one that is a key frame */
    struct clip_file_stats stats;
};

static void free_all(struct reencode *reencode)
{
    decode_close(reencode->decode);
    av_packet_free(&reencode->packet);
    av_frame_free(&reencode->picture);
    planes_close(reencode->planes);
    burning_close(reencode->burning);
    encoder_close(reencode->encoder);
    for (struct packet *packet; (packet = audio_queue_take(&reencode->queue, INT64_MAX));)
        packet_unref(packet);
    audio_encoder_close(reencode->audio_encoder);
    packet_stream_unref(reencode->audio);
    free(reencode);
}

static int start_decoder(struct reencode *reencode, const struct packet_stream *stream, struct error *err)
{
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    int r = parameters && packet_parameters(parameters, stream) == 0 && decode_open(&reencode->decode, 1) == 0
            ? 0 : error_set(err, -ENOMEM, "out of memory");
    if (r == 0)
        r = decode_start(reencode->decode, &(struct demux_stream){.parameters = parameters, .time_base = reencode->time_base},
                         err);
    avcodec_parameters_free(&parameters);
    return r;
}

/* Returns true if browsers play the audio in MP4. */
static bool is_played(const struct packet_format *audio)
{
    const struct packet_format video = {.codec = AV_CODEC_ID_H264};
    return audio->codec != AV_CODEC_ID_MP2 && strcmp(clip_file_extension(&video, audio), "mp4") == 0;
}

/* Without memory, or without an encoder, the file has no audio. */
static void start_audio(struct reencode *reencode, const struct packet_stream *audio)
{
    struct error err;
    if (audio && is_played(&audio->format))
        reencode->audio = packet_stream_new(&audio->format, audio->extradata);
    else if (audio && audio_encoder_open(&reencode->audio_encoder, audio, &err) == 0)
        reencode->audio = packet_stream_ref(audio_encoder_stream(reencode->audio_encoder));
}

int reencode_open(struct reencode **ret, int fd, const struct packet_stream *stream, const struct packet_stream *audio,
                  const struct reencode_options *options, struct error *err)
{
    const struct packet_format *f = &stream->format;
    int r = encoder_check(err);
    if (r < 0)
        return r;
    struct reencode *reencode = calloc(1, sizeof *reencode);
    if (!reencode)
        return error_set(err, -ENOMEM, "out of memory");
    *reencode = (struct reencode){.fd = fd, .longest = options->longest, .live = options->live,
                                  .time_base = {f->time_base_num, f->time_base_den},
                                  .display = {.turn = {f->turn & PACKET_TURN_SWAP, f->turn & PACKET_TURN_FLIP_X,
                                                       f->turn & PACKET_TURN_FLIP_Y},
                                              .sample_aspect = {f->aspect_num, f->aspect_den}}};
    reencode->last_us = INT64_MIN;
    if (options->privacy)
        reencode->privacy = *options->privacy;
    start_audio(reencode, audio);
    reencode->packet = av_packet_alloc();
    reencode->picture = av_frame_alloc();
    r = reencode->packet && reencode->picture ? start_decoder(reencode, stream, err) : error_set(err, -ENOMEM, "out of memory");
    if (r < 0)
        free_all(reencode);
    else
        *ret = reencode;
    return r;
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

static int open_size(struct reencode *reencode, struct error *err)
{
    int width, height;
    planes_size(&reencode->display, reencode->picture, reencode->longest, &width, &height);
    if (planes_open(&reencode->planes, width, height) < 0 ||
        burning_open(&reencode->burning, &reencode->privacy, width, height) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    return 0;
}

static int open_file(struct reencode *reencode, const AVFrame *picture, struct error *err)
{
    int r = encoder_open(&reencode->encoder, picture, reencode->live, reencode->time_base.num, reencode->time_base.den, err);
    return r < 0 ? r : clip_file_open(&reencode->clip, reencode->fd, encoder_stream(reencode->encoder), reencode->audio, err);
}

/* Writes the audio that arrived before until_us. */
static int write_audio(struct reencode *reencode, int64_t until_us, struct error *err)
{
    struct packet *packet;
    int r = 0;
    while (r == 0 && (packet = audio_queue_take(&reencode->queue, until_us))) {
        r = clip_file_add(reencode->clip, packet, err);
        packet_unref(packet);
    }
    return r;
}

/* Writes the packets that the encoder has. The file takes audio from its first picture on. */
static int write_packets(struct reencode *reencode, struct error *err)
{
    struct packet *packet;
    int r;
    while ((r = encoder_take(reencode->encoder, &packet, err)) == 1) {
        r = reencode->has_video ? write_audio(reencode, packet->times.arrival_us, err) : 0;
        if (r == 0)
            r = clip_file_add(reencode->clip, packet, err);
        reencode->has_video = true;
        packet_unref(packet);
        if (r < 0)
            return r;
    }
    return r;
}

/* The time at which the picture was taken, by the stream's clock, or by arrival where it tells nothing. Never goes back. */
static int64_t time_of(struct reencode *reencode)
{
    int64_t pts = reencode->picture->best_effort_timestamp;
    int64_t us = pts == AV_NOPTS_VALUE ? decode_arrival_us(reencode->decode, reencode->picture)
                                       : av_rescale_q(pts, reencode->time_base, (AVRational){1, 1000000});
    return reencode->last_us = us > reencode->last_us ? us : reencode->last_us;
}

static int encode_picture(struct reencode *reencode, int64_t us, struct error *err)
{
    int r = reencode->planes ? 0 : open_size(reencode, err);
    AVFrame *picture = r < 0 ? NULL : planes_convert(reencode->planes, reencode->picture, &reencode->display, &r, err);
    if (!picture)
        return r;
    burning_apply(reencode->burning, picture->data, picture->linesize);
    int64_t pts = reencode->picture->best_effort_timestamp;
    struct packet_times times = {.pts = pts == AV_NOPTS_VALUE ? PACKET_NO_TIME : pts,
                                 .arrival_us = decode_arrival_us(reencode->decode, reencode->picture),
                                 .key = !reencode->clip || us - reencode->key_us >= KEY_US};
    times.dts = times.pts;
    if (times.key)
        reencode->key_us = us;
    if (!reencode->clip)
        r = open_file(reencode, picture, err);
    if (r == 0)
        r = encoder_add(reencode->encoder, picture, &times, err);
    return r < 0 ? r : write_packets(reencode, err);
}

/* With masks a damaged picture is left out: it may show at another place what a mask covers. */
static int take_picture(struct reencode *reencode, struct error *err)
{
    int64_t us = time_of(reencode);
    bool is_damaged = decode_judge(reencode->decode, reencode->picture, us);
    return is_damaged && reencode->privacy.n > 0 ? 0 : encode_picture(reencode, us, err);
}

/* Encodes the pictures that the decoder has, until it wants a packet. */
static int encode_pictures(struct reencode *reencode, struct error *err)
{
    for (;;) {
        enum decode_result result = decode_picture(reencode->decode, reencode->picture);
        if (result == DECODE_PACKET || result == DECODE_END)
            return 0;
        int r = result == DECODE_PICTURE ? take_picture(reencode, err) : 0;
        if (r < 0)
            return r;
    }
}

static int add(struct reencode *reencode, const struct packet *packet, struct error *err)
{
    AVPacket *to = reencode->packet;
    int r = encode_pictures(reencode, err);
    if (r < 0)
        return r;
    if (av_new_packet(to, (int)packet->size) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    memcpy(to->data, packet->data, packet->size);
    to->pts = packet->times.pts == PACKET_NO_TIME ? AV_NOPTS_VALUE : packet->times.pts;
    to->dts = packet->times.dts == PACKET_NO_TIME ? AV_NOPTS_VALUE : packet->times.dts;
    to->flags = packet->times.key ? AV_PKT_FLAG_KEY : 0;
    decode_packet(reencode->decode, to, packet->times.arrival_us, AVDISCARD_DEFAULT);
    return encode_pictures(reencode, err);
}

static void queue_audio(struct reencode *reencode, struct packet *packet)
{
    if (!audio_queue_add(&reencode->queue, packet))
        reencode->audio_lost++;
}

/* packet NULL: there is no further one. */
static void encode_audio(struct reencode *reencode, const struct packet *packet)
{
    struct packet *encoded;
    int r = audio_encoder_add(reencode->audio_encoder, packet), taken;
    while ((taken = audio_encoder_take(reencode->audio_encoder, &encoded)) == 1) {
        queue_audio(reencode, encoded);
        packet_unref(encoded);
    }
    if (r < 0 || taken < 0)
        reencode->audio_lost++;
}

static void add_audio(struct reencode *reencode, struct packet *packet)
{
    if (reencode->audio_encoder)
        encode_audio(reencode, packet);
    else if (reencode->audio)
        queue_audio(reencode, packet);
}

int reencode_add(struct reencode *reencode, struct packet *packet, struct error *err)
{
    int r = 0;
    if (reencode->failed)
        r = error_set(err, -EINVAL, "the clip has failed before");
    else if (packet->times.audio)
        add_audio(reencode, packet);
    else
        r = add(reencode, packet, err);
    reencode->failed = r < 0;
    return r;
}

void reencode_stats(const struct reencode *reencode, struct clip_file_stats *ret)
{
    if (reencode->clip)
        clip_file_stats(reencode->clip, ret);
    else
        *ret = (struct clip_file_stats){0};
    ret->audio_lost += reencode->audio_lost;
}

static int finish(struct reencode *reencode, struct error *err)
{
    decode_finish(reencode->decode);
    if (reencode->audio_encoder)
        encode_audio(reencode, NULL);
    int r = encode_pictures(reencode, err);
    if (r == 0 && !reencode->clip)
        r = error_set(err, -EINVAL, "no picture could be decoded");
    if (r == 0)
        r = encoder_add(reencode->encoder, NULL, NULL, err);
    if (r == 0)
        r = write_packets(reencode, err);
    return r < 0 ? r : write_audio(reencode, INT64_MAX, err);
}

int reencode_close(struct reencode *reencode, struct clip_file_stats *ret, struct error *err)
{
    if (!reencode)
        return 0;
    struct error later;
    struct clip_file_stats stats = {0};
    int r = reencode->failed ? 0 : finish(reencode, err);
    int end = clip_file_close(reencode->clip, &stats, r < 0 ? &later : err);
    stats.audio_lost += reencode->audio_lost;
    if (ret)
        *ret = stats;
    free_all(reencode);
    return r < 0 ? r : end;
}

/* libFuzzer target: which pictures of a stream are picked, and when they were taken. It tests io/video/pick.h, with pacing.h,
 * skip.h and timing/timing.h below it, on any time stamps, arrivals and orders that a camera or a file can give.
 *
 * The bytes are a stream. HEADER bytes choose rates, time base and kind of the source. Then each picture has a byte and up to
 * 12 bytes of numbers. The byte says how its time stamp and its arrival follow from those of the picture before. A decoder is
 * imitated. It skips what pick_packet() allows it to, holds back up to 7 pictures and gives them in the order of their time
 * stamps.
 *
 * Checked: the first picture is picked at 0, without a break. Times rise strictly. A picture that lies three periods and two
 * intervals past the last picked one on the output clock is picked. A live source leaves no more pictures undecoded than
 * pacing_wants() says. By arrivals, a picture is picked at least once in BLIND windows of the timing and 12 periods. */
#include <libavcodec/avcodec.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/video/pick.h"
#include "io/video/timing/timing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 5, HELD = 8, BLIND = 8 };

static void check(int holds)
{
    if (!holds)
        abort();
}

static const double rates[] = {0, 0.1, 1, 5, 10, 12.5, 25, 100};
static const double nominals[] = {0, 0.2, 1, 10, 25, 30, 60, 90000};
static const AVRational bases[] = {{1, 90000}, {1, 1000}, {1, 1000000}, {1, 25}, {1, 1}, {1001, 30000}, {1, 1 << 30},
                                   {1 << 30, 1}};

struct bytes {
    const uint8_t *at, *end;
};

static uint64_t take(struct bytes *bytes, int n)
{
    uint64_t ret = 0;
    for (int i = 0; i < n; i++)
        ret |= (uint64_t)(bytes->at < bytes->end ? *bytes->at++ : 0) << 8 * i;
    return ret;
}

struct picture {
    int64_t pts, best_effort;
    int width;
};

struct stream {
    struct pick *pick;
    AVFrame *frame;
    bool live;
    double period_us;           /* between picked pictures; 0: all are picked */
    struct picture held[HELD];
    int n_held;
    bool started;
    int64_t out_us;             /* the time of the last picture */
    int64_t picked_us;          /* the time of the last picked picture, on the output clock */
    int64_t picked_arrival_us, given_arrival_us, arrival_us;
    int64_t longest_wait_us;    /* the longest time from packet to packet */
    int64_t longest_us;         /* the same from decoded picture to decoded picture, since the last pick */
};

/* The measured microseconds between pictures; 0: unknown. */
static double interval_us(const struct stream *stream)
{
    double fps = pick_fps(stream->pick);
    return fps > 0 ? 1e6 / fps : 0;
}

/* The time for which no picture has been decoded. */
static int64_t waited_us(const struct stream *stream)
{
    return stream->arrival_us - stream->given_arrival_us;
}

static void check_blind(const struct stream *stream)
{
    if (!stream->live || !stream->started)
        return;
    double limit = fmax(timing_limit_us(interval_us(stream)), 2 * stream->period_us);
    check((double)waited_us(stream) <= limit + (HELD + 1) * (double)stream->longest_wait_us);
    double slowest = (double)(waited_us(stream) > stream->longest_us ? waited_us(stream) : stream->longest_us);
    double window = (double)TIMING_WINDOW_US + (TIMING_WINDOW + 1) * slowest;
    check((double)(stream->arrival_us - stream->picked_arrival_us) <= BLIND * window + 12 * stream->period_us);
}

static void give(struct stream *stream, const struct picture *picture)
{
    double interval = interval_us(stream);
    if (stream->started && waited_us(stream) > stream->longest_us)
        stream->longest_us = waited_us(stream);
    stream->given_arrival_us = stream->arrival_us;
    int64_t out_us = -1;
    enum source_break cause = (enum source_break)99;
    stream->frame->pts = picture->pts;
    stream->frame->best_effort_timestamp = picture->best_effort;
    stream->frame->width = picture->width;
    stream->frame->height = 64;
    bool picked = pick_picture(stream->pick, stream->frame, stream->arrival_us, &out_us, &cause);
    if (!stream->started)
        check(picked && out_us == 0 && cause == SOURCE_UNBROKEN);
    else
        check(out_us > stream->out_us);
    stream->started = true;
    stream->out_us = out_us;
    double since = (double)(out_us - stream->picked_us);
    check(picked || since <= 3 * stream->period_us + 2 * fmax(interval, interval_us(stream)));
    if (!picked)
        return;
    check(cause >= SOURCE_UNBROKEN && cause <= SOURCE_BREAK_CORRUPT);
    stream->picked_us = out_us;
    stream->picked_arrival_us = stream->arrival_us;
    stream->longest_us = 0;
}

/* Gives out one of the pictures that the decoder holds back. */
static void give_first(struct stream *stream, bool sorted)
{
    int first = 0;
    for (int i = 1; sorted && i < stream->n_held; i++)
        if (stream->held[i].best_effort < stream->held[first].best_effort)
            first = i;
    struct picture picture = stream->held[first];
    stream->n_held--;
    memmove(stream->held + first, stream->held + first + 1, (size_t)(stream->n_held - first) * sizeof picture);
    give(stream, &picture);
}

static int64_t next_stamp(struct bytes *bytes, unsigned how, int64_t before, int64_t step)
{
    switch (how % 4) {
    case 0:
        return (int64_t)((uint64_t)before + (uint64_t)step);
    case 1:
        return (int64_t)((uint64_t)before + (uint64_t)(int64_t)(int16_t)take(bytes, 2));
    case 2:
        return (int64_t)take(bytes, 8);
    default:
        return AV_NOPTS_VALUE;
    }
}

/* Arrivals never go back. The longest wait is 71 minutes. */
static int64_t next_wait(struct bytes *bytes, unsigned how, int64_t usual_us)
{
    switch (how % 4) {
    case 0:
        return usual_us;
    case 1:
        return 0;
    case 2:
        return (int64_t)take(bytes, 2) * 100;
    default:
        return (int64_t)take(bytes, 4);
    }
}

static void play(struct stream *stream, struct bytes *bytes, AVRational base, int64_t usual_us, int delay, bool sorted)
{
    int64_t stamp = 0, step = av_rescale_q(usual_us, (AVRational){1, 1000000}, base);
    AVPacket *packet = av_packet_alloc();
    check(packet != NULL);
    while (bytes->at < bytes->end) {
        unsigned kind = (unsigned)take(bytes, 1);
        int64_t wait_us = next_wait(bytes, kind >> 2, usual_us), pts = next_stamp(bytes, kind, stamp, step);
        stream->arrival_us += wait_us;
        stream->longest_wait_us = wait_us > stream->longest_wait_us ? wait_us : stream->longest_wait_us;
        if (pts != AV_NOPTS_VALUE)
            stamp = pts;
        packet->pts = packet->dts = pts;
        packet->flags = kind >> 4 == 15 ? AV_PKT_FLAG_CORRUPT : 0;
        bool reference = !(kind & 0x10), guessed = kind & 0x20;
        enum AVDiscard discard = pick_packet(stream->pick, packet, stream->arrival_us);
        check(discard == AVDISCARD_DEFAULT || discard == AVDISCARD_NONREF || discard == AVDISCARD_ALL);
        if (discard == AVDISCARD_ALL || (discard == AVDISCARD_NONREF && !reference)) {
            check_blind(stream);
            continue;
        }
        if (kind >> 4 == 14)
            pick_break(stream->pick);
        stream->held[stream->n_held++] = (struct picture){.pts = guessed && kind & 0x40 ? AV_NOPTS_VALUE : pts,
                                                          .best_effort = guessed ? stamp : pts,
                                                          .width = kind >> 4 == 13 ? 96 : 64};
        if (stream->n_held > delay)
            give_first(stream, sorted);
        check_blind(stream);
    }
    while (stream->n_held > 0)
        give_first(stream, sorted);
    av_packet_free(&packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER)
        return 0;
    unsigned flags = data[2];
    double fps = rates[data[0] % 8];
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    struct stream stream = {.live = flags & 1, .period_us = fps > 0 && !(flags & 8) ? 1e6 / fps : 0, .frame = av_frame_alloc(),
                            .arrival_us = 1000000};
    check(parameters && stream.frame && pick_open(&stream.pick, fps) == 0);
    parameters->codec_id = flags & 4 ? AV_CODEC_ID_MJPEG : AV_CODEC_ID_H264;
    pick_start(stream.pick, &(struct demux_stream){
        .version = 1, .parameters = parameters, .time_base = bases[data[3] % 8], .fps = nominals[data[1] % 8],
        .images = flags & 8, .timeless = flags & 2, .live = stream.live});
    struct bytes bytes = {data + HEADER, data + size};
    play(&stream, &bytes, bases[data[3] % 8], 1000 * (1 + data[4]), flags >> 5, flags & 0x10);
    pick_close(stream.pick);
    av_frame_free(&stream.frame);
    avcodec_parameters_free(&parameters);
    return 0;
}

#include "io/video/pick.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "io/video/gray.h"
#include "io/video/pacing.h"
#include "io/video/skip.h"

struct pick {
    double fps;
    bool started;
    AVRational time_base;
    int64_t last_timestamp;     /* of the picture before, in time_base; AV_NOPTS_VALUE: none yet */
    int64_t interval;           /* between pictures without timestamps, in time_base */
    int width, height;          /* of the picture before, as it came */
    struct pacing pacing;
    struct skip skip;
    struct gray *gray;          /* NULL: pick_resize() has not been called */
};

int pick_open(struct pick **ret, double fps)
{
    struct pick *pick = calloc(1, sizeof *pick);
    if (!pick)
        return -ENOMEM;
    pick->fps = fps;
    pick->last_timestamp = AV_NOPTS_VALUE;
    *ret = pick;
    return 0;
}

void pick_close(struct pick *pick)
{
    if (!pick)
        return;
    gray_close(pick->gray);
    free(pick);
}

int pick_resize(struct pick *pick, int width, int height)
{
    struct gray *gray;
    int r = gray_open(&gray, width, height);
    if (r < 0)
        return r;
    gray_close(pick->gray);
    pick->gray = gray;
    return 0;
}

void pick_start(struct pick *pick, const struct demux_stream *stream)
{
    skip_init(&pick->skip, stream->parameters->codec_id);
    if (pick->started)
        return;
    pick->started = true;
    pick->time_base = stream->time_base;
    pacing_init(&pick->pacing, stream->images ? 0 : pick->fps, stream->fps);
    double interval = 1 / ((stream->fps > 0 ? stream->fps : SOURCE_DEFAULT_FPS) * av_q2d(stream->time_base));
    pick->interval = interval >= 1 && interval < 1e15 ? llround(interval) : 1;
}

static int64_t to_us(const struct pick *pick, int64_t timestamp)
{
    return av_rescale_q(timestamp, pick->time_base, (AVRational){1, 1000000});
}

enum AVDiscard pick_packet(struct pick *pick, const AVPacket *packet)
{
    int64_t pts = packet->pts;
    return skip_packet(&pick->skip, &pick->pacing, packet, pts == AV_NOPTS_VALUE ? pts : to_us(pick, pts));
}

/* The picture's time, made up from the rate where the stream has none. */
static int64_t timestamp_us(struct pick *pick, const AVFrame *picture)
{
    int64_t timestamp = picture->best_effort_timestamp;
    if (timestamp == AV_NOPTS_VALUE)
        timestamp = pick->last_timestamp == AV_NOPTS_VALUE ? 0 : av_sat_add64(pick->last_timestamp, pick->interval);
    pick->last_timestamp = timestamp;
    return to_us(pick, timestamp);
}

bool pick_picture(struct pick *pick, const AVFrame *picture, int64_t *pts_us, bool *gap)
{
    int64_t us = timestamp_us(pick, picture);
    skip_picture(&pick->skip, &pick->pacing, picture, us);
    if (picture->width != pick->width || picture->height != pick->height)
        pacing_break(&pick->pacing);
    pick->width = picture->width;
    pick->height = picture->height;
    return pacing_next(&pick->pacing, us, pts_us, gap);
}

void pick_break(struct pick *pick)
{
    pacing_break(&pick->pacing);
}

int pick_gray(struct pick *pick, const AVFrame *picture, uint8_t *pixels, struct error *err)
{
    assert(pick->gray);
    return gray_convert(pick->gray, picture, pixels, err);
}

double pick_fps(const struct pick *pick)
{
    return pacing_fps(&pick->pacing);
}

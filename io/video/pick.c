#include "io/video/pick.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "io/video/gray.h"
#include "io/video/pacing.h"
#include "io/video/skip.h"

struct pick {
    double fps;
    bool started;
    bool live, timeless, stamped_here;
    AVRational time_base;
    struct display display;
    int width, height;          /* of the picture before, as a viewer shows it */
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
    pick->live = stream->live;
    pick->timeless = stream->timeless;
    pick->stamped_here = stream->stamped_here;
    pick->display = stream->display;
    pick->time_base = stream->time_base;
    pacing_init(&pick->pacing, stream->images ? 0 : pick->fps, stream->fps);
}

/* The time stamp in us; TIMING_NONE if it is missing, or made up from the rate of a live stream. */
static int64_t stamp_of(const struct pick *pick, int64_t timestamp)
{
    if (timestamp == AV_NOPTS_VALUE || (pick->live && pick->timeless))
        return TIMING_NONE;
    return av_rescale_q(timestamp, pick->time_base, (AVRational){1, 1000000});
}

enum AVDiscard pick_packet(struct pick *pick, const AVPacket *packet, int64_t arrival_us)
{
    return skip_packet(&pick->skip, &pick->pacing, packet, stamp_of(pick, packet->pts), pick->live ? arrival_us : TIMING_NONE);
}

bool pick_picture(struct pick *pick, const AVFrame *picture, int64_t arrival_us, int64_t *pts_us, enum source_break *cause)
{
    int64_t us = stamp_of(pick, picture->best_effort_timestamp);
    skip_picture(&pick->skip, &pick->pacing, picture, us);
    int width, height;
    display_size(&pick->display, picture, &width, &height);
    if (width != pick->width || height != pick->height)
        pacing_break(&pick->pacing, SOURCE_BREAK_SIZE);
    pick->width = width;
    pick->height = height;
    return pacing_next(&pick->pacing, us, pick->live ? arrival_us : TIMING_NONE, pts_us, cause);
}

void pick_break(struct pick *pick)
{
    pacing_break(&pick->pacing, SOURCE_BREAK_LOST);
}

enum source_time pick_time(const struct pick *pick)
{
    if (pick->stamped_here)
        return SOURCE_TIME_ARRIVAL;
    return pick->timeless && !pick->live ? SOURCE_TIME_RATE : pacing_time(&pick->pacing);
}

void pick_display(const struct pick *pick, const AVFrame *picture, int *width, int *height)
{
    display_size(&pick->display, picture, width, height);
}

int pick_gray(struct pick *pick, const AVFrame *picture, uint8_t *pixels, struct error *err)
{
    assert(pick->gray);
    return gray_convert(pick->gray, picture, display_turn(&pick->display, picture), pixels, err);
}

double pick_fps(const struct pick *pick)
{
    return pacing_fps(&pick->pacing);
}

#include "io/video/damage/blocks.h"

#include <libavutil/pixdesc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { SIDE = 16, ROWS = 24, COLUMNS = 40, JUMP = 12 };  /* JUMP: gray levels that an edge differs by, beyond its surroundings */
/* SAMPLES: columns of a part of a band. ACTIVE: the activity, in 1/256 levels, that LEAST parts of a band must have had. FALL: to
 * what share it falls. */
enum { BAND = 8, SMALL_BAND = 4, SAMPLES = 16, ACTIVE = 512, LEAST = 3, FALL = 4 };

/* Returns true if brightness jumps along an edge of SIDE pixels that begins at `at`. `across` is the step over the edge, `along`
 * the step to its next pixel. */
static bool jumps(const uint8_t *at, ptrdiff_t across, ptrdiff_t along)
{
    int step = 0, beside = 0;
    for (int k = 0; k < SIDE; k++, at += along) {
        step += abs(at[0] - at[-across]);
        beside += abs(at[across] - at[0]) + abs(at[-across] - at[-2 * across]);
    }
    return 2 * step - beside > 2 * SIDE * JUMP;
}

static bool is_measured(const AVFrame *frame)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    const uint64_t other = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BAYER |
                           AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_FLOAT;
    return format && !(format->flags & other) && format->comp[0].depth == 8 && format->comp[0].step == 1 &&
           format->comp[0].plane == 0 && frame->width >= BANDS_WIDTH && frame->height >= BANDS_HEIGHT;
}

static int measure_blocks(const AVFrame *frame)
{
    if (frame->width < BLOCKS_WIDTH || frame->height < BLOCKS_HEIGHT)
        return 0;
    /* Macroblocks at the border are left out: there the picture may be padded. */
    const int rows = frame->height / SIDE - 2, columns = frame->width / SIDE - 2;
    const int down = 1 + (rows - 1) / ROWS, right = 1 + (columns - 1) / COLUMNS;
    const ptrdiff_t line = frame->linesize[0];
    int edges = 0, on_grid = 0, beside = 0;
    for (int row = 1; row <= rows; row += down)
        for (int column = 1; column <= columns; column += right, edges += 2) {
            const uint8_t *at = frame->data[0] + row * SIDE * line + column * SIDE;
            on_grid += jumps(at, 1, line) + jumps(at, line, 1);
            beside += jumps(at + SIDE / 2, 1, line) + jumps(at + SIDE / 2 * line, line, 1);
        }
    return on_grid > beside ? 10000 * (on_grid - beside) / edges : 0;
}

/* The mean difference of a row from the row above, over rows [first, end) of a part, in 1/256 levels. */
static int activity_of(const AVFrame *frame, int first, int end, int part)
{
    const ptrdiff_t line = frame->linesize[0];
    const int width = frame->width / BLOCKS_PARTS, step = 1 + (width - 1) / SAMPLES, samples = 1 + (width - 1) / step;
    int64_t sum = 0;
    for (int y = first; y < end; y++) {
        const uint8_t *row = frame->data[0] + y * line + part * width, *above = row - line;
        for (int x = 0; x < width; x += step)
            sum += abs(row[x] - above[x]);
    }
    return (int)(256 * sum / ((int64_t)(end - first) * samples));
}

/* Measures rows [first, end) of a band, and keeps its activity. Returns true if it fell. */
static bool falls(uint16_t activity[BLOCKS_PARTS], const AVFrame *frame, int first, int end)
{
    int active = 0, fell = 0;
    for (int part = 0; part < BLOCKS_PARTS; part++) {
        const int now = activity_of(frame, first, end, part), before = activity[part];
        active += before > ACTIVE;
        fell += before > ACTIVE && now * FALL < before;
        activity[part] = (uint16_t)now;
    }
    return active >= LEAST && fell == active;
}

static int measure_bands(struct blocks *blocks, const AVFrame *frame)
{
    const bool compare = blocks->width == frame->width && blocks->height == frame->height;
    const int least = frame->height < BLOCKS_HEIGHT ? SMALL_BAND : BAND;
    const int rows = least * (1 + (frame->height - 1) / (least * BLOCKS_BANDS)), bands = frame->height / rows;
    int fell = 0;
    for (int i = 0; i < bands; i++)
        fell += falls(blocks->activity[i], frame, i > 0 ? i * rows : 1, (i + 1) * rows) && compare;
    blocks->width = frame->width;
    blocks->height = frame->height;
    return 10000 * fell / bands;
}

int blocks_measure(struct blocks *blocks, const AVFrame *frame)
{
    if (!is_measured(frame)) {
        blocks->width = 0;
        return -1;
    }
    const int jumping = measure_blocks(frame), fallen = measure_bands(blocks, frame);
    return jumping > fallen ? jumping : fallen;
}

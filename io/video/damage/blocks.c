#include "io/video/damage/blocks.h"

#include <libavutil/pixdesc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { SIDE = 16, ROWS = 24, COLUMNS = 40, JUMP = 12 };  /* JUMP: gray levels that an edge differs by, beyond its surroundings */

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
           format->comp[0].plane == 0 && frame->width >= BLOCKS_WIDTH && frame->height >= BLOCKS_HEIGHT;
}

int blocks_measure(const AVFrame *frame)
{
    if (!is_measured(frame))
        return -1;
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

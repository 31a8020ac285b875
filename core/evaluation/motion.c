#include "core/evaluation/motion.h"

#include <stddef.h>
#include <stdlib.h>

enum { CELL = 8, STEP = 4, CELLS = (MOTION_SIDE - CELL) / STEP + 1, TOP = 16, BLOCKS = MOTION_SIDE / STEP };

static int falling(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

double motion_score(const uint8_t *const frames[MOTION_FRAMES])
{
    /* A cell is four blocks of 4x4. The sum of eight differences over 64 pixels is below 2^26. */
    uint32_t blocks[BLOCKS][BLOCKS] = {{0}}, cells[CELLS * CELLS];
    uint64_t sum = 0;

    for (int t = 1; t < MOTION_FRAMES; t++)
        for (int y = 0; y < MOTION_SIDE; y++) {
            const uint8_t *now = frames[t] + y * MOTION_SIDE, *before = frames[t - 1] + y * MOTION_SIDE;

            for (int x = 0; x < MOTION_SIDE; x++) {
                int d = now[x] - before[x];
                blocks[y / STEP][x / STEP] += (uint32_t)(d * d);
            }
        }
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS; x++)
            cells[y * CELLS + x] = blocks[y][x] + blocks[y][x + 1] + blocks[y + 1][x] + blocks[y + 1][x + 1];
    qsort(cells, CELLS * CELLS, sizeof *cells, falling);
    for (int i = 0; i < TOP; i++)
        sum += cells[i];
    return (double)sum / (TOP * (double)(MOTION_FRAMES - 1) * CELL * CELL * 127.5 * 127.5);
}

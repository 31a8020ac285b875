#include "core/zones/hiding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS_MOST = 24 };

/* Level 0 is the picture; each further one has half as many rows and columns, rounded up. */
struct hiding {
    int levels;
    int rows[LEVELS_MOST], columns[LEVELS_MOST];
    uint8_t *covered;               /* [rows[0], columns[0]] */
    uint32_t *visible[LEVELS_MOST]; /* from level 1 on: how many pixels of a block are visible */
    uint32_t *value[LEVELS_MOST];   /* from level 1 on: the sum of the visible pixels; later the block's mean, in 1/256 */
    uint32_t *blocks;               /* of all levels */
};

size_t hiding_map(const struct zones *zones, int height, int width, uint8_t *ret)
{
    size_t n = 0;
    memset(ret, 0, (size_t)height * (size_t)width);
    for (int i = 0; zones && i < zones->n_masks; i++)
        polygon_fill(&zones->mask[i].area, &(struct polygon_plane){ret, width, width, height, 1, 1}, 1);
    /* Pixels beside a mask get a 2 first, so that their own neighbours stay 0. */
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int k = 0; ret[y * width + x] == 0 && k < 9; k++) {
                int v = y + k / 3 - 1, u = x + k % 3 - 1;
                if (v >= 0 && v < height && u >= 0 && u < width && ret[v * width + u] == 1)
                    ret[y * width + x] = 2;
            }
    for (size_t i = 0; i < (size_t)height * (size_t)width; i++)
        n += ret[i] = ret[i] != 0;
    return n;
}

/* Adds the blocks of each level from 1 on to those of the level above, which hold zeroes. */
static void add_up(const struct hiding *h, uint32_t *const *sums)
{
    for (int l = 1; l + 1 < h->levels; l++)
        for (int r = 0; r < h->rows[l]; r++)
            for (int c = 0; c < h->columns[l]; c++)
                sums[l + 1][r / 2 * h->columns[l + 1] + c / 2] += sums[l][r * h->columns[l] + c];
}

static size_t measure_levels(struct hiding *h, int height, int width)
{
    size_t blocks = 0;
    h->levels = 1;
    for (h->rows[0] = height, h->columns[0] = width; height > 1 || width > 1; h->levels++) {
        height = (height + 1) / 2;
        width = (width + 1) / 2;
        h->rows[h->levels] = height;
        h->columns[h->levels] = width;
        blocks += (size_t)height * (size_t)width;
    }
    return blocks;
}

int hiding_open(struct hiding **ret, const struct zones *zones, int height, int width)
{
    size_t pixels = (size_t)height * (size_t)width;
    if (!zones || zones->n_masks == 0) {
        *ret = NULL;
        return 0;
    }
    struct hiding *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    size_t blocks = measure_levels(h, height, width);
    h->covered = malloc(pixels);
    h->blocks = calloc(2 * blocks + 1, sizeof *h->blocks);
    if (!h->covered || !h->blocks) {
        hiding_close(h);
        return -ENOMEM;
    }
    if (hiding_map(zones, height, width, h->covered) == pixels) {
        hiding_close(h);
        return -EINVAL;
    }
    uint32_t *at = h->blocks;
    for (int l = 1; l < h->levels; l++) {
        size_t n = (size_t)h->rows[l] * (size_t)h->columns[l];
        h->visible[l] = at;
        h->value[l] = at + n;
        at += 2 * n;
    }
    for (int r = 0; h->levels > 1 && r < height; r++)
        for (int c = 0; c < width; c++)
            h->visible[1][r / 2 * h->columns[1] + c / 2] += !h->covered[r * width + c];
    add_up(h, h->visible);
    *ret = h;
    return 0;
}

void hiding_close(struct hiding *hiding)
{
    if (!hiding)
        return;
    free(hiding->covered);
    free(hiding->blocks);
    free(hiding);
}

/* The value at the middle of block (r, c) of the level below, interpolated bilinearly between the blocks of a level; in 1/256. */
static uint32_t between(const struct hiding *h, int level, int r, int c)
{
    int rows = h->rows[level], columns = h->columns[level], y = r / 2, x = c / 2, v = r % 2 ? y + 1 : y - 1,
        u = c % 2 ? x + 1 : x - 1;
    v = v < 0 || v >= rows ? y : v;
    u = u < 0 || u >= columns ? x : u;
    const uint32_t *value = h->value[level];
    return (9 * value[y * columns + x] + 3 * value[v * columns + x] + 3 * value[y * columns + u] + value[v * columns + u] + 8) /
           16;
}

void hiding_fill(struct hiding *h, uint8_t *picture)
{
    if (!h || h->levels < 2)
        return;
    int columns = h->columns[0];
    for (int l = 1; l < h->levels; l++)
        memset(h->value[l], 0, (size_t)h->rows[l] * (size_t)h->columns[l] * sizeof *h->value[l]);
    for (int r = 0; r < h->rows[0]; r++)
        for (int c = 0; c < columns; c++)
            if (!h->covered[r * columns + c])
                h->value[1][r / 2 * h->columns[1] + c / 2] += picture[r * columns + c];
    add_up(h, h->value);
    for (int l = h->levels - 1; l > 0; l--)         /* from the whole picture, which has a visible pixel, down */
        for (int r = 0; r < h->rows[l]; r++)
            for (int c = 0; c < h->columns[l]; c++) {
                int i = r * h->columns[l] + c;
                uint64_t sum = h->value[l][i], n = h->visible[l][i];
                h->value[l][i] = n > 0 ? (uint32_t)((256 * sum + n / 2) / n) : between(h, l + 1, r, c);
            }
    for (int r = 0; r < h->rows[0]; r++)
        for (int c = 0; c < columns; c++)
            if (h->covered[r * columns + c])
                picture[r * columns + c] = (uint8_t)((between(h, 1, r, c) + 128) / 256);
}

#include "core/zones/burning.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 2 };            /* blocks */
enum { BLACK = 16, COLOURLESS = 128 };

/* A part of a row of blocks that is covered. */
struct run {
    int row, first, n;
};

struct burning {
    size_t n;
    struct run runs[];
};

void privacy_of(struct privacy *ret, const struct zones *zones)
{
    memset(ret, 0, sizeof *ret);
    for (int i = 0; zones && i < zones->n_masks; i++)
        if (zones->mask[i].privacy)
            ret->areas[ret->n++] = zones->mask[i].area;
}

int privacy_check(const struct privacy *privacy, struct error *err)
{
    if (privacy->n < 0 || privacy->n > ZONES_MASKS_MOST)
        return error_set(err, -EINVAL, "expected at most %d masks, got %d", ZONES_MASKS_MOST, privacy->n);
    for (int i = 0; i < privacy->n; i++) {
        int r = polygon_check(&privacy->areas[i], err);
        if (r < 0)
            return error_prefix(err, r, "mask %d", i + 1);
    }
    return 0;
}

/* Writes 1 to each block within MARGIN blocks of one that is set, along one axis: n lines of `length` blocks. */
static void widen(uint8_t *to, const uint8_t *from, int n, ptrdiff_t line, int length, ptrdiff_t step)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < length; k++)
            for (int d = -MARGIN; d <= MARGIN; d++)
                if (k + d >= 0 && k + d < length && from[i * line + (k + d) * step])
                    to[i * line + k * step] = 1;
}

/* Finds the runs of the map; runs NULL: counts them. */
static size_t find_runs(const uint8_t *map, int rows, int columns, struct run *runs)
{
    size_t n = 0;
    for (int r = 0; r < rows; r++, map += columns)
        for (int c = 0; c < columns; c++) {
            int first = c;
            while (c < columns && map[c])
                c++;
            if (c == first)
                continue;
            if (runs)
                runs[n] = (struct run){r, first, c - first};
            n++;
        }
    return n;
}

int burning_open(struct burning **ret, const struct privacy *privacy, int width, int height)
{
    int rows = height / 2, columns = width / 2;
    size_t size = (size_t)rows * (size_t)columns;
    if (privacy->n == 0) {
        *ret = NULL;
        return 0;
    }
    uint8_t *map = calloc(3, size);     /* the masks; widened along rows; along columns, too */
    if (!map)
        return -ENOMEM;
    for (int i = 0; i < privacy->n; i++)
        polygon_fill(&privacy->areas[i], &(struct polygon_plane){.samples = map, .stride = columns, .width = width,
                                                                 .height = height, .step_x = 2, .step_y = 2}, 1);
    widen(map + size, map, rows, columns, columns, 1);
    widen(map + 2 * size, map + size, columns, 1, rows, columns);
    size_t n = find_runs(map + 2 * size, rows, columns, NULL);
    struct burning *burning = malloc(sizeof *burning + n * sizeof burning->runs[0]);
    if (burning) {
        burning->n = find_runs(map + 2 * size, rows, columns, burning->runs);
        *ret = burning;
    }
    free(map);
    return burning ? 0 : -ENOMEM;
}

void burning_close(struct burning *burning)
{
    free(burning);
}

void burning_apply(const struct burning *burning, uint8_t *const planes[3], const int strides[3])
{
    for (size_t i = 0; burning && i < burning->n; i++) {
        const struct run *run = &burning->runs[i];
        for (int y = 0; y < 2; y++)
            memset(planes[0] + (ptrdiff_t)(2 * run->row + y) * strides[0] + 2 * run->first, BLACK, 2 * (size_t)run->n);
        for (int p = 1; p < 3; p++)
            memset(planes[p] + (ptrdiff_t)run->row * strides[p] + run->first, COLOURLESS, (size_t)run->n);
    }
}

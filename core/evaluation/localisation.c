#include "core/evaluation/localisation.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/evaluation/tracks.h"
#include "core/score/component.h"

/* The changes when the falling threshold reaches the value of a frame's cell. */
struct step {
    float value;
    uint32_t abnormal, normal;                  /* pixels of the cell */
    int32_t false_regions;                      /* change of their number, may be negative */
};

/* A region of a mask that becomes detected, or ceases to be, when the falling threshold reaches this value. */
struct change {
    float value;
    uint32_t region;                            /* number among all regions, from 0 */
    bool detected;
};

struct localisation {
    struct step *steps;
    struct change *changes;
    uint32_t *track;                            /* [regions] the track of each region, from 0 */
    size_t n, room, n_changes, changes_room, track_room;
    size_t frames, regions, tracks;

    /* The previous mask of the same clip. Its regions are the last ones of `track`. */
    uint32_t *last;                             /* [last_h, last_w] region of each pixel; NULL: a clip begins */
    int last_h, last_w;
    uint32_t last_regions;
};

int localisation_open(struct localisation **ret)
{
    struct localisation *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    *ret = l;
    return 0;
}

void localisation_close(struct localisation *l)
{
    if (!l)
        return;
    free(l->steps);
    free(l->changes);
    free(l->track);
    free(l->last);
    free(l);
}

void localisation_begin_clip(struct localisation *l)
{
    free(l->last);
    l->last = NULL;
}

size_t localisation_frames(const struct localisation *l) { return l->frames; }
size_t localisation_regions(const struct localisation *l) { return l->regions; }
size_t localisation_tracks(const struct localisation *l) { return l->tracks; }

/* ---- one frame ---------------------------------------------------------------------------------------------------- */

/* Writes to region [h, w] the number of each pixel's connected component, from 1; 0 for normal pixels. Returns how many
 * components there are. members: scratch of [h * w]. */
static uint32_t label_regions(uint32_t *region, uint32_t *members, const uint8_t *mask, int h, int w)
{
    size_t pixels = (size_t)h * (size_t)w;
    uint32_t n = 0;

    for (size_t i = 0; i < pixels; i++)
        region[i] = mask[i] ? COMPONENT_NEW : COMPONENT_NONE;
    for (size_t i = 0; i < pixels; i++)
        if (region[i] == COMPONENT_NEW)
            component_number(region, members, h, w, i, ++n);
    return n;
}

/* The components of the cells at or above the threshold, as a union-find forest. The arrays hold a component's values at its
 * root. */
struct frame {
    int map_h, map_w;
    uint32_t regions;           /* of the mask */
    size_t *parent;             /* [cells]; the number of cells for a cell below the threshold */
    uint32_t *area;             /* [cells] pixels of the component */
    uint32_t *overlap;          /* [cells, regions] pixels that the component shares with each region of the mask */
    uint32_t *region_area;      /* [regions] pixels */
    uint32_t *detectors;        /* [regions] components that detect the region */
    bool *detected;             /* [regions] whether it was detected before the present cell was added */
    int32_t false_regions;
};

static size_t root_of(struct frame *f, size_t cell)
{
    while (f->parent[cell] != cell)
        cell = f->parent[cell] = f->parent[f->parent[cell]];
    return cell;
}

/* Adds a component to false_regions and detectors, or removes it. */
static void count(struct frame *f, size_t root, bool in)
{
    const uint32_t *overlap = f->overlap + root * f->regions;
    bool detects = false;

    for (uint32_t r = 0; r < f->regions; r++) {
        /* Skip unless intersection / union >= 0.1, in integers. */
        if (10 * (uint64_t)overlap[r] < (uint64_t)f->area[root] + f->region_area[r] - overlap[r])
            continue;
        detects = true;
        f->detectors[r] += in ? 1 : -1;
    }
    if (!detects)
        f->false_regions += in ? 1 : -1;
}

/* Adds a cell that the falling threshold has reached, and joins it with its neighbours' components. */
static void raise_cell(struct frame *f, size_t cell)
{
    size_t cells = (size_t)f->map_h * (size_t)f->map_w;
    int y = (int)(cell / (size_t)f->map_w), x = (int)(cell % (size_t)f->map_w);

    f->parent[cell] = cell;
    for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < f->map_h; v++)
        for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < f->map_w; u++) {
            size_t next = (size_t)v * (size_t)f->map_w + (size_t)u, root;

            if (f->parent[next] == cells || (root = root_of(f, next)) == cell)
                continue;
            count(f, root, false);
            f->parent[root] = cell;
            f->area[cell] += f->area[root];
            for (uint32_t r = 0; r < f->regions; r++)
                f->overlap[cell * f->regions + r] += f->overlap[root * f->regions + r];
        }
    count(f, cell, true);
}

struct ranked {
    float value;
    size_t cell;
};

static int falling_cells(const void *a, const void *b)
{
    float x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;

    return (x < y) - (x > y);
}

/* Makes room for `needed` items of an array. Returns the array, which may have moved; NULL: no memory, the array stays. */
static void *grow(void *array, size_t *room, size_t needed, size_t size)
{
    size_t more = *room ? *room : 4096;
    void *moved;

    if (array && needed <= *room)
        return array;
    while (more < needed)
        more *= 2;
    moved = realloc(array, more * size);
    if (moved)
        *room = more;
    return moved;
}

/* Makes room for the steps of a frame and for the tracks of its regions. */
static int reserve(struct localisation *l, size_t cells, size_t regions)
{
    struct step *steps = grow(l->steps, &l->room, l->n + cells, sizeof *steps);
    uint32_t *track = grow(l->track, &l->track_room, l->regions + regions, sizeof *track);

    l->steps = steps ? steps : l->steps;
    l->track = track ? track : l->track;
    return steps && track ? 0 : -ENOMEM;
}

/* Records the regions that the last cell has made detected, or no longer detected. */
static int note_changes(struct localisation *l, struct frame *f, float value)
{
    struct change *changes = grow(l->changes, &l->changes_room, l->n_changes + f->regions, sizeof *changes);

    if (!changes)
        return -ENOMEM;
    l->changes = changes;
    for (uint32_t r = 0; r < f->regions; r++) {
        if (f->detected[r] == (f->detectors[r] > 0))
            continue;
        f->detected[r] = !f->detected[r];
        changes[l->n_changes++] = (struct change){value, (uint32_t)l->regions + r, f->detected[r]};
    }
    return 0;
}

/* Gives each region of a mask the track of the region that it continues, or a new track. Keeps the mask for the next call: takes
 * `region` on success. Changes nothing on failure. */
static int follow(struct localisation *l, uint32_t *region, uint32_t n, int h, int w)
{
    uint32_t *track = l->track + l->regions, *before = track - l->last_regions;
    bool follows = l->last && l->last_h == h && l->last_w == w;

    if (follows && tracks_link(track, l->last, l->last_regions, region, n, (size_t)h * (size_t)w) < 0)
        return -ENOMEM;
    for (uint32_t r = 0; r < n; r++)
        track[r] = follows && track[r] ? before[track[r] - 1] : (uint32_t)l->tracks++;
    free(l->last);
    l->last = region;
    l->last_h = h;
    l->last_w = w;
    l->last_regions = n;
    return 0;
}

int localisation_add(struct localisation *l, const float *map, int map_h, int map_w, const uint8_t *mask, int h, int w)
{
    size_t cells = (size_t)map_h * (size_t)map_w, pixels = (size_t)h * (size_t)w;
    struct frame f = {.map_h = map_h, .map_w = map_w};
    size_t n_before = l->n, n_changes_before = l->n_changes;
    struct ranked *ranked = NULL;
    uint32_t *region = NULL, *members = NULL, *abnormal = NULL;
    int r = -ENOMEM;

    if (map_h < 1 || map_w < 1 || map_h > h || map_w > w)
        return -EINVAL;
    for (size_t i = 0; i < cells; i++)
        if (isnan(map[i]))
            return -EDOM;
    region = malloc(pixels * sizeof *region);
    members = malloc(pixels * sizeof *members);
    ranked = malloc(cells * sizeof *ranked);
    abnormal = calloc(cells, sizeof *abnormal);
    f.parent = malloc(cells * sizeof *f.parent);
    f.area = calloc(cells, sizeof *f.area);
    if (!region || !members || !ranked || !abnormal || !f.parent || !f.area)
        goto end;
    f.regions = label_regions(region, members, mask, h, w);
    f.overlap = calloc(cells * f.regions + 1, sizeof *f.overlap);
    f.region_area = calloc(f.regions + 1, sizeof *f.region_area);
    f.detectors = calloc(f.regions + 1, sizeof *f.detectors);
    f.detected = calloc(f.regions + 1, sizeof *f.detected);
    if (!f.overlap || !f.region_area || !f.detectors || !f.detected || reserve(l, cells, f.regions) < 0)
        goto end;

    for (size_t i = 0; i < pixels; i++) {
        size_t y = i / (size_t)w, x = i % (size_t)w;
        size_t cell = y * (size_t)map_h / (size_t)h * (size_t)map_w + x * (size_t)map_w / (size_t)w;

        f.area[cell]++;
        if (!region[i])
            continue;
        abnormal[cell]++;
        f.overlap[cell * f.regions + region[i] - 1]++;
        f.region_area[region[i] - 1]++;
    }
    for (size_t i = 0; i < cells; i++) {
        ranked[i] = (struct ranked){map[i], i};
        f.parent[i] = cells;
    }
    qsort(ranked, cells, sizeof *ranked, falling_cells);
    for (size_t i = 0; i < cells; i++) {
        size_t cell = ranked[i].cell;
        uint32_t area = f.area[cell];
        int32_t false_before = f.false_regions;

        raise_cell(&f, cell);
        l->steps[l->n++] = (struct step){.value = map[cell],
                                         .abnormal = abnormal[cell],
                                         .normal = area - abnormal[cell],
                                         .false_regions = f.false_regions - false_before};
        if (note_changes(l, &f, map[cell]) < 0)
            goto end;
    }
    if (follow(l, region, f.regions, h, w) < 0)
        goto end;
    region = NULL;
    l->frames++;
    l->regions += f.regions;
    r = 0;
end:
    if (r < 0) {
        l->n = n_before;
        l->n_changes = n_changes_before;
    }
    free(region);
    free(members);
    free(ranked);
    free(abnormal);
    free(f.parent);
    free(f.area);
    free(f.overlap);
    free(f.region_area);
    free(f.detectors);
    free(f.detected);
    return r;
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

static int falling_steps(const void *a, const void *b)
{
    float x = ((const struct step *)a)->value, y = ((const struct step *)b)->value;

    return (x < y) - (x > y);
}

int localisation_pixel_auc(double *ret, struct localisation *l)
{
    double wins = 0, positives = 0, negatives = 0;

    if (l->n == 0)
        return -EDOM;
    /* Equal values form a group. An abnormal pixel wins over each normal one below its group, and half over each in its group. */
    qsort(l->steps, l->n, sizeof *l->steps, falling_steps);
    for (size_t i = 0, next; i < l->n; i = next) {
        double p = 0, q = 0;

        for (next = i; next < l->n && l->steps[next].value == l->steps[i].value; next++) {
            p += l->steps[next].abnormal;
            q += l->steps[next].normal;
        }
        wins += q * (positives + p / 2);
        positives += p;
        negatives += q;
    }
    if (positives == 0 || negatives == 0)
        return -EDOM;
    *ret = wins / (positives * negatives);
    return 0;
}

static int falling_changes(const void *a, const void *b)
{
    float x = ((const struct change *)a)->value, y = ((const struct change *)b)->value;

    return (x < y) - (x > y);
}

/* A track, or for RBDC a single region. */
struct group {
    uint32_t regions, detected;
};

/* Returns true if at least a tenth of the group's regions is detected. */
static bool is_detected(const struct group *g) { return 10 * (uint64_t)g->detected >= g->regions; }

/* The area under the curve of the share of groups detected. group_of: [regions] from 0; NULL: each region is a group. */
static int criterion(double *ret, struct localisation *l, const uint32_t *group_of, size_t n_groups)
{
    int64_t *best, false_regions = 0, detected = 0, most = 0;
    struct group *groups;
    double area = 0;

    if (n_groups == 0)
        return -EDOM;
    best = calloc(l->frames + 1, sizeof *best);         /* by number of false positives: the most groups detected */
    groups = calloc(n_groups, sizeof *groups);
    if (!best || !groups) {
        free(best);
        free(groups);
        return -ENOMEM;
    }
    for (size_t i = 0; i < l->regions; i++)
        groups[group_of ? group_of[i] : i].regions++;
    qsort(l->steps, l->n, sizeof *l->steps, falling_steps);
    qsort(l->changes, l->n_changes, sizeof *l->changes, falling_changes);
    for (size_t i = 0, c = 0; i < l->n;) {
        float value = l->steps[i].value;

        for (; i < l->n && l->steps[i].value == value; i++)
            false_regions += l->steps[i].false_regions;
        for (; c < l->n_changes && l->changes[c].value == value; c++) {
            uint32_t region = l->changes[c].region;
            struct group *g = &groups[group_of ? group_of[region] : region];

            detected -= is_detected(g);
            g->detected += l->changes[c].detected ? 1 : -1;
            detected += is_detected(g);
        }
        if (false_regions > (int64_t)l->frames)
            break;
        if (best[false_regions] < detected)
            best[false_regions] = detected;
    }
    for (size_t i = 0; i < l->frames; i++) {
        if (most < best[i])
            most = best[i];
        area += (double)most;
    }
    free(best);
    free(groups);
    *ret = area / ((double)l->frames * (double)n_groups);
    return 0;
}

int localisation_rbdc(double *ret, struct localisation *l)
{
    return criterion(ret, l, NULL, l->regions);
}

int localisation_tbdc(double *ret, struct localisation *l)
{
    return criterion(ret, l, l->track, l->tracks);
}

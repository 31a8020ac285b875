#include "daemon/learn/still_learner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/still/still_builder.h"
#include "core/zones/hiding.h"

/* Only the frames that a slow picture samples are read. */
static int add_range(struct still_builder *builder, enum still_part part, const struct still_learner_options *o,
                     struct footage_range range, uint8_t *pixels, struct error *err)
{
    double frame_us = 1e6 / footage_fps(o->footage);
    size_t sampled = range.begin;
    bool gap = true;
    for (size_t i = range.begin; i < range.end; i++) {
        gap = gap || !footage_window_ok(o->footage, i - 1, 2);
        if (!gap && (double)(i - sampled) * frame_us < SLOW_PERIOD_US)
            continue;
        if (o->stop && atomic_load(o->stop))
            return error_set(err, -EINTR, "interrupted");
        int r = footage_read(o->footage, i, 1, pixels, err);
        if (r < 0)
            return r;
        if (still_builder_add(builder, part, pixels, (int64_t)((double)i * frame_us), gap) < 0)
            return error_set(err, -ENOMEM, "out of memory");
        sampled = i;
        gap = false;
    }
    return 0;
}

static int add_part(struct still_builder *builder, enum still_part part, const struct still_learner_options *o,
                    const struct footage_part *from, uint8_t *pixels, struct error *err)
{
    int r = 0;
    for (size_t k = 0; r == 0 && k < from->rounds; k++)
        r = add_range(builder, part, o, footage_part_range(from, k), pixels, err);
    return r;
}

int still_learner_run(struct still_memory **ret, const struct still_learner_options *o, struct error *err)
{
    int width, height;
    footage_size(o->footage, &width, &height);
    struct slow_shape shape;
    if (!slow_shape_of(&shape, height, width) || footage_fps(o->footage) <= 0) {
        *ret = NULL;
        return 0;
    }
    struct still_builder *builder = NULL;
    struct still_memory *memory = malloc(sizeof *memory);
    uint8_t *pixels = malloc((size_t)width * (size_t)height);
    int r = memory && pixels ? still_builder_open(&builder, height, width, STILL_STORE_BYTES) : -ENOMEM;
    if (r < 0)
        error_set(err, r, "out of memory");
    if (r == 0 && hiding_map(footage_zones(o->footage), height, width, pixels) > 0)
        still_builder_leave_out(builder, pixels);
    if (r == 0 && !o->memory)
        r = add_part(builder, STILL_LEARNED, o, &o->learned, pixels, err);
    if (r == 0)
        r = add_part(builder, STILL_CALIBRATED, o, &o->calibrated, pixels, err);
    if (r == 0 && o->added)
        r = add_part(builder, STILL_CALIBRATED, o, o->added, pixels, err);
    if (r == 0 && (r = still_builder_finish(builder, o->memory, memory)) == -ENOMEM)
        error_set(err, r, "out of memory");
    if (r == -ENODATA || r == 0) {
        *ret = r == 0 ? memory : NULL;
        memory = r == 0 ? NULL : memory;
        r = 0;
    }
    still_builder_close(builder);
    free(memory);
    free(pixels);
    return r;
}

void still_learner_report(const struct still_memory *memory)
{
    if (memory)
        printf("what stands still is watched in %d kind%s of light\n", still_lights_known(memory),
               still_lights_known(memory) > 1 ? "s" : "");
    else
        printf("what stands still is not watched: that takes about three hours of footage in one light\n");
}

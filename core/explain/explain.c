#include "core/explain/explain.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { STEP = 4, SIZE = 8 };    /* of a cell, pixels; as in core/score/score.h */

int explained_open(struct explained *ret, const struct arch *arch, struct error *err)
{
    struct explained explained = {.height = arch->height, .width = arch->width};
    struct heat_map *heat = &explained.heat;
    if (arch_check_camera(arch, err) < 0)
        return -EINVAL;
    if (!score_cells(arch, &heat->rows, &heat->columns))
        return error_set(err, -EINVAL, "expected windows of at least 4 frames of %dx%d pixels, got %d of %dx%d", SIZE, SIZE,
                         arch->frames, arch->width, arch->height);
    explained.drawn = malloc((size_t)arch->height * (size_t)arch->width);
    explained.map = malloc((size_t)heat->rows * (size_t)heat->columns * sizeof *explained.map);
    if (!explained.drawn || !explained.map) {
        explained_close(&explained);
        return error_set(err, -ENOMEM, "out of memory");
    }
    heat->values = explained.map;
    heat->first_x = heat->step_x = (float)STEP / (float)arch->width;
    heat->first_y = heat->step_y = (float)STEP / (float)arch->height;
    *ret = explained;
    return 0;
}

void explained_close(struct explained *explained)
{
    free(explained->drawn);
    free(explained->map);
    *explained = (struct explained){0};
}

/* The mean size of the residual in each cell, over the middle half of the frames. */
static void map_errors(const struct arch *arch, const struct plan_result *result, const struct heat_map *grid, float *map)
{
    int first = arch->frames / 4, end = arch->frames * 3 / 4;
    for (int r = 0; r < grid->rows; r++)
        for (int c = 0; c < grid->columns; c++) {
            float sum = 0;
            for (int t = first; t < end; t++)
                for (int y = r * STEP; y < r * STEP + SIZE; y++)
                    for (int x = c * STEP; x < c * STEP + SIZE; x++) {
                        size_t i = ((size_t)t * (size_t)arch->height + (size_t)y) * (size_t)arch->width + (size_t)x;
                        sum += fabsf(result->x_hat[i] - result->x[i]);
                    }
            *map++ = sum / (float)((end - first) * SIZE * SIZE);
        }
}

static void find_loudest(const struct explained *explained, struct explanation *ret)
{
    const struct heat_map *heat = &explained->heat;
    int best = 0;
    for (int i = 1; i < heat->rows * heat->columns; i++)
        if (explained->map[i] > explained->map[best])
            best = i;
    ret->loudest_value = explained->map[best];
    ret->loudest_x = heat->first_x + heat->step_x * (float)(best % heat->columns);
    ret->loudest_y = heat->first_y + heat->step_y * (float)(best / heat->columns);
}

static void set_scale(struct explained *explained, const struct calibration *calibration)
{
    double sum = 0;
    int cells = explained->heat.rows * explained->heat.columns, n = 0;
    float highest = explained->explanation.loudest_value;
    for (int i = 0; i < cells; i++)
        if (isfinite(explained->map[i])) {      /* the cell counts */
            sum += (double)explained->map[i];
            n++;
        }
    float mean = n ? (float)(sum / n) : 0;
    explained->is_calibrated = calibration && calibration->threshold > calibration->median;
    if (explained->is_calibrated)
        explained->scale = (struct heat_scale){(float)calibration->median, (float)calibration->threshold};
    else
        explained->scale = (struct heat_scale){mean, highest > mean ? mean + (highest - mean) * HEAT_ALERT : mean + 1};
}

static void draw(const struct arch *arch, const struct plan_result *result, uint8_t *drawn)
{
    size_t n = (size_t)arch->height * (size_t)arch->width;
    const float *x_hat = result->x_hat + (size_t)(arch->frames / 2) * n;
    for (size_t i = 0; i < n; i++)
        drawn[i] = (uint8_t)lrintf(255 * fminf(fmaxf(x_hat[i] * arch->std + arch->mean, 0), 1));
}

/* ---- slots -------------------------------------------------------------------------------------------------------- */

/* The mean weight of a slot over n queries, every `step`th from `first` on. */
static float mean_weight(const struct plan_result *result, int slots, int slot, size_t first, size_t step, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)result->weights[(first + i * step) * (size_t)slots + (size_t)slot];
    return (float)(sum / (double)n);
}

/* The query of the loudest place at the first time. */
static size_t query_at(struct dims z, const struct explanation *at)
{
    int x = (int)(at->loudest_x * (float)z.w), y = (int)(at->loudest_y * (float)z.h);
    return (size_t)(y < z.h ? y : z.h - 1) * (size_t)z.w + (size_t)(x < z.w ? x : z.w - 1);
}

/* Puts the slot into the list, largest weight first; of equal ones, the lower number first. */
static void rank(struct explanation *ret, struct explanation_slot slot)
{
    int at = ret->n_slots < EXPLANATION_SLOTS ? ret->n_slots++ : EXPLANATION_SLOTS;
    for (; at > 0 && ret->slots[at - 1].weight < slot.weight; at--)
        if (at < EXPLANATION_SLOTS)
            ret->slots[at] = ret->slots[at - 1];
    if (at < EXPLANATION_SLOTS)
        ret->slots[at] = slot;
}

static void find_slots(const struct plan *plan, const struct plan_result *result, struct explanation *ret)
{
    const struct dims z = plan_shapes(plan)->decoder[0];
    int slots = result->weights ? plan_arch(plan)->memory.slots : 0;
    size_t place = (size_t)z.h * (size_t)z.w, first = query_at(z, ret);
    ret->slots_of_memory = slots;
    for (int s = 0; s < slots; s++) {
        float weight = mean_weight(result, slots, s, first, place, (size_t)z.t);
        ret->slots_answering += weight > 0;
        if (weight > 0)
            rank(ret, (struct explanation_slot){.slot = s, .weight = weight});
    }
    for (int i = 0; i < ret->n_slots; i++)
        ret->slots[i].weight_of_picture = mean_weight(result, slots, ret->slots[i].slot, 0, 1, place * (size_t)z.t);
}

/* ---- the window --------------------------------------------------------------------------------------------------- */

static void score(const struct plan *plan, const struct calibration *calibration, const struct regions *regions,
                  const struct plan_result *result, struct explanation *ret)
{
    struct score_features features;
    ret->reference = result->reference;
    ret->score = calibration_score(calibration, plan, result, regions, &features, &ret->voices);
    ret->loudest = voices_loudest(&ret->voices);
    if (!calibration)
        return;
    ret->threshold = (float)calibration->threshold;
    ret->close_threshold = (float)fmin(calibration->close_threshold, calibration->threshold);
    if (calibration->has_tail) {
        ret->footage_hours = calibration->tail.hours;
        ret->p_value = tail_p_value(&calibration->tail, (double)ret->score);
        ret->hours_between = tail_hours_between(&calibration->tail, (double)ret->score);
    }
}

void explain_window(const struct plan *plan, const struct calibration *calibration, const struct regions *regions,
                    const uint8_t *const frames[], void *workspace, struct explained *explained)
{
    const struct arch *arch = plan_arch(plan);
    struct plan_result result;
    struct explanation *ret = &explained->explanation;
    *ret = (struct explanation){.threshold = NAN, .close_threshold = NAN, .p_value = NAN, .hours_between = NAN,
                                 .footage_hours = NAN};
    plan_run(plan, frames, workspace, &result);
    score(plan, calibration, regions, &result, ret);
    if (calibration && calibration->has_score)
        score_map(&calibration->score, arch, regions, result.scratch, explained->map);
    else
        map_errors(arch, &result, &explained->heat, explained->map);
    find_loudest(explained, ret);
    set_scale(explained, calibration);
    draw(arch, &result, explained->drawn);
    find_slots(plan, &result, ret);
    /* The boxes come last, because they overwrite the scratch of the score. */
    calibration_boxes(calibration, plan, &result, regions, ret->score, ret->threshold, ret->close_threshold, &ret->boxes);
}

/* core/explain: explanations of golden models agree with the plan's result, and with figures computed here by definition. */
#include "core/explain/explain.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/rng.h"
#include "io/model/model_file.h"
#include "tests/suite.h"

enum { FRAMES = 16, SIDE = 32, PIXELS = SIDE * SIDE, ROWS = SIDE / 4 - 1 };

static struct model_file file;
static struct plan *plan;
static void *workspace;
static uint8_t pixels[FRAMES][PIXELS];
static const uint8_t *frames[FRAMES];
static struct explained explained;
static struct plan_result result;
static struct calibration calibration;

static void teardown(void)
{
    explained_close(&explained);
    free(workspace);
    plan_close(plan);
    model_file_clear(&file);
}

/* Opens a model, and draws noisy pictures in which a bright square moves along the right. */
static void open_model(const char *name)
{
    struct rng rng;
    struct error err;
    char path[100];
    kernels_choose(NULL);
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", name);
    ck_assert_msg(model_file_load(&file, path, &err) == 0, "%s", err.text);
    ck_assert_int_eq(calibration_open_plan(&plan, file.model, NULL, PRECISION_FP32, &err), 0);
    ck_assert_ptr_nonnull(workspace = plan_workspace_new(plan));
    ck_assert_msg(explained_open(&explained, &file.model->arch, &err) == 0, "%s", err.text);
    rng_seed(&rng, 5);
    for (int i = 0; i < PIXELS; i++)
        pixels[0][i] = (uint8_t)(80 + rng_below(&rng, 40));
    for (int t = FRAMES; t-- > 0; frames[t] = pixels[t])
        for (int i = 0; i < PIXELS; i++) {
            int x = i % SIDE, y = i / SIDE;
            pixels[t][i] = x >= 20 && x < 28 && y >= t && y < t + 8 ? 250 : pixels[0][i];
        }
    calibration = (struct calibration){
        .threshold = 3, .close_threshold = 1, .median = -2, .has_score = true,
        .score = {.conditions = 1, .condition = {{.usual = {{-6, 1}, {-6, 1}}, .rare = {0, 1, 1, 0}}}}, .has_tail = true,
        .tail = {.windows = 1000, .window = {2, 0.01, 1, 0}, .run = {2, 1, 1, 0}, .hours = 5, .runs = 5}};
    for (int i = 0; i < TAIL_QUANTILES; i++)
        calibration.tail.quantiles[i] = -5 + 7.0 * i / (TAIL_QUANTILES - 1);
}

static void explain(const struct calibration *with)
{
    explain_window(plan, with, NULL, frames, workspace, &explained);
    plan_run(plan, frames, workspace, &result);
}

/* The mean weight of a slot over the queries of a place of the grid [2, 2], or of the window if place is negative. */
static double weight_of(int slot, int place)
{
    int slots = file.model->arch.memory.slots, n = 0;
    double sum = 0;
    for (int q = 0; q < 8; q++)
        if (place < 0 || q % 4 == place) {
            sum += (double)result.weights[q * slots + slot];
            n++;
        }
    return sum / n;
}

START_TEST(slots_are_those_of_the_plan)
{
    static const char *const names[] = {"tiny-dot", "tiny-noshrink"};
    open_model(names[_i]);
    explain(&calibration);
    const struct explanation *e = &explained.explanation;
    int slots = file.model->arch.memory.slots, place = (e->loudest_y >= 0.5f) * 2 + (e->loudest_x >= 0.5f), answering = 0;
    double sum = 0;
    ck_assert_float_ge(e->loudest_x, 0.5f);
    ck_assert_int_eq(e->slots_of_memory, slots);
    for (int s = 0; s < slots; s++) {
        double weight = weight_of(s, place);
        int listed = 0;
        sum += weight;
        answering += weight > 0;
        for (int i = 0; i < e->n_slots; i++)
            if (e->slots[i].slot == s) {
                listed++;
                ck_assert_double_eq_tol((double)e->slots[i].weight, weight, 1e-6);
                ck_assert_double_eq_tol((double)e->slots[i].weight_of_picture, weight_of(s, -1), 1e-6);
            }
        ck_assert_int_le(listed, 1);
        if (!listed)
            ck_assert_double_le(weight, (double)e->slots[e->n_slots - 1].weight + 1e-7);
    }
    ck_assert_double_eq_tol(sum, 1, 1e-5);
    ck_assert_int_eq(e->slots_answering, answering);
    ck_assert_int_eq(e->n_slots, answering < EXPLANATION_SLOTS ? answering : EXPLANATION_SLOTS);
    for (int i = 1; i < e->n_slots; i++)
        ck_assert_float_ge(e->slots[i - 1].weight, e->slots[i].weight);
}
END_TEST

START_TEST(no_slot_answers_where_all_are_shrunk)
{
    open_model("tiny-allshrunk");
    explain(&calibration);
    ck_assert_int_eq(explained.explanation.n_slots, 0);
    ck_assert_int_eq(explained.explanation.slots_answering, 0);
    ck_assert_int_eq(explained.explanation.slots_of_memory, 20);
}
END_TEST

START_TEST(scores_and_rarity_are_the_daemons)
{
    struct score_features features;
    struct voices voices;
    open_model("tiny-dot");
    explain(&calibration);
    const struct explanation *e = &explained.explanation;
    ck_assert_float_eq(e->reference, result.reference);
    ck_assert_float_eq(e->score, calibration_score(&calibration, plan, &result, NULL, &features, &voices));
    for (int v = 0; v < VOICE_PACE; v++)
        ck_assert_float_eq(e->voices.score[v], voices.score[v]);
    ck_assert_float_nan(e->voices.score[VOICE_PACE]);
    ck_assert_int_eq(e->loudest, voices_loudest(&voices));
    ck_assert_double_eq(e->p_value, tail_p_value(&calibration.tail, (double)e->score));
    ck_assert_double_eq(e->hours_between, tail_hours_between(&calibration.tail, (double)e->score));
    ck_assert_double_eq(e->footage_hours, 5);
    ck_assert_float_eq(e->threshold, 3);
    struct boxes boxes;
    calibration_boxes(&calibration, plan, &result, NULL, e->score, 3, 1, &boxes);
    ck_assert_int_ge(boxes.n, 1);
    ck_assert_int_eq(e->boxes.n, boxes.n);
    ck_assert_mem_eq(e->boxes.box, boxes.box, (size_t)boxes.n * sizeof *boxes.box);

    /* The map, and the cell that is highest. */
    float map[ROWS * ROWS], highest = -INFINITY;
    calibration_score(&calibration, plan, &result, NULL, &features, &voices);
    score_map(&calibration.score, plan_arch(plan), NULL, result.scratch, map);
    ck_assert_mem_eq(explained.map, map, sizeof map);
    for (int i = 0; i < ROWS * ROWS; i++)
        highest = fmaxf(highest, map[i]);
    ck_assert_float_eq(e->loudest_value, highest);
    int column = (int)lrintf(e->loudest_x * SIDE) / 4 - 1, row = (int)lrintf(e->loudest_y * SIDE) / 4 - 1;
    ck_assert_float_eq(map[row * ROWS + column], highest);
    ck_assert(explained.is_calibrated);
    ck_assert_float_eq(explained.scale.usual, -2);
    ck_assert_float_eq(explained.scale.alert, 3);
}
END_TEST

START_TEST(what_the_memory_drew)
{
    open_model("tiny-dot");
    explain(NULL);
    const struct arch *arch = plan_arch(plan);
    for (int i = 0; i < PIXELS; i++) {
        float level = 255 * (result.x_hat[8 * PIXELS + i] * arch->std + arch->mean);
        ck_assert_float_le(fabsf((float)explained.drawn[i] - fminf(fmaxf(level, 0), 255)), 0.5001f);
    }
}
END_TEST

START_TEST(without_a_calibration_the_error_is_shown)
{
    open_model("tiny-dot");
    explain(NULL);
    const struct explanation *e = &explained.explanation;
    ck_assert_float_eq(e->score, e->reference);
    ck_assert_int_eq(e->loudest, VOICES);
    ck_assert_int_eq(e->boxes.n, 0);
    ck_assert(isnan(e->threshold) && isnan(e->p_value) && isnan(e->hours_between) && isnan(e->footage_hours));
    ck_assert(!explained.is_calibrated);
    double sum = 0;                     /* cell (2, 3) by the definition */
    for (int t = 4; t < 12; t++)
        for (int y = 8; y < 16; y++)
            for (int x = 12; x < 20; x++)
                sum += fabs((double)result.x_hat[t * PIXELS + y * SIDE + x] - (double)result.x[t * PIXELS + y * SIDE + x]);
    ck_assert_double_eq_tol((double)explained.map[2 * ROWS + 3], sum / (8 * 64), 1e-5);
    ck_assert_float_eq_tol(heat_end(&explained.scale), e->loudest_value, 1e-5f);
    ck_assert_float_lt(explained.scale.usual, explained.scale.alert);
}
END_TEST

START_TEST(draws_it)
{
    struct picture frame, why;
    static const char *const models[] = {"tiny-dot", "tiny-allshrunk"};
    open_model(models[_i / 2]);
    explain(_i % 2 ? &calibration : NULL);
    ck_assert_int_eq(picture_from_gray(&frame, frames[8], SIDE, SIDE), 0);
    ck_assert_int_eq(explain_draw(&why, &explained, &(struct explain_frame){.picture = &frame, .caption = "frame 8",
                                                                            .boxes = &explained.explanation.boxes}), 0);
    ck_assert_int_ge(why.width, 3 * 320);
    picture_close(&frame);
    picture_close(&why);
}
END_TEST

START_TEST(refuses_what_it_cannot_explain)
{
    struct explained none = {.height = 7};
    struct error err;
    struct arch arch = {.kind = INPUT_VIDEO, .channels = 3, .frames = 16, .height = 32, .width = 32};
    ck_assert_int_eq(explained_open(&none, &arch, &err), -EINVAL);
    arch.channels = 1;
    arch.height = 7;
    ck_assert_int_eq(explained_open(&none, &arch, &err), -EINVAL);
    ck_assert_str_eq(err.text, "expected windows of at least 4 frames of 8x8 pixels, got 16 of 32x7");
    ck_assert_int_eq(none.height, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explain");
    TCase *tc = tcase_create("explain");
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_loop_test(tc, slots_are_those_of_the_plan, 0, 2);
    tcase_add_test(tc, no_slot_answers_where_all_are_shrunk);
    tcase_add_test(tc, scores_and_rarity_are_the_daemons);
    tcase_add_test(tc, what_the_memory_drew);
    tcase_add_test(tc, without_a_calibration_the_error_is_shown);
    tcase_add_loop_test(tc, draws_it, 0, 4);
    tcase_add_test(tc, refuses_what_it_cannot_explain);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}

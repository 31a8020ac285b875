#include "daemon/learner.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"
#include "core/rng.h"
#include "daemon/clock.h"

/* The held-out part: a fifth. So many of its windows at most, evenly spread, are evaluated and calibrated on. */
enum { HELD_OUT_PARTS = 5, MAX_EVALUATED = 256, MAX_CALIBRATED = 3000 };
/* Of a model's queries on held-out footage at least so many must find a slot. */
#define MIN_ALIVE 0.5

struct learner {
    const struct footage *footage;
    int length;
    size_t *learn, n_learn;             /* first frames of the windows to learn from */
    size_t *held_out, n_held_out;
    size_t next;                        /* of learn, in this epoch */
    struct rng rng;
};

/* First frames of whole windows in [begin, end). */
static int list_windows(const struct learner *l, size_t begin, size_t end, size_t **ret, size_t *n)
{
    size_t *list = malloc((end - begin + 1) * sizeof *list);
    if (!list)
        return -ENOMEM;
    *n = 0;
    for (size_t i = begin; i + (size_t)l->length <= end; i++)
        if (footage_window_ok(l->footage, i, l->length))
            list[(*n)++] = i;
    *ret = list;
    return 0;
}

/* Keeps at most max windows, evenly spread. */
static void thin_out(size_t *list, size_t *n, size_t max)
{
    if (*n <= max)
        return;
    for (size_t i = 0; i < max; i++)
        list[i] = list[i * *n / max];
    *n = max;
}

static void window_frames(const struct learner *l, size_t first, const uint8_t *frames[])
{
    for (int t = 0; t < l->length; t++)
        frames[t] = footage_frame(l->footage, first + (size_t)t);
}

static int split(struct learner *l, int batch, struct learner_result *ret, struct error *err)
{
    size_t n = footage_frames(l->footage), cut = n - n / HELD_OUT_PARTS;
    if (list_windows(l, 0, cut, &l->learn, &l->n_learn) < 0 ||
        list_windows(l, cut, n, &l->held_out, &l->n_held_out) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    if (l->n_learn < (size_t)batch || l->n_held_out < 1)
        return error_set(err, -EINVAL, "the footage is too short: %zu frames hold %zu whole windows of %d frames to learn "
                         "from and %zu in the last fifth to calibrate on; at least %d and 1 are needed", n, l->n_learn,
                         l->length, l->n_held_out, batch);
    ret->learned_frames = cut;
    ret->held_out_frames = n - cut;
    l->next = l->n_learn;
    return 0;
}

static void draw_batch(struct learner *l, struct training *training, int batch)
{
    const uint8_t *frames[ARCH_MAX_FRAMES];
    for (int i = 0; i < batch; i++) {
        if (l->next == l->n_learn) {
            rng_shuffle(&l->rng, l->learn, l->n_learn, sizeof *l->learn);
            l->next = 0;
        }
        window_frames(l, l->learn[l->next++], frames);
        training_window(training, i, frames);
    }
}

/* ---- calibration ------------------------------------------------------------------------------------------------- */

struct scoring {
    const struct learner *learner;
    const struct plan *plan;
    void **workspaces;          /* [threads] */
    double *scores;             /* [n_held_out] */
};

static void score_window(void *arg, int i, int worker)
{
    struct scoring *s = arg;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct plan_result result;
    window_frames(s->learner, s->learner->held_out[i], frames);
    plan_run(s->plan, frames, s->workspaces[worker], &result);
    s->scores[i] = (double)result.reference;
}

/* Scores the first n held-out windows with the frozen model. */
static int score_held_out(const struct learner *l, const struct model *model, const struct parallel *parallel, size_t n,
                          double *scores, struct error *err)
{
    struct plan *plan = NULL;
    int r = plan_open(&plan, model, err);
    if (r < 0)
        return r;
    struct scoring s = {.learner = l, .plan = plan, .scores = scores};
    s.workspaces = calloc((size_t)parallel->threads, sizeof *s.workspaces);
    for (int i = 0; s.workspaces && i < parallel->threads; i++)
        if (!(s.workspaces[i] = aligned_alloc(64, (plan_workspace_size(plan) + 63) / 64 * 64)))
            r = -ENOMEM;
    if (!s.workspaces)
        r = -ENOMEM;
    if (r == 0)
        parallel->run(parallel, (int)n, score_window, &s);
    for (int i = 0; s.workspaces && i < parallel->threads; i++)
        free(s.workspaces[i]);
    free(s.workspaces);
    plan_close(plan);
    return r < 0 ? error_set(err, r, "out of memory") : 0;
}

static int calibrate(const struct learner *l, const struct model *model, const struct parallel *parallel, double margin,
                     struct calibration *ret, struct error *err)
{
    double *scores = malloc(l->n_held_out * sizeof *scores);
    if (!scores)
        return error_set(err, -ENOMEM, "out of memory");
    int r = score_held_out(l, model, parallel, l->n_held_out, scores, err);
    for (size_t i = 0; r == 0 && i < l->n_held_out; i++)
        if (!isfinite(scores[i]))
            r = error_set(err, -EDOM, "training diverged: the score of a held-out window is not finite");
    if (r == 0) {
        calibration_fit(ret, scores, l->n_held_out, margin);
        ret->fps = footage_fps(l->footage);
    }
    free(scores);
    return r;
}

/* How long calibrating will take, by the start: so much is kept back of the time. */
static int calibration_time_us(const struct learner *l, const struct model *model, const struct parallel *parallel,
                                   int64_t *ret, struct error *err)
{
    double scores[8];
    size_t n = l->n_held_out < 8 ? l->n_held_out : 8;
    int64_t start = monotonic_us();
    int r = score_held_out(l, model, parallel, n, scores, err);
    *ret = (int64_t)((double)(monotonic_us() - start) / (double)n * (double)l->n_held_out);
    return r;
}

static void evaluate(const struct learner *l, struct training *training, int batch, struct training_evaluation *ret)
{
    struct training_totals totals;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    size_t n = l->n_held_out < MAX_EVALUATED ? l->n_held_out : MAX_EVALUATED;
    training_evaluate_begin(training, &totals);
    for (size_t i = 0; i < n;) {
        int filled = 0;
        for (; filled < batch && i < n; filled++, i++) {
            window_frames(l, l->held_out[i * l->n_held_out / n], frames);
            training_window(training, filled, frames);
        }
        training_evaluate(training, filled, &totals);
    }
    training_evaluate_end(training, &totals, ret);
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static int train(struct learner *l, struct training *training, const struct learner_options *o, int64_t end_us,
                 struct learner_progress *p, void (*progress)(void *arg, const struct learner_progress *progress), void *arg,
                 struct error *err)
{
    int64_t start = monotonic_us();
    *p = (struct learner_progress){0};
    for (;;) {
        int64_t now = monotonic_us();
        double by_steps = o->steps > 0 ? (double)p->step / (double)o->steps : 0;
        double by_time = end_us > start ? (double)(now - start) / (double)(end_us - start) : o->deadline_us > 0;
        p->progress = by_steps > by_time ? by_steps : by_time;
        p->seconds = (double)(now - start) * 1e-6;
        if (p->progress >= 1)
            break;
        draw_batch(l, training, o->batch);
        /* With a number of steps the schedule depends on them alone, so that the same seed gives the same model. */
        if (training_step(training, o->steps > 0 ? by_steps : p->progress, &p->loss) < 0)
            return error_set(err, -EDOM, "training diverged at step %ld: the loss is not finite; a lower --learning-rate "
                             "may help", p->step);
        p->step++;
        p->windows_learned += o->batch;
        p->slots_used = training_slots_used(training);
        p->slots_reseeded = training_slots_reseeded(training);
        progress(arg, p);
    }
    if (p->step == 0)
        return error_set(err, -EINVAL, "the time limit left no time to learn");
    return 0;
}

int learner_run(struct learner_result *ret, struct model *model, const struct footage *footage,
                const struct learner_options *options, const struct parallel *parallel,
                void (*progress)(void *arg, const struct learner_progress *progress), void *arg, struct error *err)
{
    struct learner l = {.footage = footage, .length = model->arch.frames};
    struct training *training = NULL;
    struct learner_result result = {0};
    int64_t reserve_us = 0;
    rng_seed(&l.rng, options->seed);
    int r = footage_check(footage, l.length, err);
    if (r < 0 || (r = split(&l, options->batch, &result, err)) < 0)
        goto out;
    thin_out(l.held_out, &l.n_held_out, MAX_CALIBRATED);
    const struct training_options t = {.batch = options->batch, .learning_rate = options->learning_rate,
                                       .alpha = options->alpha, .seed = options->seed};
    if ((r = training_open(&training, model, &t, parallel, err)) < 0)
        goto out;
    if (options->deadline_us > 0 && (r = calibration_time_us(&l, model, parallel, &reserve_us, err)) < 0)
        goto out;
    r = train(&l, training, options, options->deadline_us > 0 ? options->deadline_us - reserve_us : 0, &result.last, progress,
              arg, err);
    if (r < 0)
        goto out;
    evaluate(&l, training, options->batch, &result.held_out);
    if (result.held_out.alive < MIN_ALIVE)
        r = error_set(err, -EDOM, "the addressing is dead: only %.0f %% of the queries of held-out footage find a slot; a "
                      "lower shrink or temperature in the architecture may help", 100 * result.held_out.alive);
    if (r == 0)
        r = calibrate(&l, model, parallel, options->margin, &result.calibration, err);
    if (r == 0)
        *ret = result;
out:
    training_close(training);
    free(l.learn);
    free(l.held_out);
    return r;
}

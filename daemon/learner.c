#include "daemon/learner.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"
#include "core/rng.h"
#include "daemon/checkpoint.h"
#include "daemon/clock.h"
#include "daemon/log.h"

/* So many of the held-out windows at most, evenly spread, are evaluated and calibrated on. */
enum { MAX_EVALUATED = 256, MAX_CALIBRATED = 3000 };
/* Of a model's queries on held-out footage at least so many must find a slot. */
#define MIN_ALIVE 0.5

struct learner {
    struct footage *footage;
    int length;
    size_t frame_size;
    uint8_t *batch;                     /* [options.batch][length][frame_size] */
    size_t *learn, n_learn;             /* first frames of the windows to learn from */
    size_t *held_out, n_held_out;
    size_t *order;                      /* learn in the random order of `epoch` */
    uint64_t seed, epoch;
    const atomic_bool *stop;
};

/* First frames of the whole windows in a range. */
static int list_windows(const struct learner *l, struct footage_range range, size_t **ret, size_t *n)
{
    size_t *list = malloc((range.end - range.begin + 1) * sizeof *list);
    if (!list)
        return -ENOMEM;
    *n = 0;
    for (size_t i = range.begin; i + (size_t)l->length <= range.end; i++)
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

/* The window that begins at `first` into pixels [length][frame_size], and a pointer to each of its frames. */
static int read_window(const struct learner *l, size_t first, uint8_t *pixels, const uint8_t *frames[], struct error *err)
{
    for (int t = 0; t < l->length; t++)
        frames[t] = pixels + (size_t)t * l->frame_size;
    return footage_read(l->footage, first, (size_t)l->length, pixels, err);
}

static int list_all(struct learner *l, const struct learner_options *o, struct error *err)
{
    if (list_windows(l, o->learn, &l->learn, &l->n_learn) < 0 ||
        list_windows(l, o->held_out, &l->held_out, &l->n_held_out) < 0 ||
        !(l->order = malloc((l->n_learn + 1) * sizeof *l->order)) ||
        !(l->batch = malloc((size_t)o->batch * (size_t)l->length * l->frame_size)))
        return error_set(err, -ENOMEM, "out of memory");
    if (l->n_learn < (size_t)o->batch || l->n_held_out < 1)
        return error_set(err, -EINVAL, "the footage is too short: there are %zu whole windows of %d frames to learn from and "
                         "%zu to calibrate on; at least %d and 1 are needed", l->n_learn, l->length, l->n_held_out, o->batch);
    thin_out(l->held_out, &l->n_held_out, MAX_CALIBRATED);
    l->epoch = UINT64_MAX;
    return 0;
}

/* The k-th window to learn from. Each epoch takes all in an order that follows from the seed and its number alone, so
 * that the place in a training that was interrupted follows from its step. */
static size_t drawn_window(struct learner *l, uint64_t k)
{
    uint64_t epoch = k / l->n_learn;
    if (epoch != l->epoch) {
        struct rng rng;
        rng_seed(&rng, l->seed + epoch * UINT64_C(0xd1342543de82ef95));
        memcpy(l->order, l->learn, l->n_learn * sizeof *l->order);
        rng_shuffle(&rng, l->order, l->n_learn, sizeof *l->order);
        l->epoch = epoch;
    }
    return l->order[k % l->n_learn];
}

struct batch {
    const struct learner *learner;
    struct training *training;
    const size_t *first;        /* of each window */
    atomic_int failed;          /* the first -errno */
};

static void set_window(void *arg, int i, int worker)
{
    (void)worker;
    struct batch *b = arg;
    const struct learner *l = b->learner;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct error err;
    int r = read_window(l, b->first[i], l->batch + (size_t)i * (size_t)l->length * l->frame_size, frames, &err);
    if (r < 0)
        atomic_compare_exchange_strong(&b->failed, &(int){0}, r);
    else
        training_window(b->training, i, frames);
}

/* Reads the n windows that begin at first[] into the training's batch, on all threads. */
static int set_batch(const struct learner *l, struct training *training, const struct parallel *parallel, const size_t *first,
                     int n, struct error *err)
{
    struct batch b = {.learner = l, .training = training, .first = first};
    parallel->run(parallel, n, set_window, &b);
    int r = atomic_load(&b.failed);
    return r < 0 ? error_set(err, r, "the footage can't be read any more: %s", strerror(-r)) : 0;
}

static bool stopped(const struct learner *l)
{
    return l->stop && atomic_load(l->stop);
}

/* ---- calibration ------------------------------------------------------------------------------------------------- */

struct scoring {
    const struct learner *learner;
    const struct plan *plan;
    void **workspaces;          /* [threads] */
    uint8_t **windows;          /* [threads][length][frame_size] */
    double *scores;             /* [n_held_out] */
    atomic_int failed;          /* the first -errno */
};

static void score_window(void *arg, int i, int worker)
{
    struct scoring *s = arg;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct plan_result result;
    struct error err;
    if (stopped(s->learner))
        return;
    int r = read_window(s->learner, s->learner->held_out[i], s->windows[worker], frames, &err);
    if (r < 0) {
        atomic_compare_exchange_strong(&s->failed, &(int){0}, r);
        return;
    }
    plan_run(s->plan, frames, s->workspaces[worker], &result);
    s->scores[i] = (double)result.reference;
}

/* Scores the first n held-out windows with the frozen model. */
static int score_held_out(const struct learner *l, const struct model *model, const struct parallel *parallel, size_t n,
                          double *scores, struct error *err)
{
    struct plan *plan = NULL;
    int r = plan_open(&plan, model, err), threads = parallel->threads;
    if (r < 0)
        return r;
    struct scoring s = {.learner = l, .plan = plan, .scores = scores};
    s.workspaces = calloc((size_t)threads, sizeof *s.workspaces);
    s.windows = calloc((size_t)threads, sizeof *s.windows);
    bool room = s.workspaces && s.windows;
    for (int i = 0; room && i < threads; i++) {
        s.workspaces[i] = aligned_alloc(64, (plan_workspace_size(plan) + 63) / 64 * 64);
        s.windows[i] = malloc((size_t)l->length * l->frame_size);
        room = s.workspaces[i] && s.windows[i];
    }
    if (room)
        parallel->run(parallel, (int)n, score_window, &s);
    for (int i = 0; i < threads; i++) {
        free(s.workspaces ? s.workspaces[i] : NULL);
        free(s.windows ? s.windows[i] : NULL);
    }
    free(s.workspaces);
    free(s.windows);
    plan_close(plan);
    if (!room)
        return error_set(err, -ENOMEM, "out of memory");
    if (stopped(l))
        return error_set(err, -EINTR, "interrupted");
    r = atomic_load(&s.failed);
    return r < 0 ? error_set(err, r, "the footage can't be read any more: %s", strerror(-r)) : 0;
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

static int evaluate(const struct learner *l, struct training *training, const struct parallel *parallel, int batch,
                    struct training_evaluation *ret, struct error *err)
{
    struct training_totals totals;
    size_t n = l->n_held_out < MAX_EVALUATED ? l->n_held_out : MAX_EVALUATED, first[MAX_EVALUATED];
    training_evaluate_begin(training, &totals);
    for (size_t i = 0; i < n; i++)
        first[i] = l->held_out[i * l->n_held_out / n];
    for (size_t i = 0; i < n; i += (size_t)batch) {
        int m = n - i < (size_t)batch ? (int)(n - i) : batch;
        int r = set_batch(l, training, parallel, first + i, m, err);
        if (r < 0)
            return r;
        training_evaluate(training, m, &totals);
    }
    training_evaluate_end(training, &totals, ret);
    return 0;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* Where a training goes on: step 0, or what the checkpoint holds. */
static int begin(struct model *model, struct training *training, const struct learner_options *o,
                 struct learner_progress *p, struct error *err)
{
    *p = (struct learner_progress){0};
    if (!o->resume)
        return 0;
    int r = checkpoint_load(o->checkpoint, model, training, o->belongs, &p->seconds, err);
    if (r == -ENOENT) {
        log_event(LOG_INFO, "no_checkpoint", "path", o->checkpoint, NULL);
        return 0;
    }
    if (r < 0)
        return r;
    struct training_state state;
    training_get_state(training, &state);
    p->step = state.steps;
    p->windows_learned = p->step * o->batch;
    struct log_number step, seconds;
    log_event(LOG_INFO, "resumed", "path", o->checkpoint, "step", log_int(&step, p->step), "seconds",
              log_real(&seconds, p->seconds), NULL);
    return 0;
}

static int train(struct learner *l, struct model *model, struct training *training, const struct learner_options *o,
                 const struct parallel *parallel, int64_t end_us, struct learner_progress *p,
                 void (*progress)(void *arg, const struct learner_progress *progress), void *arg, struct error *err)
{
    int64_t now = monotonic_us(), start = now - (int64_t)(p->seconds * 1e6), saved = now;
    double budget = (double)(end_us - now);     /* the whole of it: what went before the interruption is taken from it */
    size_t *first = malloc((size_t)o->batch * sizeof *first);
    if (!first)
        return error_set(err, -ENOMEM, "out of memory");
    int r = 0;
    for (;;) {
        now = monotonic_us();
        double by_steps = o->steps > 0 ? (double)p->step / (double)o->steps : 0;
        double by_time = o->deadline_us == 0 ? 0 : budget > 0 ? (double)(now - start) / budget : 1;
        p->progress = by_steps > by_time ? by_steps : by_time;
        p->seconds = (double)(now - start) * 1e-6;
        bool end = p->progress >= 1 || stopped(l);
        if (o->checkpoint && p->step > 0 && (end || (double)(now - saved) >= o->checkpoint_s * 1e6)) {
            if ((r = checkpoint_save(o->checkpoint, model, training, o->belongs, p->seconds, err)) < 0)
                break;
            saved = now;
        }
        if (stopped(l))
            r = error_set(err, -EINTR, "interrupted at step %ld", p->step);
        if (end)
            break;
        for (int i = 0; i < o->batch; i++)
            first[i] = drawn_window(l, (uint64_t)p->step * (uint64_t)o->batch + (uint64_t)i);
        if ((r = set_batch(l, training, parallel, first, o->batch, err)) < 0)
            break;
        /* With a number of steps the schedule depends on them alone, so that the same seed gives the same model. */
        if (training_step(training, o->steps > 0 ? by_steps : p->progress, &p->loss) < 0) {
            r = error_set(err, -EDOM, "training diverged at step %ld: the loss is not finite; a lower --learning-rate may help",
                          p->step);
            break;
        }
        p->step++;
        p->windows_learned += o->batch;
        p->slots_used = training_slots_used(training);
        p->slots_reseeded = training_slots_reseeded(training);
        progress(arg, p);
    }
    free(first);
    if (r == 0 && p->step == 0)
        return error_set(err, -EINVAL, "the time limit left no time to learn");
    return r;
}

int learner_run(struct learner_result *ret, struct model *model, struct footage *footage,
                const struct learner_options *options, const struct parallel *parallel,
                void (*progress)(void *arg, const struct learner_progress *progress), void *arg, struct error *err)
{
    struct learner l = {.footage = footage, .seed = options->seed, .stop = options->stop, .length = model->arch.frames,
                        .frame_size = (size_t)model->arch.height * (size_t)model->arch.width};
    struct training *training = NULL;
    struct learner_result result = {0};
    int64_t reserve_us = 0;
    int r = list_all(&l, options, err);
    if (r < 0)
        goto out;
    const struct training_options t = {.batch = options->batch, .learning_rate = options->learning_rate,
                                       .alpha = options->alpha, .seed = options->seed};
    if ((r = training_open(&training, model, &t, parallel, err)) < 0)
        goto out;
    if (options->deadline_us > 0 && (r = calibration_time_us(&l, model, parallel, &reserve_us, err)) < 0)
        goto out;
    if ((r = begin(model, training, options, &result.last, err)) < 0)
        goto out;
    r = train(&l, model, training, options, parallel, options->deadline_us - reserve_us, &result.last, progress, arg, err);
    if (r < 0)
        goto out;
    r = evaluate(&l, training, parallel, options->batch, &result.held_out, err);
    if (r == 0 && result.held_out.alive < MIN_ALIVE)
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
    free(l.order);
    free(l.batch);
    return r;
}

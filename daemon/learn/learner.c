#include "daemon/learn/learner.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "daemon/base/log.h"
#include "daemon/learn/calibrator.h"
#include "daemon/learn/checkpoint.h"
#include "io/base/clock.h"

/* Most windows that are evaluated on held-out footage, and most that are scored for the calibration and for each survey.
 * With a deadline, the number scored follows from the shares of the time below, up to MAX_SCORED_IN_TIME. */
enum { MAX_EVALUATED = 256, MAX_SCORED = 20000, MAX_SCORED_IN_TIME = 500000 };
#define CALIBRATION_TIME 0.2
#define SURVEY_TIME 0.05
/* The work after training takes BESIDE times as long as its windows alone: it also fits static scenes and what stands still. */
#define BESIDE 1.1
#define LEAST_SCORED 500            /* windows, however little time is left */
/* The learned footage is long. At twice the stride, this rule counts as many alerts as the default rule at the usual stride. */
enum { LEARNED_STRIDE = 2 * CALIBRATOR_STRIDE, LEARNED_K = 2, LEARNED_N = 3 };
/* Least share of the queries on held-out footage that must find a slot. */
#define MIN_ALIVE 0.5
/* Training gives up after this many checks in a row have found degenerate addressing, although it tried to repair it. */
enum { MOST_DEGENERATE = 20 };

struct learner {
    struct footage *footage;
    int length;
    size_t frame_size;
    uint8_t *batch;                     /* [options.batch][length][frame_size] */
    size_t *learn, n_learn;             /* first frames of the windows to learn from */
    size_t *held_out, n_held_out;
    size_t *order;                      /* [n_learn] `learn` in the random order of `epoch` */
    uint64_t seed, epoch;
    const atomic_bool *stop;
};

/* Lists the first frames of the whole windows in a part. */
static int list_windows(const struct learner *l, const struct footage_part *part, size_t **ret, size_t *n)
{
    size_t *list = malloc((part->all.end - part->all.begin + 1) * sizeof *list);
    if (!list)
        return -ENOMEM;
    *n = 0;
    for (size_t k = 0; k < part->rounds; k++) {
        struct footage_range range = footage_part_range(part, k);
        for (size_t i = range.begin; i + (size_t)l->length <= range.end; i++)
            if (footage_window_ok(l->footage, i, l->length))
                list[(*n)++] = i;
    }
    *ret = list;
    return 0;
}

/* Reads the window that begins at `first` into pixels [length][frame_size]. Points frames[] to its frames. */
static int read_window(const struct learner *l, size_t first, uint8_t *pixels, const uint8_t *frames[], struct error *err)
{
    for (int t = 0; t < l->length; t++)
        frames[t] = pixels + (size_t)t * l->frame_size;
    return footage_read(l->footage, first, (size_t)l->length, pixels, err);
}

static int list_all(struct learner *l, const struct learner_options *o, struct error *err)
{
    if (list_windows(l, &o->learn, &l->learn, &l->n_learn) < 0 ||
        list_windows(l, &o->held_out, &l->held_out, &l->n_held_out) < 0 ||
        !(l->order = malloc((l->n_learn + 1) * sizeof *l->order)) ||
        !(l->batch = malloc((size_t)o->batch * (size_t)l->length * l->frame_size)))
        return error_set(err, -ENOMEM, "out of memory");
    if (l->n_learn < (size_t)o->batch || l->n_held_out < 1)
        return error_set(err, -EINVAL, "the footage is too short: expected at least %d whole windows of %d frames to learn from "
                         "and 1 to calibrate on, got %zu and %zu", o->batch, l->length, l->n_learn, l->n_held_out);
    l->epoch = UINT64_MAX;
    return 0;
}

/* Returns the k-th window to learn from. Each epoch takes all windows, in an order that depends only on the seed and the
 * epoch's number. So an interrupted training finds its place by its step alone. */
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
    const size_t *first;        /* first frame of each window */
    atomic_int failed;          /* first negative errno of a thread; 0: none */
    struct error fault;         /* its text; the thread that set `failed` wrote it */
};

static void set_window(void *arg, int i, int worker)
{
    (void)worker;
    struct batch *b = arg;
    const struct learner *l = b->learner;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct error err;
    int r = read_window(l, b->first[i], l->batch + (size_t)i * (size_t)l->length * l->frame_size, frames, &err);
    if (r == 0)
        training_window(b->training, i, frames);
    else if (atomic_compare_exchange_strong(&b->failed, &(int){0}, r))
        b->fault = err;
}

/* Reads the n windows that begin at first[0] … first[n - 1] into the training's batch, on all threads. */
static int set_batch(const struct learner *l, struct training *training, const struct parallel *parallel, const size_t *first,
                     int n, struct error *err)
{
    struct batch b = {.learner = l, .training = training, .first = first};
    parallel->run(parallel, n, set_window, &b);
    int r = atomic_load(&b.failed);
    return r < 0 ? error_set(err, r, "the footage cannot be read any more: %s", b.fault.text) : 0;
}

static bool stopped(const struct learner *l)
{
    return l->stop && atomic_load(l->stop);
}

/* ---- held-out footage ---------------------------------------------------------------------------------------------- */

static int slot_shares(const double *weight, int slots, double **ret, struct error *err)
{
    double *share = malloc((size_t)slots * sizeof *share), sum = 0;
    if (!share)
        return error_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < slots; i++)
        sum += weight[i];
    for (int i = 0; i < slots; i++)
        share[i] = sum > 0 ? weight[i] / sum : 0;
    *ret = share;
    return 0;
}

static int evaluate(const struct learner *l, struct training *training, const struct parallel *parallel, int batch,
                    int slots, struct learner_result *ret, struct error *err)
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
    int r = slots > 0 ? slot_shares(totals.slot_weight, slots, &ret->slot_use, err) : 0;
    training_evaluate_end(training, &totals, &ret->held_out);
    return r;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* Sets the state in which training begins: step 0, or that of the checkpoint. */
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
    double budget = (double)(end_us - now);     /* of the whole training; time before an interruption counts */
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
            r = checkpoint_save(o->checkpoint, model, training, o->belongs, p->seconds, err);
            if (r < 0 && stopped(l)) {
                error_prefix(err, r, "interrupted at step %ld, and the checkpoint cannot be written", p->step);
                break;
            }
            if (r < 0)                  /* a full disk may be cleared before the next one */
                log_event(LOG_WARNING, "checkpoint_failed", "reason", err->text, NULL);
            r = 0;
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
        /* With --steps the schedule depends on the steps alone, so that the same seed gives the same model. */
        if (training_step(training, o->steps > 0 ? by_steps : p->progress, &p->loss) < 0) {
            r = error_set(err, -EDOM, "training diverged at step %ld: the loss is not finite; a lower --learning-rate may "
                                      "help",
                          p->step);
            break;
        }
        p->step++;
        p->windows_learned += o->batch;
        p->health = training_health(training);
        p->shrink = model->arch.has_memory ? (double)model->arch.memory.shrink : 0;
        p->slots_reseeded = training_slots_reseeded(training);
        progress(arg, p);
        if (p->health.degenerate >= MOST_DEGENERATE) {
            r = error_set(err, -EDOM, "memory addressing is still degenerate at step %ld, after %d steps of repair: %.0f "
                                      "%% of the "
                          "queries find no slot, and the others get %.2f different answers (1: all the same); a lower "
                          "shrink or temperature in the architecture may help, or more varied "
                          "footage", p->step, MOST_DEGENERATE * TRAINING_CHECK,
                          100 * p->health.dead, p->health.answers);
            break;
        }
    }
    free(first);
    if (r == 0 && p->step == 0)
        return error_set(err, -EINVAL, "the time limit left no time to learn; a longer --time-limit is needed, or less "
                                       "footage");
    return r;
}

/* The windows that are scored when training is done. */
struct scoring {
    struct calibrator_options calibration;
    struct windows_options verify, learned;
};

static size_t windows_in(const struct footage_part *part, int stride, size_t most)
{
    double n = footage_part_frames(part) / stride;
    return n < (double)most ? (size_t)n : most;
}

static size_t scored_windows(const struct scoring *s)
{
    return calibrator_windows(&s->calibration) + windows_in(&s->verify.part, s->verify.stride, s->verify.most) +
           windows_in(&s->learned.part, s->learned.stride, s->learned.most);
}

/* Chooses how many windows to score, and reserves the time for that. */
static int plan_scoring(struct scoring *s, int64_t *reserve_us, int64_t deadline_us, const struct model *model,
                        const struct parallel *parallel, struct error *err)
{
    double a_window, left_s = (double)(deadline_us - monotonic_us()) * 1e-6;
    int r = calibrator_time(&a_window, model, &s->calibration, parallel, err);
    if (r < 0)
        return r;
    size_t *const most[] = {&s->calibration.most_windows, &s->verify.most, &s->learned.most};
    const double time[] = {CALIBRATION_TIME, SURVEY_TIME, SURVEY_TIME};
    for (int i = 0; i < 3; i++)
        *most[i] = (size_t)fmin(fmax(time[i] * left_s / a_window, 1), MAX_SCORED_IN_TIME);
    *reserve_us = (int64_t)(BESIDE * (double)scored_windows(s) * a_window * 1e6);
    return 0;
}

/* Measures windows again after training. Fewer are scored if they take longer than plan_scoring() found, because the machine is
 * busier. */
static int shorten_scoring(struct scoring *s, int64_t deadline_us, const struct model *model, const struct parallel *parallel,
                           struct error *err)
{
    double a_window, left_s = (double)(deadline_us - monotonic_us()) * 1e-6;
    int r = calibrator_time(&a_window, model, &s->calibration, parallel, err);
    double share = left_s / (BESIDE * (double)scored_windows(s) * a_window);
    if (r < 0 || share >= 1)
        return r;
    size_t *const most[] = {&s->calibration.most_windows, &s->verify.most, &s->learned.most};
    const size_t now[] = {calibrator_windows(&s->calibration), windows_in(&s->verify.part, s->verify.stride, s->verify.most),
                          windows_in(&s->learned.part, s->learned.stride, s->learned.most)};
    for (int i = 0; i < 3; i++)
        *most[i] = (size_t)fmax(share * (double)now[i], fmin((double)now[i], LEAST_SCORED));
    return 0;
}

static int score(struct learner_result *ret, const struct model *model, const struct scoring *s, const struct parallel *parallel,
                 struct error *err)
{
    int r = calibrator_run(&ret->calibration, model, &s->calibration, parallel, err);
    if (r == 0)
        r = survey_learned(&ret->learned, &s->learned, LEARNED_K, LEARNED_N, model, &ret->calibration, parallel, err);
    if (r == 0)
        r = survey_run(&ret->verified, &s->verify, ALERT_DEFAULT_K, ALERT_DEFAULT_N, model, &ret->calibration, parallel, err);
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
    struct scoring scoring = {
        .calibration = {.footage = footage, .part = options->calibrate, .most_windows = MAX_SCORED,
                        .alerts_a_day = options->alerts_a_day, .stop = options->stop},
        .verify = {.footage = footage, .part = options->verify, .stride = CALIBRATOR_STRIDE, .most = MAX_SCORED,
                   .stop = options->stop},
        .learned = {.footage = footage, .part = options->learn, .stride = LEARNED_STRIDE, .most = MAX_SCORED,
                    .stop = options->stop},
    };
    int64_t reserve_us = 0;
    int r = list_all(&l, options, err);
    if (r < 0)
        goto out;
    const struct training_options t = {.batch = options->batch, .learning_rate = options->learning_rate,
                                       .alpha = options->alpha, .seed = options->seed};
    if ((r = training_open(&training, model, &t, parallel, err)) < 0)
        goto out;
    if (options->deadline_us > 0 && (r = plan_scoring(&scoring, &reserve_us, options->deadline_us, model, parallel, err)) < 0)
        goto out;
    if ((r = begin(model, training, options, &result.last, err)) < 0)
        goto out;
    r = train(&l, model, training, options, parallel, options->deadline_us - reserve_us, &result.last, progress, arg, err);
    if (r < 0)
        goto out;
    if (options->deadline_us > 0 && (r = shorten_scoring(&scoring, options->deadline_us, model, parallel, err)) < 0)
        goto out;
    r = evaluate(&l, training, parallel, options->batch, model->arch.has_memory ? model->arch.memory.slots : 0, &result, err);
    if (r == 0 && result.held_out.alive < MIN_ALIVE)
        r = error_set(err, -EDOM, "memory addressing is dead: expected at least %.0f %% of the queries on held-out "
                                  "footage to "
                      "find a slot, got %.0f %%; a lower shrink or temperature in the architecture may "
                      "help", 100 * MIN_ALIVE,
                      100 * result.held_out.alive);
    if (r == 0)
        r = score(&result, model, &scoring, parallel, err);
    const struct still_learner_options still = {.footage = footage, .learned = options->learn, .calibrated = options->held_out,
                                                .stop = options->stop};
    if (r == 0)
        r = still_learner_run(&result.still, &still, err);
    if (r == 0)
        *ret = result;
    else
        free(result.slot_use);
out:
    training_close(training);
    free(l.learn);
    free(l.held_out);
    free(l.order);
    free(l.batch);
    return r;
}

#include "daemon/measure/normal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/isolation.h"
#include "io/base/redact.h"
#include "io/footage/sources.h"

static int try_open(void *arg, const char *path, struct error *err)
{
    struct capture_options options = isolation_capture(&(struct source_options){.stall_timeout_ms = 10000});
    struct capture *capture;
    int r = capture_open(&capture, path, &options, err);

    (void)arg;
    if (r == 0)
        capture_close(capture);
    return r;
}

static bool warn_of_skipped(void *arg, const char *reason)
{
    (void)arg;
    fprintf(stderr, "memaed eval: warning: skipped: %s\n", reason);
    return true;
}

int normal_check(const char *input, struct error *err)
{
    return sources_each(input, &(struct sources_user){try_open, warn_of_skipped, NULL}, err);
}

void normal_clear(struct normal *n)
{
    free(n->scores);
    free(n->joined);
    free(n->sources);
    *n = (struct normal){0};
}

double normal_fps(const struct normal *n, int stride)
{
    return n->seconds > 0 ? (double)n->steps * stride / n->seconds : 0;
}

static int grow_windows(struct normal *n)
{
    size_t room = n->room ? 2 * n->room : 65536;
    float *scores = realloc(n->scores, room * sizeof *scores);
    uint8_t *joined = scores ? realloc(n->joined, room * sizeof *joined) : NULL;

    n->scores = scores ? scores : n->scores;
    n->joined = joined ? joined : n->joined;
    if (!joined)
        return -ENOMEM;
    n->room = room;
    return 0;
}

/* One source, scored by one model. */
struct keeping {
    struct normal *normal;
    struct normal_source *source;
    size_t at;                          /* the next window */
    float share;                        /* weight of one model in the mean */
    bool first, last;                   /* model */
    const struct alert_rule *rule;
    struct alert_state alert;
    struct policy policy;
    bool told;                          /* the open alert */
    int64_t before_us;                  /* time of the window before */
};

static void take_event(struct keeping *k, enum alert_event event)
{
    if (event == ALERT_OPENED)
        k->told = false;
    else if (event == ALERT_PEAK && k->told)
        policy_rose(&k->policy, (double)k->alert.peak);
    else if (event == ALERT_CLOSED && k->told)
        policy_closed(&k->policy, k->alert.closed_us);
}

static void take_score(struct keeping *k, float score, int64_t time_us)
{
    take_event(k, alert_wait(&k->alert, time_us));
    take_event(k, alert_score(&k->alert, score, time_us));
    if (!k->alert.open || !k->alert.lasts || k->told)
        return;
    k->told = policy_ask(&k->policy, (double)k->alert.peak, time_us) == SUPPRESSED_NOT;
    k->source->alerts += k->told;
}

/* The first model makes the entries. Each model adds its share. The last one completes the scores, so alerts and time are
 * counted with it. */
static int keep_window(void *arg, const struct clip_window *window, struct error *err)
{
    struct keeping *k = arg;
    struct normal *n = k->normal;
    size_t at = k->at++;

    if (k->first) {
        if (n->n == n->room && grow_windows(n) < 0)
            return error_set(err, -ENOMEM, "out of memory");
        n->scores[at] = 0;
        n->joined[at] = k->source->windows++ > 0 && !window->gap_before;
        n->n++;
    } else if (at >= n->n) {
        return error_set(err, -EIO, "the file changed while it was read");
    }
    n->scores[at] += k->share * clip_window_level(window);
    if (!k->last)
        return 0;
    if (n->joined[at]) {
        n->steps++;
        k->source->seconds += (double)(window->pts_us - k->before_us) * 1e-6;
    } else if (k->rule) {
        take_event(k, alert_gap(&k->alert, k->before_us));
    }
    if (k->rule)
        take_score(k, n->scores[at], window->pts_us);
    k->before_us = window->pts_us;
    return 0;
}

struct adding {
    struct normal *normal;
    const struct labelled_model *models;
    size_t n_models;
    const struct alert_rule *rule;
    const struct policy_rule *policy;
    bool opened;                        /* the last source */
};

static int add_source(void *arg, const char *path, struct error *err)
{
    struct adding *a = arg;
    int r = try_open(NULL, path, err);
    a->opened = r == 0;
    if (r < 0)
        return r;
    struct normal *n = a->normal;
    size_t begin = n->n;
    char shown[256];

    redact(shown, sizeof shown, path);
    if (n->n_sources == n->sources_room) {
        size_t room = n->sources_room ? 2 * n->sources_room : 64;
        struct normal_source *sources = realloc(n->sources, room * sizeof *sources);

        if (!sources)
            return error_set(err, -ENOMEM, "out of memory");
        n->sources = sources;
        n->sources_room = room;
    }
    struct normal_source *source = &n->sources[n->n_sources++];
    *source = (struct normal_source){0};
    source_name(source->name, sizeof source->name, path);
    for (size_t i = 0; i < a->n_models; i++) {
        struct keeping keeping = {.normal = n, .source = source, .at = begin, .share = (float)(1 / (double)a->n_models),
                                  .first = i == 0, .last = i + 1 == a->n_models, .rule = a->rule};
        struct clip_sink sink = {.arg = &keeping, .window = keep_window};
        struct clip_summary summary;
        struct source_stats stats;

        if (a->rule) {
            alert_init(&keeping.alert, a->rule);
            policy_init(&keeping.policy, a->policy);
        }
        r = labelled_score(&a->models[i], path, &sink, i == 0, &summary, &stats, err);
        if (r >= 0 && keeping.at != n->n)
            r = error_set(err, -EIO, "the file changed while it was read");
        if (r < 0)
            return error_prefix(err, r, "%s", shown);
    }
    if (source->windows == 0)
        fprintf(stderr, "memaed eval: warning: %s: shorter than one window of %d frames without a break\n", shown,
                plan_arch(a->models[0].plan)->frames);
    n->seconds += source->seconds;
    n->alerts += source->alerts;
    return 0;
}

/* normal_check() has reported those that cannot be opened. */
static bool skip(void *arg, const char *reason)
{
    const struct adding *a = arg;
    (void)reason;
    return !a->opened;
}

int normal_add(struct normal *ret, const char *input, const struct labelled_model *models, size_t n_models,
               const struct alert_rule *rule, const struct policy_rule *policy, struct error *err)
{
    struct adding adding = {.normal = ret, .models = models, .n_models = n_models, .rule = rule, .policy = policy};

    return sources_each(input, &(struct sources_user){add_source, skip, &adding}, err);
}

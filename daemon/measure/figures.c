#include "daemon/measure/figures.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/evaluation/detection.h"
#include "core/evaluation/evaluation.h"

static const double day_s = 86400;

/* A rate is resolved if 0.99 false alarms at that rate fit into the normal footage: a day's recording is a little short. */
static const double tolerance = 0.01;

/* All windows of all clips, clip after clip. */
struct pooled {
    size_t n;
    uint8_t *labels;
    double *scores, *reference, *reference_scaled, *motion, *motion_scaled;     /* _scaled: to 0 … 1 over each clip */
    float *normal_scores;               /* of windows labelled normal, as struct detection_normal has them */
    uint8_t *normal_joined;
    struct detection_window *abnormal;  /* the others */
    size_t n_normal, n_abnormal;
    double normal_s;
    bool has_motion;
};

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double figures_fps(const struct labelled_clip *clips, size_t n)
{
    size_t total = 0, intervals = 0;
    double *seconds, fps = 0;

    for (size_t i = 0; i < n; i++)
        total += clips[i].frames;
    seconds = calloc(total + 1, sizeof *seconds);
    if (!seconds)
        return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 1; k < clips[i].frames; k++)
            seconds[intervals++] = (double)(clips[i].frames_us[k] - clips[i].frames_us[k - 1]) * 1e-6;
    qsort(seconds, intervals, sizeof *seconds, rising);
    if (intervals > 0 && seconds[intervals / 2] > 0)
        fps = 1 / seconds[intervals / 2];
    free(seconds);
    return fps;
}

static void pool_clear(struct pooled *p)
{
    free(p->labels);
    free(p->scores);
    free(p->reference);
    free(p->reference_scaled);
    free(p->motion);
    free(p->motion_scaled);
    free(p->normal_scores);
    free(p->normal_joined);
    free(p->abnormal);
}

/* Adds the windows of one clip for core/evaluation/detection.h. *events counts the abnormal stretches so far. */
static void pool_windows(struct pooled *p, const struct labelled_clip *c, long *events)
{
    size_t known = SIZE_MAX;                    /* first frame of the last counted stretch */

    for (size_t i = 0; i < c->n; i++) {
        bool joined = i > 0 && !c->break_before[i] && !c->labels[i - 1];

        if (joined)
            p->normal_s += (double)(c->times_us[i] - c->times_us[i - 1]) * 1e-6;
        if (!c->labels[i]) {
            p->normal_scores[p->n_normal] = c->scores[i];
            p->normal_joined[p->n_normal++] = joined;
            continue;
        }
        size_t start = c->centres[i];
        while (start > 0 && c->clip->labels[start - 1])
            start--;
        *events += start != known;
        known = start;
        p->abnormal[p->n_abnormal++] = (struct detection_window){c->scores[i], *events, c->ends_us[i] - c->frames_us[start]};
    }
}

static int pool(struct pooled *p, const struct labelled_clip *clips, size_t n)
{
    size_t at = 0;
    long events = 0;

    for (size_t i = 0; i < n; i++)
        p->n += clips[i].n;
    p->labels = calloc(p->n + 1, 1);
    p->scores = calloc(p->n + 1, sizeof *p->scores);
    p->reference = calloc(p->n + 1, sizeof *p->reference);
    p->reference_scaled = calloc(p->n + 1, sizeof *p->reference_scaled);
    p->motion = calloc(p->n + 1, sizeof *p->motion);
    p->motion_scaled = calloc(p->n + 1, sizeof *p->motion_scaled);
    p->normal_scores = calloc(p->n + 1, sizeof *p->normal_scores);
    p->normal_joined = calloc(p->n + 1, sizeof *p->normal_joined);
    p->abnormal = calloc(p->n + 1, sizeof *p->abnormal);
    if (!p->labels || !p->scores || !p->reference || !p->reference_scaled || !p->motion || !p->motion_scaled ||
        !p->normal_scores || !p->normal_joined || !p->abnormal)
        return -1;
    p->has_motion = true;
    for (size_t i = 0; i < n; at += clips[i++].n) {
        const struct labelled_clip *c = &clips[i];

        for (size_t k = 0; k < c->n; k++)
            p->scores[at + k] = (double)c->scores[k];
        memcpy(p->labels + at, c->labels, c->n);
        memcpy(p->reference + at, c->reference, c->n * sizeof *p->reference);
        memcpy(p->motion + at, c->motion, c->n * sizeof *p->motion);
        evaluation_min_max(p->reference_scaled + at, c->reference, c->n);
        evaluation_min_max(p->motion_scaled + at, c->motion, c->n);
        p->has_motion &= c->has_motion;
        pool_windows(p, c, &events);
    }
    return 0;
}

/* ---- parts -------------------------------------------------------------------------------------------------------- */

static json_t *real_or_null(bool defined, double value)
{
    return defined && isfinite(value) ? json_real(value) : json_null();
}

static json_t *count_or_null(bool defined, size_t value)
{
    return defined ? json_integer((json_int_t)value) : json_null();
}

static json_t *auc_json(const double *scores, const uint8_t *labels, size_t n)
{
    double auc;

    return evaluation_auc(&auc, scores, labels, n) == 0 ? json_real(auc) : json_null();
}

/* The AUC of each voice by itself; null for a voice that the model does not have. Where VOICE_STILL has no value, nothing
 * unusual is taken to stand still. */
static json_t *voices_auc(const struct figures *f, const struct pooled *p)
{
    json_t *ret = json_object();
    double *values = malloc((p->n + 1) * sizeof *values);

    for (int v = 0; values && v < VOICES; v++) {
        size_t n = 0, spoken = 0;
        for (size_t i = 0; i < f->n; i++)
            for (size_t k = 0; k < f->clips[i].n; k++) {
                float value = f->clips[i].voices[k].score[v];
                spoken += !isnan(value);
                values[n++] = isnan(value) ? -(double)FLT_MAX : (double)value;
            }
        json_object_set_new(ret, voice_name((enum voice)v), spoken > 0 ? auc_json(values, p->labels, n) : json_null());
    }
    free(values);
    return ret;
}

static json_t *precision_json(const struct pooled *p)
{
    double precision;

    return evaluation_average_precision(&precision, p->scores, p->labels, p->n) == 0 ? json_real(precision) : json_null();
}

static long count_positives(const uint8_t *labels, size_t n)
{
    long positives = 0;

    for (size_t i = 0; i < n; i++)
        positives += labels[i];
    return positives;
}

static json_t *alerts_json(const struct alert_rule *rule, const struct policy_rule *policy, const struct labelled_clip *clips,
                           size_t n)
{
    struct evaluation_alerts sum = {0};

    for (size_t i = 0; i < n; i++)
        evaluation_alerts(&sum, rule, policy, clips[i].scores, clips[i].labels, clips[i].times_us, clips[i].break_before,
                          clips[i].n);
    return json_pack("{s:f, s:f, s:i, s:i, s:f, s:f, s:i, s:I, s:I, s:I, s:I, s:I, s:f, s:o}",
                     "threshold", (double)rule->threshold, "close_threshold", (double)rule->close_threshold,
                     "k", rule->k, "n", rule->n, "merge_s", (double)rule->merge_us * 1e-6,
                     "cooldown_s", (double)policy->cooldown_us * 1e-6, "max_per_hour", policy->max_per_hour,
                     "alerts", (json_int_t)sum.alerts, "on_abnormal", (json_int_t)sum.on_abnormal,
                     "on_normal", (json_int_t)sum.on_normal, "abnormal_stretches", (json_int_t)sum.stretches,
                     "abnormal_stretches_found", (json_int_t)sum.stretches_found, "normal_s", sum.normal_s,
                     "on_normal_per_hour",
                     sum.normal_s > 0 ? json_real((double)sum.on_normal * 3600 / sum.normal_s) : json_null());
}

/* Abnormal events, and the normal windows that false alarms are counted on. */
struct events {
    const struct pooled *clips;
    struct detection_normal normal, clips_normal;
    double normal_s;                            /* of `normal` */
};

/* Adds what the lowest threshold with at most `allowed` false alarms finds to an object. Not resolved: all null. */
static int add_detection(json_t *object, const struct events *e, bool resolved, size_t allowed)
{
    struct detection_figures f = {0};
    float threshold = 0;
    bool found;
    json_t *delay;

    resolved = resolved && detection_threshold(&threshold, &e->normal, allowed) == 0 &&
               detection_at(&f, e->clips->abnormal, e->clips->n_abnormal, threshold) == 0;
    found = resolved && f.found > 0;
    delay = !found ? json_null() : json_pack("{s:f, s:f, s:f}", "median", f.delay_median_s, "mean", f.delay_mean_s, "max",
                                             f.delay_max_s);
    return json_object_update_new(object, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
        "threshold", real_or_null(resolved, (double)threshold),
        "false_alarms", count_or_null(resolved, detection_false_alarms(&e->normal, threshold)),
        "false_alarms_in_clips", count_or_null(resolved, detection_false_alarms(&e->clips_normal, threshold)),
        "found", count_or_null(resolved, f.found),
        "recall", real_or_null(resolved && f.events > 0, (double)f.found / (double)(f.events ? f.events : 1)),
        "delay_s", delay));
}

static json_t *events_json(const struct pooled *p, const struct normal *normal)
{
    static const int rates[] = {1, 10, 100};
    struct events e = {p, {p->normal_scores, p->normal_joined, p->n_normal},
                       {p->normal_scores, p->normal_joined, p->n_normal}, p->normal_s};
    struct detection_figures count = {0};
    json_t *at = json_array(), *none = json_object(), *events;

    if (normal) {
        e.normal = (struct detection_normal){normal->scores, normal->joined, normal->n};
        e.normal_s = normal->seconds;
    }
    double days = e.normal_s / day_s;
    if (!at || !none || detection_at(&count, p->abnormal, p->n_abnormal, INFINITY) < 0)
        goto fail;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        double allowed = floor(rates[i] * days + tolerance);
        bool resolved = allowed >= 1;           /* in less than 1/rate of a day, no false alarm says little about the rate */
        json_t *entry = json_pack("{s:i, s:b, s:f}", "false_alarms_per_day", rates[i], "resolved", resolved,
                                  "normal_hours_needed", 24.0 / rates[i]);

        if (json_array_append_new(at, entry) < 0 || add_detection(entry, &e, resolved, (size_t)allowed) < 0)
            goto fail;
    }
    /* No false alarm in this time: with 95 % confidence, the rate is below -ln(0.05) in that time (Poisson). */
    if (add_detection(none, &e, true, 0) < 0 ||
        json_object_set_new(none, "per_day_at_most_95", real_or_null(days > 0, -log(0.05) / days)) < 0)
        goto fail;
    events = json_pack("{s:I, s:s, s:f, s:f, s:o, s:O, s:O}", "count", (json_int_t)count.events,
                       "counted_on", normal ? "normal" : "clips", "normal_s", e.normal_s, "normal_hours", e.normal_s / 3600,
                       "resolution_per_day", real_or_null(days > 0, 1 / days), "at", at, "no_false_alarm", none);
    json_decref(at);
    json_decref(none);
    return events;
fail:
    json_decref(at);
    json_decref(none);
    return NULL;
}

static json_t *normal_json(const struct normal *n, int stride, bool has_rule)
{
    json_t *sources;

    if (!n)
        return json_null();
    sources = json_array();
    for (size_t i = 0; sources && i < n->n_sources; i++) {
        const struct normal_source *s = &n->sources[i];

        if (json_array_append_new(sources, json_pack("{s:s, s:I, s:f, s:o}", "source", s->name, "windows",
                                                     (json_int_t)s->windows, "hours", s->seconds / 3600, "alerts",
                                                     count_or_null(has_rule, (size_t)s->alerts))) < 0) {
            json_decref(sources);
            return NULL;
        }
    }
    return json_pack("{s:I, s:f, s:o, s:o, s:o, s:o}", "windows", (json_int_t)n->n, "hours", n->seconds / 3600,
                     "fps", real_or_null(n->steps > 0, normal_fps(n, stride)),
                     "alerts", count_or_null(has_rule, (size_t)n->alerts),
                     "alerts_per_day", real_or_null(has_rule && n->seconds > 0, (double)n->alerts * day_s / n->seconds),
                     "sources", sources);
}

static json_t *localisation_json(const struct figures *f)
{
    double auc = 0, rbdc = 0, tbdc = 0;
    bool has_auc, has_rbdc, has_tbdc;
    int map_h = 0, map_w = 0;

    if (!f->localisation)
        return json_null();
    has_auc = localisation_pixel_auc(&auc, f->localisation) == 0;
    has_rbdc = localisation_rbdc(&rbdc, f->localisation) == 0;
    has_tbdc = localisation_tbdc(&tbdc, f->localisation) == 0;
    for (size_t i = 0; i < f->n && map_h == 0; i++) {
        map_h = f->clips[i].map_h;
        map_w = f->clips[i].map_w;
    }
    return json_pack("{s:s, s:[i,i], s:I, s:I, s:I, s:o, s:o, s:o}", "masks", f->masks_path, "map", map_h, map_w,
                     "frames", (json_int_t)localisation_frames(f->localisation),
                     "regions", (json_int_t)localisation_regions(f->localisation),
                     "tracks", (json_int_t)localisation_tracks(f->localisation),
                     "pixel_auc", real_or_null(has_auc, auc), "rbdc", real_or_null(has_rbdc, rbdc),
                     "tbdc", real_or_null(has_tbdc, tbdc));
}

static json_t *clips_json(const struct labelled_clip *clips, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct labelled_clip *c = &clips[i];

        if (json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:o}", "clip", c->clip->name, "frames",
                                                  (json_int_t)c->frames, "windows", (json_int_t)c->n, "positives",
                                                  (json_int_t)count_positives(c->labels, c->n), "auc",
                                                  auc_json(c->reference, c->labels, c->n))) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static const char *path_of(const struct labelled_model *model)
{
    return model->path;
}

static const char *precision_of(const struct labelled_model *model)
{
    return precision_name(plan_precision(model->plan));
}

/* The text of the model; of several models, an array of their texts. */
static json_t *of_models(const struct figures *f, const char *text(const struct labelled_model *))
{
    json_t *array;

    if (f->n_models == 1)
        return json_string(text(&f->models[0]));
    array = json_array();
    for (size_t i = 0; array && i < f->n_models; i++)
        if (json_array_append_new(array, json_string(text(&f->models[i]))) < 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

json_t *figures_json(const struct figures *f)
{
    struct pooled p = {0};
    double fps = figures_fps(f->clips, f->n);
    int delay = f->length - 1 - f->length / 2;
    json_t *result = NULL, *motion;

    if (pool(&p, f->clips, f->n) < 0)
        goto end;
    motion = !p.has_motion ? json_null() :
             json_pack("{s:o, s:o}", "auc_causal", auc_json(p.motion, p.labels, p.n), "auc_per_clip_minmax",
                       auc_json(p.motion_scaled, p.labels, p.n));
    result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:i, s:o, s:{s:i, s:o}, s:o, s:o, s:o, s:o, s:o}",
                       "model", of_models(f, path_of),
                       "precision", of_models(f, precision_of),
                       "auc_per_clip_minmax", auc_json(p.reference_scaled, p.labels, p.n),
                       "auc_causal", auc_json(p.scores, p.labels, p.n),
                       "auc_reference_raw", auc_json(p.reference, p.labels, p.n),
                       "average_precision", precision_json(&p),
                       "auc_voices", voices_auc(f, &p),
                       "motion", motion,
                       "windows", (json_int_t)p.n,
                       "positives", (json_int_t)count_positives(p.labels, p.n),
                       "stride", f->stride,
                       "fps", real_or_null(fps > 0, fps),
                       "delay", "frames", delay, "seconds", real_or_null(fps > 0, delay / fps),
                       "events", events_json(&p, f->normal),
                       "normal", normal_json(f->normal, f->stride, f->rule != NULL),
                       "localisation", localisation_json(f),
                       "clips", clips_json(f->clips, f->n),
                       "alerts", f->rule ? alerts_json(f->rule, f->policy, f->clips, f->n) : json_null());
end:
    pool_clear(&p);
    return result;
}

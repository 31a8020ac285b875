#include "daemon/learn/survey.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A step lowers scores by more than this. */
#define LEAST_STEP 0.01

const double survey_budgets[SURVEY_BUDGETS] = {1, 10, 100};

/* Adds a suspect. Once the list is full, it keeps those with the highest scores. */
static void suspect(struct survey *s, size_t frame, double score)
{
    int i = s->n_suspects;
    if (i == SURVEY_SUSPECTS) {
        i = 0;
        for (int k = 1; k < SURVEY_SUSPECTS; k++)
            if (s->suspects[k].score < s->suspects[i].score)
                i = k;
        if (score <= s->suspects[i].score)
            return;
    } else {
        s->n_suspects++;
    }
    s->suspects[i] = (struct survey_suspect){frame, score};
}

/* Counts an alert as it closes. suspects may be NULL. */
static void take_event(long *alerts, const struct windows *w, const struct alert_state *state, enum alert_event event,
                       struct survey *suspects)
{
    if (event != ALERT_CLOSED)
        return;
    ++*alerts;
    if (suspects)
        suspect(suspects, w->first[state->peak_number], (double)state->peak);
}

/* Counts the alerts that a rule raises, by the times of fps frames a second. suspects may be NULL. */
static long count(const struct windows *w, const float *scores, double fps, const struct alert_rule *rule,
                  struct survey *suspects)
{
    struct alert_state state;
    int64_t time_us = 0;
    long alerts = 0;
    alert_init(&state, rule);
    for (size_t i = 0; i < w->n; i++) {
        if (windows_step(w, i) == 0)
            take_event(&alerts, w, &state, alert_gap(&state, time_us), suspects);
        time_us = (int64_t)((double)w->first[i] / fps * 1e6);
        take_event(&alerts, w, &state, alert_wait(&state, time_us), suspects);
        take_event(&alerts, w, &state, alert_score(&state, scores[i], time_us), suspects);
    }
    take_event(&alerts, w, &state, alert_break(&state, time_us), suspects);
    return alerts;
}

static int by_frame(const void *a, const void *b)
{
    const struct survey_suspect *x = a, *y = b;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

/* Counts the alerts of windows with these scores at the calibration's threshold, and at those of the budgets. suspects may be
 * NULL. */
static void count_all(struct survey *s, const struct windows *w, const float *scores, double fps, int k, int n,
                      const struct calibration *c, struct survey *suspects)
{
    struct alert_rule rule = alert_rule_default(c->threshold, c->close_threshold);
    rule.k = k;
    rule.n = n;
    s->alerts = count(w, scores, fps, &rule, suspects);
    for (int i = 0; c->has_tail && i < SURVEY_BUDGETS; i++) {
        rule.threshold = (float)tail_threshold(&c->tail, survey_budgets[i]);
        rule.close_threshold = fminf((float)c->close_threshold, rule.threshold);
        s->at_budget[i] = count(w, scores, fps, &rule, NULL);
    }
}

/* The rate of alerts on the footage of the calibration and of the survey together, over the calibration's rate; 1 at least. */
static double times_as_often(const struct survey *s, const struct calibration *c)
{
    double times = 1;
    for (int i = 0; i < SURVEY_BUDGETS; i++) {
        double an_hour = survey_budgets[i] / 24, expected = an_hour * c->tail.hours;
        if (s->at_budget[i] >= SURVEY_LEAST)
            times = fmax(times, (expected + (double)s->at_budget[i]) / (expected + an_hour * s->hours));
    }
    return times;
}

/* Lowers the calibration and the scores until they alert no more often than the calibration says, or the calibration cannot be
 * lowered further. Ends, because a threshold counts only while SURVEY_LEAST alerts reach it. */
static void lower_scores(struct survey *s, const struct windows *w, float *scores, double fps, int k, int n,
                         struct calibration *c)
{
    for (double times; (times = times_as_often(s, c)) > 1;) {
        double wanted = log(times) + LEAST_STEP, by = calibration_lower(c, wanted);
        s->lowered += by;
        s->lowered_most = by < wanted;
        for (size_t i = 0; i < w->n; i++)
            scores[i] -= (float)by;
        for (int i = 0; i < s->n_suspects; i++)
            s->suspects[i].score -= by;
        count_all(s, w, scores, fps, k, n, c, NULL);
        if (s->lowered_most)
            return;
    }
}

/* lower: NULL, or the calibration, which may be lowered. */
static int run(struct survey *ret, const struct windows_options *options, int k, int n, const struct model *model,
               const struct calibration *calibration, struct calibration *lower, const struct parallel *parallel,
               struct error *err)
{
    double fps = footage_fps(options->footage);
    struct windows w;
    struct survey s = {0};
    float *scores = NULL;
    int r = windows_open(&w, options, model, parallel, err);
    if (r < 0 || (r = windows_measure(&w, &calibration->score, NULL, w.n, err)) < 0)
        goto out;
    if (!(scores = malloc((w.n + 1) * sizeof *scores))) {
        r = error_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < w.n; i++)
        scores[i] = calibration->has_score ? score_of(&calibration->score, &w.features[i]) : w.reference[i];
    s.windows = w.n;
    s.hours = (double)w.n * options->stride / fps / 3600;
    count_all(&s, &w, scores, fps, k, n, calibration, &s);
    if (lower && lower->has_score && lower->has_tail)
        lower_scores(&s, &w, scores, fps, k, n, lower);
    qsort(s.suspects, (size_t)s.n_suspects, sizeof *s.suspects, by_frame);
    for (int i = 0; i < s.n_suspects; i++)
        s.suspects[i].frame += (size_t)model->arch.frames / 2;
    *ret = s;
out:
    free(scores);
    windows_close(&w);
    return r;
}

int survey_run(struct survey *ret, const struct windows_options *options, int k, int n, const struct model *model,
               const struct calibration *calibration, const struct parallel *parallel, struct error *err)
{
    return run(ret, options, k, n, model, calibration, NULL, parallel, err);
}

int survey_learned(struct survey *ret, const struct windows_options *options, int k, int n, const struct model *model,
                   struct calibration *calibration, const struct parallel *parallel, struct error *err)
{
    return run(ret, options, k, n, model, calibration, calibration, parallel, err);
}

json_t *survey_to_json(const struct survey *survey, const struct calibration *calibration, const struct footage *footage)
{
    json_t *suspects = json_array(), *at = calibration->has_tail ? json_object() : NULL;
    for (int i = 0; i < survey->n_suspects; i++) {
        double at_s;
        const char *input = footage_place(footage, survey->suspects[i].frame, &at_s);
        json_array_append_new(suspects, json_pack("{s:s, s:f, s:f}", "input", input, "at_s", round(10 * at_s) / 10, "score",
                                                  survey->suspects[i].score));
    }
    for (int i = 0; at && i < SURVEY_BUDGETS; i++) {
        char key[16];
        snprintf(key, sizeof key, "%g", survey_budgets[i]);
        json_object_set_new(at, key, json_integer(survey->at_budget[i]));
    }
    return json_pack("{s:f, s:I, s:I, s:o*, s:f, s:o}", "hours", survey->hours, "windows", (json_int_t)survey->windows, "alerts",
                     (json_int_t)survey->alerts, "alerts_at", at, "lowered", survey->lowered, "suspects", suspects);
}

void survey_print_provisional(const struct calibration *calibration, double alerts_a_day)
{
    if (calibration->has_tail && tail_is_provisional(&calibration->tail))
        printf("provisional: %.2g hours of footage do not show what comes %g times a day, so the threshold is set for %.3g "
               "alerts a day; `memaed calibrate` on a whole day makes it sound\n", calibration->tail.hours, alerts_a_day,
               tail_budget(&calibration->tail, alerts_a_day));
}

void survey_print_verified(const struct survey *survey, const struct calibration *calibration)
{
    printf("verified on %.3g hours that were used neither for learning nor for calibration: %ld alerts at this "
           "threshold", survey->hours,
           survey->alerts);
    for (int i = 0; calibration->has_tail && i < SURVEY_BUDGETS; i++)
        printf("%s %ld for %g a day (%.2g expected)", i ? "," : "; with others:", survey->at_budget[i], survey_budgets[i],
               survey_budgets[i] * survey->hours / 24);
    putchar('\n');
}

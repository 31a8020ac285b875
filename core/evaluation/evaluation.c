#include "core/evaluation/evaluation.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct labelled {
    double score;
    uint8_t label;
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct labelled *)a)->score, y = ((const struct labelled *)b)->score;

    return (x > y) - (x < y);
}

/* Sorts the scores in rising order and counts the abnormal ones. The caller frees *ret. */
static int sort_scores(struct labelled **ret, double *positives, const double *scores, const uint8_t *labels, size_t n)
{
    struct labelled *sorted;
    double count = 0;

    for (size_t i = 0; i < n; i++) {
        if (isnan(scores[i]))
            return -EDOM;
        count += labels[i] != 0;
    }
    if (count == 0 || count == (double)n)
        return -EDOM;
    sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct labelled){scores[i], labels[i] != 0};
    qsort(sorted, n, sizeof *sorted, compare);
    *ret = sorted;
    *positives = count;
    return 0;
}

int evaluation_auc(double *ret, const double *scores, const uint8_t *labels, size_t n)
{
    struct labelled *sorted;
    double wins = 0, positives;
    int r = sort_scores(&sorted, &positives, scores, labels, n);

    if (r < 0)
        return r;
    /* Equal scores form a group: a positive wins over each negative below its group, and half over each in its group. */
    double below = 0;
    for (size_t i = 0, end; i < n; i = end) {
        double p = 0;

        for (end = i; end < n && sorted[end].score == sorted[i].score; end++)
            p += sorted[end].label;
        double q = (double)(end - i) - p;
        wins += p * (below + q / 2);
        below += q;
    }
    free(sorted);
    *ret = wins / (positives * ((double)n - positives));
    return 0;
}

int evaluation_average_precision(double *ret, const double *scores, const uint8_t *labels, size_t n)
{
    struct labelled *sorted;
    double sum = 0, above = 0, positives;
    int r = sort_scores(&sorted, &positives, scores, labels, n);

    if (r < 0)
        return r;
    for (size_t end = n, begin; end > 0; end = begin) {
        double p = 0;

        for (begin = end; begin > 0 && sorted[begin - 1].score == sorted[end - 1].score; begin--)
            p += sorted[begin - 1].label;
        above += p;
        sum += p * above / (double)(n - begin);
    }
    free(sorted);
    *ret = sum / positives;
    return 0;
}

struct ranked {
    double value;
    size_t index;
};

static int compare_ranked(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;

    return (x > y) - (x < y);
}

/* Writes the ranks minus their mean. sorted: scratch for n. Returns Σ rank², which is 0 if all values are equal. */
static double rank(double *ranks, struct ranked *sorted, const double *values, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct ranked){values[i], i};
    qsort(sorted, n, sizeof *sorted, compare_ranked);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && sorted[end].value == sorted[i].value; end++)
            ;
        double r = (double)(i + end - 1) / 2 - (double)(n - 1) / 2;
        for (size_t k = i; k < end; k++)
            ranks[sorted[k].index] = r;
        sum += r * r * (double)(end - i);
    }
    return sum;
}

int evaluation_rank_correlation(double *ret, const double *a, const double *b, size_t n)
{
    double *ranks, sum = 0;
    struct ranked *sorted;
    int r = 0;

    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return -EDOM;
    ranks = malloc((2 * n + 1) * sizeof *ranks);
    sorted = malloc((n + 1) * sizeof *sorted);
    if (!ranks || !sorted) {
        r = -ENOMEM;
    } else {
        double squares = n < 2 ? 0 : rank(ranks, sorted, a, n) * rank(ranks + n, sorted, b, n);
        for (size_t i = 0; squares > 0 && i < n; i++)
            sum += ranks[i] * ranks[n + i];
        if (squares > 0)
            *ret = fmax(-1, fmin(1, sum / sqrt(squares)));
        else
            r = -EDOM;
    }
    free(ranks);
    free(sorted);
    return r;
}

void evaluation_min_max(double *out, const double *in, size_t n)
{
    double min = INFINITY, max = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        min = fmin(min, in[i]);
        max = fmax(max, in[i]);
    }
    for (size_t i = 0; i < n; i++)
        out[i] = max > min ? (in[i] - min) / (max - min) : 0;
}

/* Counts an alert that spans the windows first … last. *found is the end of the last stretch that was counted as found. */
static void count_alert(struct evaluation_alerts *sum, const uint8_t *labels, size_t first, size_t last, size_t n,
                        size_t *found)
{
    bool abnormal = false;

    for (size_t i = first; i <= last; i++) {
        if (!labels[i])
            continue;
        abnormal = true;
        if (i < *found)
            continue;
        sum->stretches_found++;
        for (*found = i; *found < n && labels[*found]; ++*found)
            ;
    }
    sum->alerts++;
    *(abnormal ? &sum->on_abnormal : &sum->on_normal) += 1;
}

/* A walk over the windows of a clip. */
struct walk {
    struct alert_state state;
    struct policy policy;
    size_t first, last;                 /* windows that the open alert spans */
    bool told;                          /* the open alert */
    size_t found;
};

static void take_event(struct evaluation_alerts *sum, struct walk *walk, enum alert_event event, const uint8_t *labels,
                       const int64_t *times_us, size_t at, size_t n)
{
    switch (event) {
    case ALERT_OPENED:
        walk->told = false;
        for (walk->first = at; walk->first > 0 && times_us[walk->first - 1] >= walk->state.opened_us; walk->first--)
            ;
        break;
    case ALERT_PEAK:
        if (walk->told)
            policy_rose(&walk->policy, (double)walk->state.peak);
        break;
    case ALERT_CLOSED:
        if (!walk->told)
            break;
        policy_closed(&walk->policy, walk->state.closed_us);
        count_alert(sum, labels, walk->first, walk->last, n, &walk->found);
        break;
    case ALERT_NOTHING:
        break;
    }
}

void evaluation_alerts(struct evaluation_alerts *sum, const struct alert_rule *rule, const struct policy_rule *policy,
                       const float *scores, const uint8_t *labels, const int64_t *times_us, const uint8_t *break_before,
                       size_t n)
{
    struct walk walk = {.found = 0};
    struct alert_state *state = &walk.state;

    alert_init(state, rule);
    policy_init(&walk.policy, policy);
    for (size_t i = 0; i < n; i++) {
        if (labels[i] && (i == 0 || !labels[i - 1]))
            sum->stretches++;
        if (!labels[i] && i + 1 < n && times_us[i + 1] > times_us[i])
            sum->normal_s += (double)(times_us[i + 1] - times_us[i]) * 1e-6;

        if (i > 0 && break_before && break_before[i])
            take_event(sum, &walk, alert_gap(state, times_us[i - 1]), labels, times_us, i - 1, n);
        take_event(sum, &walk, alert_wait(state, times_us[i]), labels, times_us, i, n);
        bool lasted = state->lasts;
        enum alert_event event = alert_score(state, scores[i], times_us[i]);
        if (lasted || state->lasts)
            walk.last = i;
        take_event(sum, &walk, event, labels, times_us, i, n);
        if (state->open && state->lasts && !walk.told)
            walk.told = policy_ask(&walk.policy, (double)state->peak, times_us[i]) == SUPPRESSED_NOT;
    }
    if (state->open && walk.told)
        count_alert(sum, labels, walk.first, walk.last, n, &walk.found);
}

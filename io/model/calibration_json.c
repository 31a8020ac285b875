#include "io/model/calibration_json.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "io/base/json.h"
#include "io/model/numbers_json.h"

/* A condition's object has the keys noise and rare, for each voice VOICE_centre and VOICE_spread, and the lists of its
 * places. */
struct voice_keys {
    char centre[32], spread[32];
};

static struct voice_keys keys_of(enum voice voice)
{
    struct voice_keys k;
    const char *name = voice_name(voice);
    snprintf(k.centre, sizeof k.centre, "%s_centre", name);
    snprintf(k.spread, sizeof k.spread, "%s_spread", name);
    return k;
}

/* The lists of struct places. */
static const struct {
    const char *key;
    size_t at;
} lists[] = {
    {"pace_usual", offsetof(struct places, usual[PLACES_PACE])},
    {"appearance_usual", offsetof(struct places, usual[PLACES_APPEARANCE])},
    {"appearance_typical", offsetof(struct places, typical_error)},
};
enum { LISTS = COUNT(lists) };

static const float *list_of(const struct places *places, int list)
{
    return (const float *)((const char *)places + lists[list].at);
}

static int places_cells(const struct arch *arch)
{
    int rows, columns;
    return score_cells(arch, &rows, &columns) && rows * columns <= PLACES_CELLS_MAX ? rows * columns : 0;
}

static int condition_check(const struct score_spec *s, const struct arch *arch, int i, struct error *err)
{
    const struct score_condition *c = &s->condition[i];
    int r = number_check(c->noise, 0, NUMBER_MOST, "noise", err);
    for (int v = 0; r == 0 && v < score_voices(s); v++) {
        const struct voice_keys k = keys_of((enum voice)v);
        r = number_check(c->usual[v].centre, -NUMBER_MOST, NUMBER_MOST, k.centre, err);
        if (r == 0)
            r = number_check(c->usual[v].spread, NUMBER_LEAST, NUMBER_MOST, k.spread, err);
    }
    for (int l = 0; r == 0 && s->has_places && l < LISTS; l++)
        r = floats_check(list_of(&s->places[i], l), places_cells(arch), -NUMBER_MOST, lists[l].key, err);
    if (r == 0)
        r = pareto_check(&c->rare, "rare", err);
    if (r == 0 && c->rare.shape < 0)
        r = error_set(err, -EINVAL, "rare: expected a shape of 0 or more, got %.9g", c->rare.shape);
    return r;
}

static int score_check(const struct score_spec *s, const struct arch *arch, struct error *err)
{
    if (s->conditions < 1 || s->conditions > SCORE_CONDITIONS)
        return error_set(err, -EINVAL, "score: conditions: expected 1 or %d, got %d", SCORE_CONDITIONS, s->conditions);
    int r = number_check(s->boundary, -NUMBER_MOST, NUMBER_MOST, "score: boundary", err);
    if (r < 0)
        return r;
    if (s->has_places && places_cells(arch) == 0)
        return error_set(err, -EINVAL, "score: expected no places, as the network has none or more than %d cells",
                         PLACES_CELLS_MAX);
    for (int i = 0; i < s->conditions; i++) {
        r = condition_check(s, arch, i, err);
        if (r < 0)
            return error_prefix(err, r, "score: conditions[%d]", i);
    }
    return 0;
}

static int condition_from_json(struct score_spec *s, const struct arch *arch, int i, const json_t *json, struct error *err)
{
    struct voice_keys voices[SCORE_VOICES];
    const char *keys[2 + 2 * SCORE_VOICES + LISTS] = {"noise"};
    double *fields[1 + 2 * SCORE_VOICES] = {&s->condition[i].noise};
    size_t n = 1;
    for (int v = 0; v < SCORE_VOICES; v++)
        voices[v] = keys_of((enum voice)v);
    for (int v = 0; v < score_voices(s); v++) {
        fields[n] = &s->condition[i].usual[v].centre;
        keys[n++] = voices[v].centre;
        fields[n] = &s->condition[i].usual[v].spread;
        keys[n++] = voices[v].spread;
    }
    size_t allowed = n;
    keys[allowed++] = "rare";
    for (int l = 0; s->has_places && l < LISTS; l++)
        keys[allowed++] = lists[l].key;
    char where[40];
    snprintf(where, sizeof where, "score: conditions[%d]", i);
    int r = numbers_from_json(fields, keys, n, allowed, where, json, err);
    if (r < 0)
        return r;
    r = pareto_from_json(&s->condition[i].rare, "rare", json_object_get(json, "rare"), err);
    for (int l = 0; r == 0 && s->has_places && l < LISTS; l++)
        r = floats_from_json((float *)((char *)&s->places[i] + lists[l].at), places_cells(arch), lists[l].key,
                             json_object_get(json, lists[l].key), err);
    return r < 0 ? error_prefix(err, r, "%s", where) : 0;
}

static int score_from_json(struct score_spec *s, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"boundary", "conditions"};
    const json_t *list = json_object_get(json, "conditions");
    int r = numbers_from_json((double *const[]){&s->boundary}, keys, 1, COUNT(keys), "score", json, err);
    if (r < 0)
        return r;
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > SCORE_CONDITIONS)
        return error_set(err, -EINVAL, "score: conditions: expected a list of 1 or %d, got %zu", SCORE_CONDITIONS,
                         json_array_size(list));
    s->conditions = (int)json_array_size(list);
    s->has_places = json_object_get(json_array_get(list, 0), keys_of(VOICE_PACE).centre) != NULL;
    for (int i = 0; r == 0 && i < s->conditions; i++)
        r = condition_from_json(s, arch, i, json_array_get(list, (size_t)i), err);
    return r < 0 ? r : score_check(s, arch, err);
}

static json_t *condition_to_json(const struct score_spec *s, int i, int cells)
{
    const struct score_condition *c = &s->condition[i];
    json_t *ret = json_pack("{s:f}", "noise", c->noise);
    for (int v = 0; v < score_voices(s); v++) {
        const struct voice_keys k = keys_of((enum voice)v);
        json_object_set_new(ret, k.centre, json_real(c->usual[v].centre));
        json_object_set_new(ret, k.spread, json_real(c->usual[v].spread));
    }
    for (int l = 0; s->has_places && l < LISTS; l++)
        json_object_set_new(ret, lists[l].key, floats_to_json(list_of(&s->places[i], l), cells));
    json_object_set_new(ret, "rare", pareto_to_json(&c->rare));
    return ret;
}

static json_t *score_to_json(const struct score_spec *s, const struct arch *arch)
{
    json_t *list = json_array();
    for (int i = 0; i < s->conditions; i++)
        json_array_append_new(list, condition_to_json(s, i, places_cells(arch)));
    return json_pack("{s:f, s:o}", "boundary", s->boundary, "conditions", list);
}

static int tail_check(const struct tail *t, struct error *err)
{
    int r = pareto_check(&t->window, "tail: window", err);
    if (r == 0)
        r = pareto_check(&t->run, "tail: run", err);
    if (r == 0)
        r = number_check(t->hours, 0, NUMBER_MOST, "tail: hours", err);
    if (r == 0 && (t->windows < 1 || t->runs < 0 || t->window.share > 1))
        r = error_set(err, -EINVAL, "tail: expected windows of 1 or more, runs of 0 or more, and a share of windows of at "
                      "most 1, got %ld, %ld and %.9g", t->windows, t->runs, t->window.share);
    for (int i = 0; r == 0 && i < TAIL_QUANTILES; i++)
        if (!(fabs(t->quantiles[i]) <= NUMBER_MOST) || (i > 0 && t->quantiles[i] < t->quantiles[i - 1]))
            r = error_set(err, -EINVAL, "tail: quantiles[%d]: expected a number within %g, no less than the one before", i,
                          NUMBER_MOST);
    return r;
}

static int tail_from_json(struct tail *t, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"hours", "windows", "runs", "quantiles", "window", "run"};
    double windows, runs;
    const json_t *quantiles = json_object_get(json, "quantiles");
    int r = numbers_from_json((double *const[]){&t->hours, &windows, &runs}, keys, 3, COUNT(keys), "tail", json, err);
    if (r < 0)
        return r;
    if ((r = count_from_number(&t->windows, windows, "tail: windows", err)) < 0 ||
        (r = count_from_number(&t->runs, runs, "tail: runs", err)) < 0)
        return r;
    if (json_array_size(quantiles) != TAIL_QUANTILES)
        return error_set(err, -EINVAL, "tail: quantiles: expected a list of %d numbers, got %zu", TAIL_QUANTILES,
                         json_array_size(quantiles));
    for (size_t i = 0; i < TAIL_QUANTILES; i++) {
        const json_t *value = json_array_get(quantiles, i);
        if (!json_is_number(value))
            return error_prefix(err, wrong_json(err, "quantiles", "numbers", value), "tail");
        t->quantiles[i] = json_number_value(value);
    }
    if ((r = pareto_from_json(&t->window, "tail: window", json_object_get(json, "window"), err)) < 0 ||
        (r = pareto_from_json(&t->run, "tail: run", json_object_get(json, "run"), err)) < 0)
        return r;
    return tail_check(t, err);
}

static json_t *tail_to_json(const struct tail *t)
{
    json_t *quantiles = json_array();
    for (int i = 0; i < TAIL_QUANTILES; i++)
        json_array_append_new(quantiles, json_real(t->quantiles[i]));
    return json_pack("{s:f, s:I, s:I, s:o, s:o, s:o}", "hours", t->hours, "windows", (json_int_t)t->windows, "runs",
                     (json_int_t)t->runs, "quantiles", quantiles, "window", pareto_to_json(&t->window), "run",
                     pareto_to_json(&t->run));
}

/* An object with a list for each voice of the score. */
static int deciles_check(const struct calibration *c, struct error *err)
{
    for (int v = 0; v < score_voices(&c->score); v++)
        for (int i = 0; i < DRIFT_DECILES; i++)
            if (!(fabsf(c->deciles[v][i]) <= (float)NUMBER_MOST) || (i > 0 && c->deciles[v][i] < c->deciles[v][i - 1]))
                return error_set(err, -EINVAL, "deciles: %s[%d]: expected a number within %g, no less than the one before",
                                 voice_name((enum voice)v), i, NUMBER_MOST);
    return 0;
}

static int deciles_from_json(struct calibration *c, const json_t *json, struct error *err)
{
    const char *keys[SCORE_VOICES];
    size_t n = (size_t)score_voices(&c->score);
    for (size_t v = 0; v < n; v++)
        keys[v] = voice_name((enum voice)v);
    int r = check_json_keys(json, keys, n, err);
    for (size_t v = 0; r == 0 && v < n; v++)
        r = floats_from_json(c->deciles[v], DRIFT_DECILES, keys[v], json_object_get(json, keys[v]), err);
    return r < 0 ? error_prefix(err, r, "deciles") : 0;
}

static json_t *deciles_to_json(const struct calibration *c)
{
    json_t *ret = json_object();
    for (int v = 0; v < score_voices(&c->score); v++)
        json_object_set_new(ret, voice_name((enum voice)v), floats_to_json(c->deciles[v], DRIFT_DECILES));
    return ret;
}

static int int8_check(const struct calibration_int8 *c, const struct arch *arch, struct error *err)
{
    struct arch_shapes shapes;
    int r = arch_shapes(&shapes, arch, err), n = r < 0 ? 0 : ranges_count(arch, &shapes);
    if (r == 0 && (c->ranges.n != n || n > RANGES_MAX))
        return error_set(err, -EINVAL, "int8: expected ranges of %d channels, got %d", n, c->ranges.n);
    for (int i = 0; r == 0 && i < n; i++) {
        const struct range *range = &c->ranges.channels[i];
        /* With these limits no arithmetic overflows. */
        if (!(range->low <= 0 && range->high >= 0 && range->low >= -1e15f && range->high <= 1e15f &&
              range->high - range->low >= 1e-9f))
            r = error_set(err, -EINVAL, "int8: low[%d], high[%d]: expected a range around 0, at least 1e-9 wide and within "
                          "1e15, got %.9g to %.9g", i, i, (double)range->low, (double)range->high);
    }
    if (r == 0)
        r = number_check(c->rank_correlation, -1, 1, "int8: rank_correlation", err);
    if (r == 0)
        r = number_check(c->largest_difference, 0, NUMBER_MOST, "int8: largest_difference", err);
    if (r == 0 && c->windows < 1)
        r = error_set(err, -EINVAL, "int8: windows: expected 1 or more, got %ld", c->windows);
    return r;
}

static int int8_from_json(struct calibration_int8 *c, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"rank_correlation", "largest_difference", "windows", "low", "high"};
    const json_t *low = json_object_get(json, "low"), *high = json_object_get(json, "high");
    double windows;
    int r = numbers_from_json((double *const[]){&c->rank_correlation, &c->largest_difference, &windows}, keys, 3, COUNT(keys),
                        "int8", json, err);
    if (r < 0)
        return r;
    if ((r = count_from_number(&c->windows, windows, "int8: windows", err)) < 0)
        return r;
    size_t n = json_array_size(low);
    if (n > RANGES_MAX || json_array_size(high) != n)
        return error_set(err, -EINVAL, "int8: low, high: expected lists of the same length, at most %d, got %zu and %zu values",
                         RANGES_MAX, n, json_array_size(high));
    c->ranges.n = (int)n;
    for (size_t i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof key, "low[%zu]", i);
        r = float_from_json(&c->ranges.channels[i].low, key, json_array_get(low, i), err);
        snprintf(key, sizeof key, "high[%zu]", i);
        if (r == 0)
            r = float_from_json(&c->ranges.channels[i].high, key, json_array_get(high, i), err);
        if (r < 0)
            return error_prefix(err, r, "int8");
    }
    return int8_check(c, arch, err);
}

static json_t *int8_to_json(const struct calibration_int8 *c)
{
    json_t *low = json_array(), *high = json_array();
    for (int i = 0; i < c->ranges.n; i++) {
        json_array_append_new(low, float_to_json(c->ranges.channels[i].low));
        json_array_append_new(high, float_to_json(c->ranges.channels[i].high));
    }
    return json_pack("{s:f, s:f, s:I, s:o, s:o}", "rank_correlation", c->rank_correlation, "largest_difference",
                     c->largest_difference, "windows", (json_int_t)c->windows, "low", low, "high", high);
}

static int static_check(const struct static_limits *s, const struct arch *arch, struct error *err)
{
    int n = static_cells(arch), r = 0;
    if (s->cells != n || n == 0)
        return error_set(err, -EINVAL, "static: expected limits of %d cells, got %d", n, s->cells);
    for (int c = 0; r == 0 && c < SCORE_CONDITIONS; c++)
        for (int i = 0; r == 0 && i < n; i++)
            if (!(s->limit[c][i] >= -1 && s->limit[c][i] <= STATIC_FARTHEST))
                r = error_set(err, -EINVAL, "static: limits[%d][%d]: expected -1 to %d, got %.9g", c, i, STATIC_FARTHEST,
                              (double)s->limit[c][i]);
    if (r == 0)
        r = number_check(s->largest_difference, 0, NUMBER_MOST, "static: largest_difference", err);
    if (r == 0)
        r = number_check(s->bound, s->largest_difference, NUMBER_MOST, "static: bound", err);
    if (r == 0)
        r = number_check(s->light_margin, 0, NUMBER_MOST, "static: light_margin", err);
    if (r == 0 && s->windows < 0)
        r = error_set(err, -EINVAL, "static: windows: expected 0 or more, got %ld", s->windows);
    return r < 0 ? r : number_check(s->frozen_s, NUMBER_LEAST, NUMBER_MOST, "static: frozen_s", err);
}

static int static_from_json(struct static_limits *s, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"bound", "largest_difference", "windows", "frozen_s", "light_margin", "limits"};
    const json_t *limits = json_object_get(json, "limits");
    double windows;
    int r = numbers_from_json((double *const[]){&s->bound, &s->largest_difference, &windows, &s->frozen_s, &s->light_margin},
                              keys, 5, COUNT(keys), "static", json, err);
    if (r < 0)
        return r;
    if ((r = count_from_number(&s->windows, windows, "static: windows", err)) < 0)
        return r;
    if (json_array_size(limits) != SCORE_CONDITIONS)
        return error_set(err, -EINVAL, "static: limits: expected %d lists, got %zu", SCORE_CONDITIONS, json_array_size(limits));
    s->cells = static_cells(arch);
    for (size_t c = 0; c < SCORE_CONDITIONS; c++) {
        char key[32];
        snprintf(key, sizeof key, "limits[%zu]", c);
        if ((r = floats_from_json(s->limit[c], s->cells, key, json_array_get(limits, c), err)) < 0)
            return error_prefix(err, r, "static");
    }
    return static_check(s, arch, err);
}

static json_t *static_to_json(const struct static_limits *s)
{
    json_t *limits = json_array();
    for (int c = 0; c < SCORE_CONDITIONS; c++)
        json_array_append_new(limits, floats_to_json(s->limit[c], s->cells));
    return json_pack("{s:f, s:f, s:I, s:f, s:f, s:o}", "bound", s->bound, "largest_difference", s->largest_difference,
                     "windows", (json_int_t)s->windows, "frozen_s", s->frozen_s, "light_margin", s->light_margin, "limits",
                     limits);
}

int calibration_check(const struct calibration *c, const struct arch *arch, struct error *err)
{
    int r = c->has_score ? score_check(&c->score, arch, err) : 0;
    if (r == 0 && c->has_tail)
        r = tail_check(&c->tail, err);
    if (r == 0 && c->has_deciles)
        r = c->has_score ? deciles_check(c, err) : error_set(err, -EINVAL, "deciles: expected a score beside them, got none");
    if (r == 0 && c->has_int8)
        r = int8_check(&c->int8, arch, err);
    if (r == 0 && c->has_static)
        r = c->has_score ? static_check(&c->still, arch, err)
                         : error_set(err, -EINVAL, "static: expected a score beside it, got none");
    if (r < 0)
        return r;
    const struct { const char *key; double value; } scores[] = {
        {"threshold", c->threshold}, {"close_threshold", c->close_threshold}, {"median", c->median}, {"p99", c->p99},
        {"maximum", c->maximum},
    };
    for (size_t i = 0; i < COUNT(scores); i++)
        if ((r = number_check(scores[i].value, -NUMBER_MOST, NUMBER_MOST, scores[i].key, err)) < 0)
            return r;
    if ((r = number_check(c->fps, CALIBRATION_LEAST_FPS, CALIBRATION_MOST_FPS, "fps", err)) < 0)
        return r;
    if (c->close_threshold > c->threshold)
        return error_set(err, -EINVAL, "close_threshold: expected at most the threshold, %.9g, got %.9g",
                         c->threshold, c->close_threshold);
    if (c->windows < 0)
        return error_set(err, -EINVAL, "windows: expected 0 or more, got %ld", c->windows);
    return 0;
}

int calibration_from_json(struct calibration *ret, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"fps", "threshold", "close_threshold", "median", "p99", "maximum", "windows", "score",
                                       "tail", "deciles", "int8", "static"};
    struct calibration c = {0};
    double *const fields[] = {&c.fps, &c.threshold, &c.close_threshold, &c.median, &c.p99, &c.maximum};
    const json_t *score = json_object_get(json, "score"), *tail = json_object_get(json, "tail"),
                 *deciles = json_object_get(json, "deciles"), *int8 = json_object_get(json, "int8"),
                 *still = json_object_get(json, "static");
    int r = check_json_keys(json, keys, COUNT(keys), err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < COUNT(fields); i++) {
        const json_t *value = json_object_get(json, keys[i]);
        if (!json_is_number(value))
            return wrong_json(err, keys[i], "a number", value);
        *fields[i] = json_number_value(value);
    }
    const json_t *windows = json_object_get(json, "windows");
    if (!json_is_integer(windows))
        return wrong_json(err, "windows", "an integer", windows);
    c.windows = (long)json_integer_value(windows);
    c.has_score = score != NULL;
    c.has_tail = tail != NULL;
    c.has_deciles = deciles != NULL;
    c.has_int8 = int8 != NULL;
    c.has_static = still != NULL;
    if ((score && (r = score_from_json(&c.score, arch, score, err)) < 0) ||
        (tail && (r = tail_from_json(&c.tail, tail, err)) < 0) ||
        (score && deciles && (r = deciles_from_json(&c, deciles, err)) < 0) ||
        (int8 && (r = int8_from_json(&c.int8, arch, int8, err)) < 0) ||
        (still && (r = static_from_json(&c.still, arch, still, err)) < 0) || (r = calibration_check(&c, arch, err)) < 0)
        return r;
    int rows, columns;
    if (c.has_score && !score_cells(arch, &rows, &columns))
        return error_set(err, -EINVAL, "score: expected none, as the network's windows are too small for cells");
    *ret = c;
    return 0;
}

json_t *calibration_to_json(const struct calibration *c, const struct arch *arch)
{
    json_t *ret = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "fps", c->fps, "threshold", c->threshold,
                            "close_threshold", c->close_threshold, "median", c->median, "p99", c->p99, "maximum", c->maximum,
                            "windows", (json_int_t)c->windows);
    if ((c->has_score && json_object_set_new(ret, "score", score_to_json(&c->score, arch)) < 0) ||
        (c->has_tail && json_object_set_new(ret, "tail", tail_to_json(&c->tail)) < 0) ||
        (c->has_deciles && json_object_set_new(ret, "deciles", deciles_to_json(c)) < 0) ||
        (c->has_int8 && json_object_set_new(ret, "int8", int8_to_json(&c->int8)) < 0) ||
        (c->has_static && json_object_set_new(ret, "static", static_to_json(&c->still)) < 0)) {
        json_decref(ret);
        return NULL;
    }
    return ret;
}

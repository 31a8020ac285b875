#include "core/health/health.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/fault.h"
#include "core/health/rate.h"
#include "core/health/second.h"
#include "core/health/stillness.h"

#define SECOND_US INT64_C(1000000)
enum { MOST_PLACES = 64,        /* displacements of a second that its median is taken of */
       NEW_LIGHT_S = 20,        /* a light that is not known is learned after so long */
       STEADY_S = 3 };          /* the picture has to be alike for so long to be learned as a new scene */
#define STEADY_LEVELS 4.0f      /* mean difference of cells from second to second */
#define DEGREES 57.29578
#define SHORTEST_US INT64_C(20000)      /* a picture sooner after another is not correlated: 50 a second suffice */

struct health {
    struct health_options options;
    struct displacement_tables tables;
    struct scenes scenes;
    struct usual usual;
    int scene;                  /* the last one that was found; -1: none yet */
    bool lit;                   /* the last second was in its light */
    bool clean, taught;         /* taught: learned from clean footage, so no more has to be taken for it */
    long seconds;               /* judged */
    long learned;               /* of those, learned */
    bool seeking;               /* the picture is in no known light, nor placed: pictures are compared with all scenes in turn */
    int sought;                 /* the scene at hand */
    int strange_s, steady_s;    /* seconds in a row without a scene; that are alike */
    struct look before;         /* the second before */
    float lit_level[CELLS];     /* the levels of the last second that was in its light */
    uint8_t *last;              /* [height, width] the picture before */
    bool has_last;
    int64_t last_us, last_edges_us;
    int64_t differed_us;        /* when any pixel changed last */
    struct stillness stillness;
    struct rate rate;
    struct shake shake;
    struct fault fault[HEALTH_KINDS];
    struct health_measure measure[HEALTH_KINDS];
    struct second second;       /* the last that was judged */

    /* The second at hand. */
    int64_t begun_us;
    int pictures, compared, coloured, striped, correlated, places;
    struct look sum;
    float noise, stripes, here, peak;           /* sums; while seeking, here and peak are the best */
    int best;                   /* the scene of those */
    float x[MOST_PLACES], y[MOST_PLACES], rotation[MOST_PLACES], zoom[MOST_PLACES];
    float picture[FIELD_SIZE], normalised[FIELD_SIZE];  /* the last one, reduced */
    struct field edges, scratch;
};

int health_open(struct health **ret, const struct health_options *options)
{
    if (options->height < HEALTH_MIN_SIDE || options->width < HEALTH_MIN_SIDE || options->height > HEALTH_MAX_SIDE ||
        options->width > HEALTH_MAX_SIDE || !(options->learn_s >= 10) || options->learn_s > 1e9)
        return -EINVAL;
    struct health *health = calloc(1, sizeof *health);
    uint8_t *last = malloc((size_t)options->height * (size_t)options->width);
    if (!health || !last) {
        free(health);
        free(last);
        return -ENOMEM;
    }
    health->options = *options;
    health->last = last;
    health->scene = -1;
    displacement_tables(&health->tables, options->height, options->width);
    *ret = health;
    return 0;
}

void health_close(struct health *health)
{
    if (!health)
        return;
    free(health->last);
    free(health);
}

static bool is_learning(const struct health *h)
{
    return h->clean || (!h->taught && (double)h->learned < h->options.learn_s);
}

/* ---- a picture ------------------------------------------------------------------------------------------------------------ */

static void begin_second(struct health *h, int64_t now_us)
{
    h->begun_us = now_us;
    h->pictures = h->compared = h->coloured = h->striped = h->correlated = h->places = 0;
    memset(&h->sum, 0, sizeof h->sum);
    h->noise = h->stripes = h->here = h->peak = 0;
}

/* Times begin anew: nothing is compared with the pictures before. */
static void break_off(struct health *h, int64_t now_us)
{
    h->has_last = false;
    rate_clear(&h->rate);
    h->last_edges_us = INT64_MIN / 2;
    stillness_clear(&h->stillness);
    h->differed_us = now_us;
    faults_break_off(h->fault, h->measure, now_us);
    shake_clear(&h->shake);
    begin_second(h, now_us);
}

static void add_look(struct health *h, const struct measure *m, const struct health_picture *picture)
{
    h->pictures++;
    h->sum.low += m->low;
    h->sum.high += m->high;
    h->sum.clipped += m->clipped;
    for (int i = 0; i < CELLS; i++) {
        h->sum.level[i] += m->level[i];
        h->sum.detail[i] += m->detail[i];
    }
    if (m->changed) {           /* a picture that is doubled has no noise of its own */
        h->differed_us = picture->time_us;
        h->compared++;
        h->noise += 0.5f * sqrtf(m->noise);
    }
    if (picture->has_colour) {
        h->coloured++;
        h->sum.saturation += picture->saturation;
        h->sum.u += picture->u;
        h->sum.v += picture->v;
    }
}

/* Compares the picture with the next scene. */
static void seek(struct health *h)
{
    struct displacement d;
    do
        h->sought = (h->sought + 1) % SCENES;
    while (h->scenes.scene[h->sought].seconds == 0);
    displacement_correlate(&d, &h->edges, &h->scenes.scene[h->sought].edges, &h->scratch, &h->tables);
    if (h->correlated++ > 0 && d.peak < h->peak)
        return;
    h->peak = d.peak;
    h->here = d.here;
    h->best = h->sought;
}

/* Finds where the picture lies against the scene. */
static void add_place(struct health *h, int64_t now_us)
{
    if (now_us - h->last_edges_us < SHORTEST_US)
        return;
    h->last_edges_us = now_us;
    displacement_edges(&h->edges, h->picture, &h->tables);
    displacement_normalise(h->normalised, h->picture);
    if (h->scene < 0)
        return;
    if (h->seeking) {
        seek(h);
        return;
    }
    const struct scene *scene = &h->scenes.scene[h->scene];
    struct displacement d;
    displacement_correlate(&d, &h->edges, &scene->edges, &h->scratch, &h->tables);
    h->correlated++;
    h->here += d.here;
    h->peak += d.peak;
    if (d.peak < DISPLACEMENT_SURE)
        return;
    displacement_refine(&d, h->normalised, scene->normalised, &h->tables);
    shake_add(&h->shake, now_us, d.x, d.y);
    if (h->places < MOST_PLACES) {
        h->x[h->places] = d.x;
        h->y[h->places] = d.y;
        h->rotation[h->places] = d.rotation;
        h->zoom[h->places] = d.zoom;
        h->places++;
    }
}

/* ---- a second ------------------------------------------------------------------------------------------------------------- */

static void end_second(struct health *h, struct second *s, int64_t now_us)
{
    float n = (float)h->pictures;
    struct look *look = &s->look;
    *s = (struct second){.look = h->sum, .stripes = NAN, .here = NAN, .peak = NAN};
    look->low /= n;
    look->high /= n;
    look->clipped /= n;
    look->noise = h->compared > 0 ? h->noise / (float)h->compared : 0;
    for (int i = 0; i < CELLS; i++) {
        look->level[i] /= n;
        look->detail[i] /= n;
    }
    float coloured = (float)h->coloured;
    look->saturation = h->coloured > 0 ? look->saturation / coloured : -1;
    look->u = h->coloured > 0 ? look->u / coloured : 0;
    look->v = h->coloured > 0 ? look->v / coloured : 0;
    if (h->striped > 0)
        s->stripes = h->stripes / (float)h->striped;
    if (h->correlated > 0) {
        s->here = h->seeking ? h->here : h->here / (float)h->correlated;
        s->peak = h->seeking ? h->peak : h->peak / (float)h->correlated;
    }
    s->placed = h->places > 0 && 2 * h->places > h->correlated;
    if (s->placed)
        s->place = (struct displacement){.here = s->here, .peak = s->peak, .refined = true,
                                         .x = measure_quantile(h->x, h->places, 0.5f),
                                         .y = measure_quantile(h->y, h->places, 0.5f),
                                         .rotation = measure_quantile(h->rotation, h->places, 0.5f),
                                         .zoom = measure_quantile(h->zoom, h->places, 0.5f)};
    s->swings = shake_measure(&h->shake, now_us, &s->swing);
    look->stir = stillness_add(&h->stillness, look->level, second_least_change(h->scene < 0 ? NULL : &h->scenes.scene[h->scene]),
                               now_us);
    s->unchanged_s = 1e-6f * (float)(now_us - h->stillness.anchor_us);
    s->same_s = 1e-6f * (float)(now_us - h->differed_us);
    rate_measure(&h->rate, now_us, &s->rate, &s->late);
}

static float look_distance(const struct look *a, const struct look *b)
{
    float sum = 0;
    for (int i = 0; i < CELLS; i++)
        sum += fabsf(a->level[i] - b->level[i]);
    return sum / CELLS;
}

/* Learns the limits of the levels over all scenes. */
static void learn_levels(struct health *h)
{
    struct usual *usual = &h->usual;
    usual->contrast = usual->high = 255;
    usual->clipped = 0;
    for (int i = 0; i < SCENES; i++) {
        const struct scene *scene = &h->scenes.scene[i];
        if (scene->seconds < STEADY_S)
            continue;
        usual->contrast = fminf(usual->contrast, scene->look.high - scene->look.low);
        usual->high = fminf(usual->high, scene->look.high);
        usual->clipped = fmaxf(usual->clipped, scene->look.clipped);
    }
}

/* Learns the rate, and the largest values of the rest. */
static void learn_times(struct health *h, const struct second *s)
{
    struct usual *usual = &h->usual;
    usual->unchanged_s = fmaxf(s->unchanged_s, usual->unchanged_s);
    usual->same_s = fmaxf(s->same_s, usual->same_s);
    if (!isnan(s->rate)) {
        usual->rate = usual->rate > 0 ? usual->rate + 0.02f * (s->rate - usual->rate) : s->rate;
        usual->late = fmaxf(s->late, usual->late);
    }
    if (s->swings)
        usual->swing = fmaxf(s->swing.steady, usual->swing);
}

static void learn(struct health *h, const struct second *s)
{
    const struct view view = {h->picture, h->normalised, &h->edges};
    int found = h->lit ? h->scene : -1;
    /* A freeze that may have begun makes no scene quieter. */
    if (found >= 0 && !is_learning(h) && s->unchanged_s > fmaxf(1.5f, h->usual.unchanged_s))
        return;
    if (found >= 0) {
        scene_add(&h->scenes.scene[found], &s->look, &view, h->seconds);
    } else {
        /* In clean footage a light is learned as soon as it is steady. Else it has to stay, and edges have to be where they
         * were. */
        bool known_place = h->scene < 0 || s->here > DISPLACEMENT_SURE;
        if (h->steady_s < STEADY_S || (!is_learning(h) && (h->strange_s < NEW_LIGHT_S || !known_place)))
            return;
        h->scene = scenes_begin(&h->scenes, &s->look, &view, h->seconds);
        shake_clear(&h->shake);
    }
    h->learned++;
    learn_levels(h);
    if (is_learning(h))
        learn_times(h, s);
}

static int judge(struct health *h, struct second *s, struct health_change *ret)
{
    second_judge(h->measure, s, h->scene < 0 ? NULL : &h->scenes.scene[h->scene], h->lit, &h->usual, &h->tables);
    if (is_learning(h)) {
        learn(h, s);
        return 0;
    }
    int n = faults_step(h->fault, h->measure, h->options.off, h->begun_us, ret);
    if ((faults_suspected(h->measure) & ~h->options.off) == 0)
        learn(h, s);
    return n;
}

static int finish_second(struct health *h, int64_t now_us, struct health_change *ret)
{
    struct second *s = &h->second;
    end_second(h, s, now_us);
    int found = scenes_find(&h->scenes, &s->look);
    h->lit = found >= 0;
    if (h->lit && found != h->scene) {          /* the second was compared with another scene */
        h->scene = found;
        shake_clear(&h->shake);
        s->stripes = s->here = s->peak = NAN;
        s->placed = s->swings = false;
    }
    if (h->seeking && !h->lit && s->peak >= DISPLACEMENT_SURE) {        /* a scene that is known, in another light */
        h->scene = h->best;
        shake_clear(&h->shake);
        s->stripes = NAN;
    }
    h->seeking = !h->lit && h->scene >= 0 && !(s->peak >= DISPLACEMENT_SURE);
    if (h->lit)
        memcpy(h->lit_level, s->look.level, sizeof h->lit_level);
    memcpy(s->lit_level, h->lit_level, sizeof s->lit_level);
    h->strange_s = h->lit ? 0 : h->strange_s + 1;
    h->steady_s = h->seconds > 0 && look_distance(&h->before, &s->look) < STEADY_LEVELS ? h->steady_s + 1 : 0;
    h->before = s->look;
    h->seconds++;
    int n = judge(h, s, ret);
    begin_second(h, now_us);
    return n;
}

int health_add(struct health *health, const struct health_picture *picture, struct health_change *ret)
{
    struct health *h = health;
    struct measure measure;
    int n = 0;
    int64_t now_us = picture->time_us;
    if (picture->anew || !h->has_last || now_us <= h->last_us)
        break_off(h, now_us);
    else if (now_us - h->begun_us >= SECOND_US)
        n = finish_second(h, now_us, ret);
    rate_add(&h->rate, now_us);
    measure_picture(&measure, picture->luma, h->has_last ? h->last : NULL, h->options.height, h->options.width);
    add_look(h, &measure, picture);
    field_reduce(h->picture, picture->luma, h->options.height, h->options.width);
    add_place(h, now_us);
    if (h->scene >= 0) {
        h->striped++;
        h->stripes += measure_stripes(h->picture, h->scenes.scene[h->scene].picture);
    }
    memcpy(h->last, picture->luma, (size_t)h->options.height * (size_t)h->options.width);
    h->has_last = true;
    h->last_us = now_us;
    return n;
}

void health_measures(const struct health *health, struct health_measure *ret)
{
    memcpy(ret, health->measure, sizeof health->measure);
}

int health_details(const struct health *health, enum health_kind kind, struct health_detail ret[HEALTH_DETAILS])
{
    const struct second *s = &health->second;
    const struct displacement *d = &s->place;
    const struct {
        enum health_kind kind;
        const char *key;
        bool known;
        double value;
    } all[] = {
        {HEALTH_JITTER, "frequency_hz", s->swings, (double)s->swing.frequency},
        {HEALTH_MOVED, "right", s->placed, 100 * (double)d->x},
        {HEALTH_MOVED, "down", s->placed, 100 * (double)d->y},
        {HEALTH_MOVED, "rotation", s->placed, DEGREES * (double)d->rotation},
        {HEALTH_MOVED, "zoom", s->placed, 100 * (double)d->zoom},
    };
    int n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].kind == kind)
            ret[n++] = (struct health_detail){all[i].key, all[i].known ? all[i].value : (double)NAN};
    return n;
}

int health_scenes(const struct health *health, bool *known)
{
    int n = 0;
    for (int i = 0; i < SCENES; i++)
        n += health->scenes.scene[i].seconds > 0;
    *known = health->lit;
    return n;
}

void health_set_clean(struct health *health, bool clean)
{
    health->clean = clean;
    health->taught |= clean;
}

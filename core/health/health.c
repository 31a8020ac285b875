#include "core/health/health.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/fault.h"
#include "core/health/light/light_change.h"
#include "core/health/rate.h"
#include "core/health/recent.h"
#include "core/health/second.h"

#define SECOND_US INT64_C(1000000)
enum { MOST_PLACES = 64,        /* displacements of a second that its median is taken of */
       NEW_LIGHT_S = 20,        /* a light that is not known is learned after so long */
       FAULTY_LIGHT_S = 300,    /* and after so long in spite of a fault */
       STEADY_S = 3 };          /* the picture has to be alike for so long to be learned as a new scene */
#define STEADY_LEVELS 4.0f      /* mean difference of cells from second to second */
#define DEGREES 57.29578
#define SHORTEST_US INT64_C(20000)      /* a picture sooner after another is not correlated: 50 a second suffice */

struct health {
    struct health_options options;
    struct displacement_tables tables;
    uint8_t *last;              /* [height, width] the picture before */
    bool clean;

    /* All from here on begins as zeros, but for scene (begin_anew()). */
    struct scenes scenes;       /* the baseline: these three, scene, taught, seconds and learned */
    struct recent recent;
    struct usual usual;
    int scene;                  /* the last one that was found; -1: none yet */
    bool lit;                   /* the last second was in its light */
    bool taught;                /* learned from clean footage, so no more has to be taken for it */
    long seconds;               /* judged */
    long learned;               /* of those, learned */
    bool seeking;               /* the picture is in no known light, nor placed: pictures are compared with all scenes in turn */
    int sought;                 /* the scene at hand */
    int strange_s, steady_s;    /* seconds in a row without a scene; that are alike */
    int other_s;                /* seconds in a row in another light than the recent one */
    struct look before;         /* the second before */
    float lit_level[CELLS];     /* the levels of the last second that was in its light */
    bool has_last;
    int64_t last_us, last_edges_us;
    int64_t differed_us;        /* when any pixel changed last */
    struct stillness stillness;
    struct light_change light;
    struct rate rate;
    struct damage damage;
    struct shake shake;
    struct fault fault[HEALTH_KINDS];
    struct health_measure measure[HEALTH_KINDS];
    struct second second;       /* the last that was judged */

    /* The second at hand. */
    int64_t begun_us;
    int damaged;                /* pictures that are not among these: */
    int pictures, compared, coloured, blocked, striped, correlated, places;
    struct look sum;
    float noise, stripes, here, peak;           /* sums; while seeking, here and peak are the best */
    int best;                   /* the scene of those */
    float x[MOST_PLACES], y[MOST_PLACES], rotation[MOST_PLACES], zoom[MOST_PLACES];
    float picture[FIELD_SIZE], normalised[FIELD_SIZE];  /* the last one, reduced */
    struct field edges, scratch;
};

static void begin_anew(struct health *h)
{
    memset((char *)h + offsetof(struct health, scenes), 0, sizeof *h - offsetof(struct health, scenes));
    h->scene = -1;
}

int health_open(struct health **ret, const struct health_options *options)
{
    if (options->height < HEALTH_MIN_SIDE || options->width < HEALTH_MIN_SIDE || options->height > HEALTH_MAX_SIDE ||
        options->width > HEALTH_MAX_SIDE || !(options->learn_s >= 10) || options->learn_s > 1e9)
        return -EINVAL;
    struct health *health = malloc(sizeof *health);
    uint8_t *last = malloc((size_t)options->height * (size_t)options->width);
    if (!health || !last) {
        free(health);
        free(last);
        return -ENOMEM;
    }
    health->options = *options;
    health->last = last;
    health->clean = false;
    begin_anew(health);
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

bool health_is_learning(const struct health *health)
{
    return health->clean || (!health->taught && (double)health->learned < health->options.learn_s);
}

/* ---- a picture ------------------------------------------------------------------------------------------------------------ */

static void begin_second(struct health *h, int64_t now_us)
{
    h->begun_us = now_us;
    h->damaged = h->pictures = h->compared = h->coloured = h->blocked = h->striped = h->correlated = h->places = 0;
    memset(&h->sum, 0, sizeof h->sum);
    h->noise = h->stripes = h->here = h->peak = 0;
}

/* Times begin anew: nothing is compared with the pictures before. */
static void break_off(struct health *h, int64_t now_us)
{
    h->has_last = false;
    rate_clear(&h->rate);
    h->damage = (struct damage){0};
    h->last_edges_us = INT64_MIN / 2;
    stillness_clear(&h->stillness);
    h->differed_us = now_us;
    faults_break_off(h->fault, h->measure, now_us);
    light_change_break_off(&h->light);
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
    if (picture->has_blocks) {
        h->blocked++;
        h->sum.blocks += picture->blocks;
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

/* Tells a change of light. */
static void add_light(struct health *h, const float *level, int64_t now_us)
{
    struct light_change *light = &h->light;
    struct health_measure *m = &h->measure[HEALTH_LIGHT];
    light_change_add(light, level, h->picture, h->lit ? h->scenes.scene[h->scene].picture : NULL, now_us);
    *m = (struct health_measure){.known = light->textured > 0};
    m->open = light->on && !health_is_learning(h) && !(h->options.off & health_bit(HEALTH_LIGHT));
    m->since_us = m->open ? light->since_us : 0;
    if (!m->known)
        return;
    const double percent = 100.0 / light->textured;
    m->quantity = percent * light->lit;
    m->baseline = percent * (double)light->usually_lit;
    m->on = m->off = percent * (double)light->least;
}

/* ---- a second ------------------------------------------------------------------------------------------------------------- */

static void end_second(struct health *h, struct second *s, int64_t now_us)
{
    float n = (float)h->pictures;
    struct look *look = &s->look;
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
    look->blocks = h->blocked > 0 ? look->blocks / (float)h->blocked : -1;
    if (h->striped > 0)
        s->stripes = h->stripes / (float)h->striped;
    if (h->recent.seconds > 0)
        s->light = light_compare(h->recent.level, look->level);
    s->turned = hypotf(look->u - h->before.u, look->v - h->before.v);
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
    const struct stillness_terms terms = second_terms(h->scene < 0 ? NULL : &h->scenes.scene[h->scene], h->lit);
    look->stir = stillness_add(&h->stillness, look->level, &terms, now_us);
    s->unchanged_s = 1e-6f * (float)(now_us - h->stillness.since_us);
    s->same_s = 1e-6f * (float)(now_us - h->differed_us);
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

/* suspected: a fault holds, or may begin. */
static void learn(struct health *h, const struct second *s, bool suspected)
{
    const struct view view = {h->picture, h->normalised, &h->edges};
    int found = h->lit ? h->scene : -1;
    /* A freeze that may have begun makes no scene quieter. */
    if (found >= 0 && !health_is_learning(h) && s->unchanged_s > fmaxf(1.5f, h->usual.unchanged_s))
        return;
    if (found >= 0) {
        if (suspected && h->scenes.scene[found].seconds >= STEADY_S)
            return;
        scene_add(&h->scenes.scene[found], &s->look, &view, h->seconds);
    } else {
        /* In clean footage a light is learned as soon as it is steady. Else it has to stay, and edges have to be where they
         * were. In spite of a fault, it is learned if it is no mere loss of contrast: the fault may be the light's own. */
        bool known_place = h->scene < 0 || s->here > DISPLACEMENT_SURE;
        int enough_s = suspected ? FAULTY_LIGHT_S : NEW_LIGHT_S;
        if (h->steady_s < STEADY_S || (!health_is_learning(h) && (h->strange_s < enough_s || !known_place)) ||
            (suspected && light_has_same_pattern(&s->light)))
            return;
        h->scene = scenes_begin(&h->scenes, &s->look, &view, h->seconds);
        shake_clear(&h->shake);
    }
    h->learned++;
    learn_levels(h);
    if (health_is_learning(h))
        learn_times(h, s);
}

/* Follows the last minute, and takes a light that stays for a new one. A fault of the colour that holds meanwhile then ends:
 * nothing tells what the colour would be without it. suspected: kinds, as bits. */
static void learn_recent(struct health *h, const struct second *s, unsigned suspected)
{
    const struct scene *scene = h->lit ? &h->scenes.scene[h->scene] : NULL;
    const bool same = light_is_same(&s->light);
    h->other_s = same ? 0 : h->other_s + 1;
    if (same && suspected == 0)
        recent_follow(&h->recent, &s->look, h->picture);
    if (same || suspected & ~(health_bit(HEALTH_COLOUR_LOST) | health_bit(HEALTH_COLOUR_CAST)))
        return;
    struct light light = {.off = INFINITY};
    if (scene)
        light = light_compare(scene->look.level, s->look.level);
    if (light_is_same(&light))
        recent_recall(&h->recent, scene);
    else if (h->steady_s >= STEADY_S && (health_is_learning(h) || h->other_s >= NEW_LIGHT_S))
        recent_begin(&h->recent, &s->look, h->picture);
}

static int judge(struct health *h, struct second *s, struct health_change *ret)
{
    s->light_changes = h->light.on;
    second_judge(h->measure, s, h->scene < 0 ? NULL : &h->scenes.scene[h->scene], h->lit,
                 &h->recent, &h->usual, &h->tables);
    unsigned suspected = 0;
    int n = 0;
    if (!health_is_learning(h)) {
        n = faults_step(h->fault, h->measure, h->options.off, h->begun_us, ret);
        suspected = faults_suspected(h->measure) & ~h->options.off;
    }
    learn_recent(h, s, suspected);
    learn(h, s, suspected != 0);
    return n;
}

/* Judges a second that has pictures without damage. */
static int finish_sound(struct health *h, int64_t now_us, struct health_change *ret)
{
    struct second *s = &h->second;
    end_second(h, s, now_us);
    int found = scenes_find(&h->scenes, &s->look);
    h->lit = found >= 0;
    if (h->lit && found != h->scene) {          /* the second was compared with another scene */
        h->scene = found;
        shake_clear(&h->shake);
        s->here = s->peak = NAN;
        s->placed = s->swings = false;
    }
    if (h->seeking && !h->lit && s->peak >= DISPLACEMENT_SURE) {        /* a scene that is known, in another light */
        h->scene = h->best;
        shake_clear(&h->shake);
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
    light_change_second(&h->light, s->look.level, h->picture);
    return n;
}

static int finish_second(struct health *h, int64_t now_us, struct health_change *ret)
{
    struct second *s = &h->second;
    *s = (struct second){.look = h->sum, .stripes = NAN, .here = NAN, .peak = NAN, .light = {.off = INFINITY}};
    rate_measure(&h->rate, now_us, &s->rate, &s->late);
    s->damaged = damage_second(&h->damage, h->damaged, h->damaged + h->pictures);
    int n = 0;
    if (h->pictures > 0) {
        n = finish_sound(h, now_us, ret);
    } else {
        second_judge_damaged(h->measure, s, &h->usual);
        n = health_is_learning(h) ? 0 : faults_step(h->fault, h->measure, h->options.off, h->begun_us, ret);
    }
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
    h->last_us = now_us;
    if (picture->damaged) {
        h->damaged++;
        return n;
    }
    measure_picture(&measure, picture->luma, h->has_last ? h->last : NULL, h->options.height, h->options.width);
    add_look(h, &measure, picture);
    field_reduce(h->picture, picture->luma, h->options.height, h->options.width);
    add_place(h, now_us);
    add_light(h, measure.level, now_us);
    if (h->recent.seconds > 0) {
        struct light light = light_compare(h->recent.level, measure.level);
        recent_difference(h->scratch.re, &h->recent, &light, h->picture);
        h->striped++;
        h->stripes += measure_stripes(h->scratch.re);
    }
    memcpy(h->last, picture->luma, (size_t)h->options.height * (size_t)h->options.width);
    h->has_last = true;
    return n;
}

bool measure_is_bad(const struct health_measure *m)
{
    return m->known && (m->on < m->off ? m->quantity < m->on : m->quantity > m->on);
}

bool measure_is_good(const struct health_measure *m)
{
    return m->known && (m->on < m->off ? m->quantity > m->off : m->quantity < m->off);
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

bool health_light_is_alone(const struct health *health)
{
    return health->light.alone;
}

void health_set_clean(struct health *health, bool clean)
{
    health->clean = clean;
    health->taught |= clean;
}

/* ---- the baseline ---------------------------------------------------------------------------------------------------- */

/* Raise it when a value of the baseline gets another meaning. Another size of a struct is noticed without that. */
enum { BASELINE_LAYOUT = 1 };

/* It begins with this. The scenes follow. */
struct baseline {
    int layout, scene_size;     /* sizeof(struct scene) */
    int n, scene;               /* scenes; of those, the last one that was found */
    int taught;
    long seconds, learned;
    struct usual usual;
    struct recent recent;
};

long health_learned(const struct health *health)
{
    return health->learned;
}

size_t health_baseline_size(const struct health *health)
{
    bool known;
    return sizeof(struct baseline) + (size_t)health_scenes(health, &known) * sizeof(struct scene);
}

void health_baseline(const struct health *health, void *ret)
{
    struct baseline head;
    char *at = (char *)ret + sizeof head;
    memset(&head, 0, sizeof head);              /* holes, too */
    head.layout = BASELINE_LAYOUT;
    head.scene_size = (int)sizeof(struct scene);
    head.scene = -1;
    head.taught = health->taught;
    head.seconds = health->seconds;
    head.learned = health->learned;
    head.usual = health->usual;
    head.recent = health->recent;
    for (int i = 0; i < SCENES; i++) {
        if (health->scenes.scene[i].seconds == 0)
            continue;
        head.scene = i == health->scene ? head.n : head.scene;
        memcpy(at + (size_t)head.n++ * sizeof(struct scene), &health->scenes.scene[i], sizeof(struct scene));
    }
    memcpy(ret, &head, sizeof head);
}

static bool usual_is_sound(const struct usual *u)
{
    const float values[] = {u->contrast, u->high, u->clipped, u->unchanged_s, u->same_s, u->rate, u->late, u->swing};
    bool sound = true;
    _Static_assert(sizeof values == sizeof *u, "all of them");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        sound = sound && isfinite(values[i]) && values[i] >= 0;
    return sound;
}

int health_restore(struct health *health, const void *data, size_t size)
{
    struct baseline head;
    const char *scenes = (const char *)data + sizeof head;
    if (size < sizeof head)
        return -EBADMSG;
    memcpy(&head, data, sizeof head);
    bool sound = head.layout == BASELINE_LAYOUT && head.scene_size == (int)sizeof(struct scene) && head.n >= 0 &&
                 head.n <= SCENES && size == sizeof head + (size_t)head.n * sizeof(struct scene) && head.scene >= -1 &&
                 head.scene < head.n && head.seconds >= 0 && head.learned >= 0 && head.learned <= head.seconds &&
                 head.seconds <= LONG_MAX / 2 && usual_is_sound(&head.usual) && recent_is_sound(&head.recent);
    for (int i = 0; sound && i < head.n; i++)
        sound = scene_is_sound(scenes + (size_t)i * sizeof(struct scene));
    if (!sound)
        return -EBADMSG;
    memset(&health->scenes, 0, sizeof health->scenes);
    memcpy(health->scenes.scene, scenes, (size_t)head.n * sizeof(struct scene));
    health->usual = head.usual;
    health->recent = head.recent;
    health->before.u = head.recent.u;           /* the colour has not turned since the second before */
    health->before.v = head.recent.v;
    health->scene = head.scene;
    if (head.scene >= 0)
        memcpy(health->lit_level, health->scenes.scene[head.scene].look.level, sizeof health->lit_level);
    health->taught = head.taught != 0;
    health->seconds = head.seconds;
    health->learned = head.learned;
    return 0;
}

void health_forget(struct health *health)
{
    begin_anew(health);
}

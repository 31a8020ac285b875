#include "core/health/second.h"

#include <math.h>
#include <stddef.h>

/* Gray levels, squared: a cell with less detail than this is too plain to lose any. */
#define PLAIN 40.0f
/* Gray levels: the least and the most that the level of a cell has to differ by, to have changed. Coding a frozen picture anew
 * moves levels by less than the second. */
#define LEAST_CHANGE 0.02f
#define MOST_CHANGE 0.08f
/* Cells that coding may change of a picture that stands still, where a camera has little noise. */
enum { FEW = 2 };
/* Gray levels: a camera with less noise leaves parts of its picture as they were. */
#define NOISY 0.08f
/* Gray levels: a cell that is lit as it was differs by less. */
#define SAME_LEVEL 8.0f
/* The displacement that stands for one that is too large to measure, in per cent. */
#define FAR_AWAY 25.0
/* Per cent. */
#define MOST 50.0
/* The share of the detailed cells that a patch of light has less of. */
#define PATCH 0.12f
/* The per cent of damaged pictures that is a fault: one second in DAMAGE_S. After a loss, pictures are damaged until the next key
 * frame. */
#define DAMAGED 10.0
/* Levels that the mean colour goes in a second while white balance follows the light. */
#define TURNING 1.5f

static void set(struct health_measure *m, double quantity, double baseline, double on, double off)
{
    bool open = m->open;
    int64_t since_us = m->since_us;
    *m = (struct health_measure){.known = !isnan(quantity), .open = open, .since_us = since_us};
    if (!m->known)
        return;
    m->quantity = quantity;
    m->baseline = baseline;
    m->on = on;
    m->off = off;
}

static void unknown(struct health_measure *m)
{
    set(m, NAN, 0, 0, 0);
}

/* The scene's every second differs from the one before, because the sensor's noise outlasts coding. */
static bool is_restless(const struct scene *scene)
{
    return scene->look.stir >= LEAST_CHANGE && scene->look.noise >= NOISY;
}

struct stillness_terms second_terms(const struct scene *scene, bool lit)
{
    struct stillness_terms terms = {.least = LEAST_CHANGE, .few = CELLS / 8};
    if (!scene)
        return terms;
    terms.least = fminf(fmaxf(1.5f * scene->look.stir, LEAST_CHANGE), MOST_CHANGE);
    if (!lit || !is_restless(scene))
        terms.few = FEW;
    /* Noise is a camera's own, but where it has none. */
    terms.beyond_noise = lit && scene->look.stir >= 0 && scene->look.stir < LEAST_CHANGE;
    return terms;
}

/* Frozen is what repeats itself bit for bit, and what changes nowhere but in few places. The second takes long to tell where
 * coding leaves nothing of a sensor's noise. */
static void judge_frozen(struct health_measure *ret, const struct second *s, const struct scene *scene, const struct usual *usual)
{
    double same = fmax(6, 2.5 * (double)usual->same_s);
    bool restless = scene && is_restless(scene) && usual->unchanged_s <= 2;
    double unchanged = restless ? 6 : fmax(20, 1.5 * (double)usual->unchanged_s);
    if ((double)s->same_s / same > (double)s->unchanged_s / unchanged)
        set(ret, (double)s->same_s, (double)usual->same_s, same, fmax(1.5, (double)usual->same_s));
    else
        set(ret, (double)s->unchanged_s, (double)usual->unchanged_s, unchanged, fmax(1.5, (double)usual->unchanged_s));
}

static void judge_times(struct health_measure *ret, const struct second *s, const struct usual *usual)
{
    set(&ret[HEALTH_SLOW], (double)s->rate, (double)usual->rate, 0.6 * (double)usual->rate, 0.8 * (double)usual->rate);
    set(&ret[HEALTH_STUTTER], 100 * (double)s->late, 100 * (double)usual->late, 100 * (double)usual->late + 20,
        100 * (double)usual->late + 10);
}

static void judge_levels(struct health_measure *ret, const struct second *s, const struct usual *usual, bool sure)
{
    double high = (double)usual->high, contrast = (double)usual->contrast, clipped = 100 * (double)usual->clipped;
    double black = fmin(HEALTH_BLACK_LEVEL, 0.5 * high);
    set(&ret[HEALTH_BLACK], (double)s->look.high, high, black, 1.5 * black);
    double room = 100 - clipped;
    set(&ret[HEALTH_BRIGHT], 100 * (double)s->look.clipped, clipped, clipped + 0.3 * room, clipped + 0.2 * room);
    /* A picture without the scene's edges is covered or moved, not pale. */
    set(&ret[HEALTH_LOW_CONTRAST], sure ? (double)(s->look.high - s->look.low) : (double)NAN, contrast, 0.6 * contrast,
        0.75 * contrast);
}

static void judge_colour(struct health_measure *ret, const struct second *s, const struct recent *recent)
{
    double usual = (double)recent->saturation, now = (double)s->look.saturation;
    if (!light_is_same(&s->light) || usual < 0 || now < 0)
        return;
    if (usual > 3)
        set(&ret[HEALTH_COLOUR_LOST], now, usual, 0.4 * usual, 0.6 * usual);
    if (s->turned > TURNING)    /* white balance is under way */
        return;
    double cast = hypot((double)(s->look.u - recent->u), (double)(s->look.v - recent->v));
    /* Lost colour takes the mean colour with it. */
    double lost = hypot((double)recent->u, (double)recent->v) * fmax(0, 1 - now / fmax(usual, 1e-3));
    set(&ret[HEALTH_COLOUR_CAST], fmax(0, cast - lost), 0, 10, 7);
}

/* The part of detail that noise makes. A picture that shakes changes as noisy ones do, but has no more detail for it. */
static float noise_in_detail(const struct second *s, const struct scene *scene)
{
    float more[CELLS], usual = 4 * scene->look.noise * scene->look.noise, now = 4 * s->look.noise * s->look.noise;
    for (int i = 0; i < CELLS; i++)
        more[i] = s->look.detail[i] - scene->look.detail[i];
    return fminf(now, usual + fmaxf(measure_quantile(more, CELLS, 0.5f), 0));
}

/* The sharpest quarter of the detailed cells tells how sharp the lens is. */
static void judge_blur(struct health_measure *ret, const struct second *s, const struct scene *scene, float noise)
{
    float ratio[CELLS];
    int detailed = 0;
    for (int i = 0; i < CELLS; i++) {
        float usual = scene->look.detail[i] - 4 * scene->look.noise * scene->look.noise;
        if (usual >= PLAIN)
            ratio[detailed++] = fmaxf(s->look.detail[i] - noise, 0) / usual;
    }
    if (detailed >= CELLS / 16)
        set(ret, 100 * (double)measure_quantile(ratio, detailed, 0.75f), 100, 55, 70);
}

/* A cell is detailed if it nearly always has detail: one where passers-by are the detail loses it as they go. */
static void judge_covered(struct health_measure *ret, const struct second *s, const struct scene *scene, bool lit, float noise)
{
    int detailed = 0, lost = 0, kept = 0;
    for (int i = 0; i < CELLS; i++) {
        float usual = scene->least_detail[i] - 4 * scene->look.noise * scene->look.noise;
        float now = fmaxf(s->look.detail[i] - noise, 0);
        if (usual < PLAIN)
            continue;
        detailed++;
        float off = fabsf(s->look.level[i] - scene->look.level[i]);
        bool is_lost = now < 0.2f * usual && now < PLAIN / 2 && off > SAME_LEVEL;
        lost += is_lost;
        kept += !is_lost && fabsf(s->look.level[i] - s->lit_level[i]) < SAME_LEVEL;
    }
    if (detailed < CELLS / 16)
        return;
    float share = (float)lost / (float)detailed;
    /* Another light changes all levels; a cover leaves those beside it. */
    bool beside = 10 * kept >= 8 * (detailed - lost) && kept >= CELLS / 16;
    /* Dim light also leaves little detail, but its weak edges are where they were. */
    bool dim = !beside && share > 0.5f && s->here > DISPLACEMENT_SURE;
    /* Light that changes takes the detail of a patch, such as the sun's. The patch is learned with the light. */
    bool patch = s->light_changes && !ret->open && share < PATCH;
    if ((lit || beside || share > 0.8f) && !dim && !patch)
        set(ret, 100 * (double)share, 0, 6, 3);
}

/* Corrupt is a picture with marks of wrong decoding, and a camera of which many pictures were flagged. */
static void judge_corrupt(struct health_measure *ret, const struct second *s, const struct scene *scene)
{
    double usual = scene ? 100 * fmax((double)scene->look.blocks, 0) : 0, on = 1.2 + 2 * usual;
    double marks = 100 * (double)s->look.blocks, damaged = 100 * (double)s->damaged;
    if (scene && marks >= 0)
        set(ret, marks, usual, on, 0.6 * on);
    if (!ret->known || damaged / DAMAGED > marks / on)
        set(ret, damaged, 0, DAMAGED, DAMAGED / 2);
}

static void judge_motion(struct health_measure *ret, const struct second *s, const struct usual *usual,
                         const struct displacement_tables *tables)
{
    double usual_swing = 100 * (double)usual->swing, on = fmax(0.25, 2 * usual_swing), swing = NAN, moved = NAN;
    if (s->swings)              /* what swings on and on is as large as it is; what does not is a knock or a step */
        swing = 100 * (double)(s->swing.steady > 0.6f * s->swing.amplitude ? s->swing.amplitude : s->swing.steady);
    set(&ret[HEALTH_JITTER], swing, usual_swing, on, 0.7 * on);
    if (s->placed)
        moved = 100 * (double)displacement_length(&s->place, tables);
    else if (s->peak < DISPLACEMENT_SURE && !measure_is_bad(&ret[HEALTH_BLUR]) && !measure_is_bad(&ret[HEALTH_NOISE]))
        moved = FAR_AWAY;       /* and no blur or noise hides the edges */
    set(&ret[HEALTH_MOVED], moved, 0, 0.45, 0.3);
}

static void judge_against_scene(struct health_measure *ret, const struct second *s, const struct scene *scene, bool lit,
                                const struct usual *usual, const struct displacement_tables *tables)
{
    float noise = noise_in_detail(s, scene);
    judge_covered(&ret[HEALTH_COVERED], s, scene, lit, noise);
    if (lit) {
        double usual_noise = (double)scene->look.noise;
        judge_blur(&ret[HEALTH_BLUR], s, scene, noise);
        set(&ret[HEALTH_NOISE], 0.5 * sqrt((double)noise), usual_noise, 1.6 * usual_noise + 0.8, 1.3 * usual_noise + 0.5);
    }
    judge_motion(ret, s, usual, tables);
}

void second_judge(struct health_measure *ret, const struct second *s, const struct scene *scene, bool lit,
                  const struct recent *recent, const struct usual *usual, const struct displacement_tables *tables)
{
    judge_times(ret, s, usual);
    judge_levels(ret, s, usual, scene && s->here > DISPLACEMENT_SURE);
    for (int kind = HEALTH_COLOUR_LOST; kind < HEALTH_KINDS; kind++)
        unknown(&ret[kind]);
    judge_colour(ret, s, recent);
    set(&ret[HEALTH_STRIPES], (double)s->stripes, 0, 4.5, 3);
    judge_corrupt(&ret[HEALTH_CORRUPT], s, scene);
    if (scene)
        judge_against_scene(ret, s, scene, lit, usual, tables);
    judge_frozen(&ret[HEALTH_FROZEN], s, lit ? scene : NULL, usual);
    /* A picture that is clipped or covered for the most part has nothing left that could change. */
    if (ret[HEALTH_BRIGHT].quantity > MOST || ret[HEALTH_COVERED].quantity > MOST)
        unknown(&ret[HEALTH_FROZEN]);
}

void second_judge_damaged(struct health_measure *ret, const struct second *s, const struct usual *usual)
{
    for (int kind = 0; kind < HEALTH_FAULTS; kind++)
        unknown(&ret[kind]);
    judge_times(ret, s, usual);
    set(&ret[HEALTH_CORRUPT], 100 * (double)s->damaged, 0, DAMAGED, DAMAGED / 2);
}

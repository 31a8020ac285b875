#include "daemon/learn/footage_health.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/health.h"
#include "core/health/measure.h"
#include "daemon/base/log.h"

enum { CHUNK = 64,              /* frames read at once */
       TOLD_MOST = 50 };        /* faults that are logged one by one */
#define LEARN_S 60.0
#define LEAST_S 30.0            /* of footage that is diagnosed */
/* If footage is longer than this, only one picture in several is diagnosed, but LEAST_RATE a second or more. */
#define LONG_S 3600.0
#define LEAST_RATE 2.5          /* a second */
/* The camera may be blind in this share of the footage at most. */
#define BLIND_MOST 0.5

/* These kinds are not diagnosed: other messages report wrong rates, and footage has no colour. */
static const unsigned off = 1u << HEALTH_SLOW | 1u << HEALTH_STUTTER | 1u << HEALTH_COLOUR_LOST | 1u << HEALTH_COLOUR_CAST;

struct check {
    struct footage *footage;
    struct health *health;
    size_t size;                /* pixels of a picture */
    int height, width;
    bool dark;                  /* all pictures so far were black */
    bool begun;
    const char *clip;           /* of the last picture */
    int64_t last_us;            /* in its clip */
    unsigned open;              /* kinds */
    double from_s[HEALTH_KINDS];        /* of open faults, in their clip */
    long faults, pictures, faulty, blind;
    uint8_t *before;            /* the last picture */
};

static void tell(struct check *c, enum health_kind kind, double from_s, double to_s)
{
    const struct health_kind_info *info = health_kind_info(kind);
    struct log_number from, to;
    if (c->faults++ < TOLD_MOST)
        log_event(LOG_WARNING, "footage_fault", "clip", *c->clip ? c->clip : "recording", "kind", info->name, "from_s",
                  log_real(&from, from_s), "to_s", log_real(&to, to_s), "reason", info->says, NULL);
}

/* Ends the clip of the last picture, and logs the faults that are still open. */
static void end_clip(struct check *c)
{
    const double end_s = 1e-6 * (double)c->last_us;
    if (c->begun && c->dark)
        tell(c, HEALTH_BLACK, 0, end_s);
    for (int kind = 0; kind < HEALTH_KINDS; kind++)
        if (c->open & health_bit((enum health_kind)kind)) {
            tell(c, (enum health_kind)kind, c->from_s[kind], end_s);
            c->from_s[kind] = 0;
        }
}

static bool is_dark(const struct check *c, const uint8_t *pixels)
{
    struct measure measure;
    measure_picture(&measure, pixels, NULL, c->height, c->width);
    return measure.high < HEALTH_BLACK_LEVEL;
}

static void diagnose(struct check *c, const uint8_t *pixels, int64_t time_us, bool anew)
{
    struct health_change changes[HEALTH_KINDS];
    const struct health_picture picture = {.luma = pixels, .time_us = time_us, .anew = anew};
    int n = health_add(c->health, &picture, changes);
    for (int i = 0; i < n; i++) {
        const enum health_kind kind = changes[i].kind;
        c->open ^= health_bit(kind);
        if (changes[i].opened)
            c->from_s[kind] = 1e-6 * (double)changes[i].time_us;
        else
            tell(c, kind, c->from_s[kind], 1e-6 * (double)changes[i].time_us);
    }
    bool same = !anew && memcmp(pixels, c->before, c->size) == 0;
    c->faulty += c->open != 0;
    c->blind += (c->open & (health_bit(HEALTH_BLACK) | health_bit(HEALTH_COVERED))) ||
                ((c->open & health_bit(HEALTH_FROZEN)) && same);
}

static void take(struct check *c, size_t frame, const uint8_t *pixels)
{
    double at_s;
    const char *clip = footage_place(c->footage, frame, &at_s);
    const int64_t time_us = (int64_t)(1e6 * at_s), before_us = c->last_us;
    const bool other = clip != c->clip;
    if (other)
        end_clip(c);
    bool anew = other || time_us <= before_us || time_us - before_us > HEALTH_HOLE_US;
    c->clip = clip;
    c->last_us = time_us;
    c->pictures++;
    if (c->dark && is_dark(c, pixels)) {
        c->begun = true;
        c->faulty++;
        c->blind++;
        return;
    }
    if (c->dark) {
        if (c->begun && !other)
            tell(c, HEALTH_BLACK, 0, 1e-6 * (double)before_us);
        c->dark = false;
        anew = true;
    }
    c->begun = true;
    diagnose(c, pixels, time_us, anew);
    memcpy(c->before, pixels, c->size);
}

/* Diagnoses one picture in every `step`. */
static int read_all(struct check *c, size_t step, const atomic_bool *stop, struct error *err)
{
    const size_t frames = footage_frames(c->footage);
    uint8_t *pixels = malloc(CHUNK * c->size);
    int r = pixels ? 0 : error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < frames; i += CHUNK) {
        size_t n = frames - i < CHUNK ? frames - i : CHUNK;
        if (stop && atomic_load(stop))
            r = error_set(err, -EINTR, "interrupted");
        else
            r = footage_read(c->footage, i, n, pixels, err);
        for (size_t k = 0; r == 0 && k < n; k++)
            if ((i + k) % step == 0)
                take(c, i + k, pixels + k * c->size);
    }
    if (r == 0)
        end_clip(c);
    free(pixels);
    return r;
}

/* Logs a summary of the faults. -EINVAL: the camera was blind for too long. */
static int judge(const struct check *c, bool any, struct error *err)
{
    const double pictures = (double)c->pictures, blind = (double)c->blind / pictures;
    struct log_number faults, percent;
    if (c->faults > 0)
        log_event(LOG_WARNING, "footage_faulty", "faults", log_int(&faults, c->faults), "percent",
                  log_real(&percent, round(1000 * (double)c->faulty / pictures) / 10), "reason",
                  "the model takes faults of the picture for normal; leave them out of the footage", NULL);
    if (blind > BLIND_MOST && !any)
        return error_set(err, -EINVAL, "the picture is black, covered or frozen in %.0f %% of the footage; take other "
                         "footage, or give --any-footage", 100 * blind);
    return 0;
}

int footage_health_check(struct footage *footage, bool any, const atomic_bool *stop, struct error *err)
{
    struct check c = {.footage = footage, .dark = true};
    const double fps = footage_fps(footage), seconds = fps > 0 ? (double)footage_frames(footage) / fps : 0;
    footage_size(footage, &c.width, &c.height);
    if (c.width < HEALTH_MIN_SIDE || c.height < HEALTH_MIN_SIDE || c.width > HEALTH_MAX_SIDE || c.height > HEALTH_MAX_SIDE ||
        seconds < LEAST_S)
        return 0;
    const struct health_options options = {.height = c.height, .width = c.width, .off = off,
                                           .learn_s = fmin(LEARN_S, seconds / 3)};
    c.size = (size_t)c.width * (size_t)c.height;
    c.before = malloc(c.size);
    int r = c.before ? health_open(&c.health, &options) : -ENOMEM;
    if (r < 0)
        error_set(err, r, "out of memory");
    else
        r = read_all(&c, seconds > LONG_S ? (size_t)fmax(1, floor(fps / LEAST_RATE)) : 1, stop, err);
    health_close(c.health);
    free(c.before);
    return r < 0 ? r : judge(&c, any, err);
}

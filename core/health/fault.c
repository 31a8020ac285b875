#include "core/health/fault.h"

#include "core/health/second.h"

/* Seconds in a row that a fault needs to open, and to close; the other kinds from whose suspicion on it is not judged. */
#define BIT(kind) (1u << (kind))
#define LEVELS (BIT(HEALTH_BLACK) | BIT(HEALTH_BRIGHT))
#define PALE (LEVELS | BIT(HEALTH_LOW_CONTRAST))
#define ELSEWHERE (BIT(HEALTH_COVERED) | BIT(HEALTH_MOVED) | BIT(HEALTH_CORRUPT))
static const struct {
    int on_s, off_s;
    unsigned hidden_by;
} rules[HEALTH_FAULTS] = {
    [HEALTH_FROZEN] = {1, 3, BIT(HEALTH_BLACK)},
    [HEALTH_SLOW] = {3, 3, 0},
    [HEALTH_STUTTER] = {4, 5, BIT(HEALTH_SLOW)},
    [HEALTH_BLACK] = {3, 2, 0},
    [HEALTH_BRIGHT] = {3, 3, 0},
    [HEALTH_LOW_CONTRAST] = {4, 3, LEVELS | BIT(HEALTH_CORRUPT)},
    [HEALTH_COLOUR_LOST] = {5, 3, PALE | ELSEWHERE},
    [HEALTH_COLOUR_CAST] = {5, 3, PALE | ELSEWHERE | BIT(HEALTH_COLOUR_LOST)},
    [HEALTH_BLUR] = {4, 3, PALE | BIT(HEALTH_NOISE) | BIT(HEALTH_MOVED) | BIT(HEALTH_JITTER) | BIT(HEALTH_CORRUPT)},
    [HEALTH_COVERED] = {4, 3, PALE | BIT(HEALTH_BLUR) | BIT(HEALTH_CORRUPT)},
    [HEALTH_NOISE] = {3, 3, LEVELS | BIT(HEALTH_JITTER) | BIT(HEALTH_MOVED) | BIT(HEALTH_CORRUPT)},
    [HEALTH_STRIPES] = {3, 3, PALE | ELSEWHERE | BIT(HEALTH_JITTER)},
    [HEALTH_CORRUPT] = {2, 4, LEVELS},
    [HEALTH_JITTER] = {3, 2, LEVELS | BIT(HEALTH_COVERED) | BIT(HEALTH_CORRUPT)},
    [HEALTH_MOVED] = {4, 3, LEVELS | BIT(HEALTH_NOISE) | BIT(HEALTH_COVERED) | BIT(HEALTH_JITTER) | BIT(HEALTH_STRIPES) |
                            BIT(HEALTH_CORRUPT)},
};

unsigned faults_suspected(const struct health_measure *measure)
{
    unsigned suspected = 0;
    for (int kind = 0; kind < HEALTH_FAULTS; kind++)
        if (measure[kind].open || measure_is_bad(&measure[kind]))
            suspected |= BIT(kind);
    return suspected;
}

/* Moves the state of a fault on by a second. */
static int step(struct fault *f, struct health_measure *m, enum health_kind kind, bool hidden, int64_t begun_us,
                struct health_change *ret)
{
    bool bad = !hidden && measure_is_bad(m), good = !hidden && measure_is_good(m);
    f->bad_us = bad && f->bad_s == 0 ? begun_us : f->bad_us;
    f->good_us = good && f->good_s == 0 ? begun_us : f->good_us;
    f->bad_s = bad ? f->bad_s + 1 : 0;
    f->good_s = good ? f->good_s + 1 : 0;
    bool worse = m->on < m->off ? m->quantity < f->worst : m->quantity > f->worst;
    if ((!m->open && f->bad_s == 1) || (m->known && m->open && worse))
        f->worst = m->quantity;
    bool opens = !m->open && f->bad_s >= rules[kind].on_s, closes = m->open && f->good_s >= rules[kind].off_s;
    if (!opens && !closes)
        return 0;
    m->open = opens;
    m->since_us = opens ? f->bad_us : 0;
    *ret = (struct health_change){.kind = kind, .opened = opens, .time_us = opens ? f->bad_us : f->good_us, .measure = *m};
    if (closes)
        ret->measure.quantity = f->worst;
    f->good_s = 0;
    return 1;
}

int faults_step(struct fault *fault, struct health_measure *measure, unsigned off, int64_t begun_us,
                struct health_change *ret)
{
    unsigned suspected = faults_suspected(measure);
    int n = 0;
    for (int kind = 0; kind < HEALTH_FAULTS; kind++)
        if (!(off & BIT(kind)))
            n += step(&fault[kind], &measure[kind], (enum health_kind)kind, rules[kind].hidden_by & suspected, begun_us, ret + n);
    return n;
}

void faults_break_off(struct fault *fault, struct health_measure *measure, int64_t now_us)
{
    for (int kind = 0; kind < HEALTH_FAULTS; kind++) {
        fault[kind].bad_s = fault[kind].good_s = 0;
        if (measure[kind].open)
            measure[kind].since_us = now_us;
    }
}

#include "core/health/light/light_change.h"

#include <math.h>
#include <string.h>

enum { MINUTE = 60, CELL_WIDTH = LIGHT_WIDTH / CELLS_ACROSS, CELL_HEIGHT = LIGHT_HEIGHT / CELLS_DOWN,
       SETTLED_S = 20,          /* nothing is told before, and a mean of so many seconds tells what is usual */
       ANEW_S = 10,             /* after a change, the mean counts as one of so many */
       STEADY_S = 5,            /* the change is over after so many steady seconds: windows of scores have none of it then */
       CROWDED_S = 2 };
#define TEXTURE 4.0f            /* mean squared gradient, in gray levels of the reduced picture */
#define LOST 0.5f               /* correlations of gradients */
#define KEPT 0.8f
#define OTHER 4.0f              /* gray levels */
#define STEADY 1.5f             /* gray levels from second to second, in three quarters of the cells */
#define LEAST 0.1f              /* of the cells with texture, beyond the usual share */
#define MOST_MORE 3.0f          /* cells */
#define NEARLY_ALL 0.7f         /* of all cells */

/* Sums of the gradients of a cell. */
struct cell {
    float n, x, y, xx, xy, yy;
};

static void add(struct cell *c, float x, float y)
{
    c->n++;
    c->x += x;
    c->y += y;
    c->xx += x * x;
    c->xy += x * y;
    c->yy += y * y;
}

/* Returns the correlation of the gradients of a cell. *strength: the mean square of those of the reference. */
static float correlate(const float *reference, const float *picture, float *strength)
{
    struct cell across = {0}, down = {0};
    for (int y = 0; y < CELL_HEIGHT - 1; y++)
        for (int x = 0; x < CELL_WIDTH - 1; x++) {
            int at = y * LIGHT_WIDTH + x;
            add(&across, reference[at + 1] - reference[at], picture[at + 1] - picture[at]);
            add(&down, reference[at + LIGHT_WIDTH] - reference[at], picture[at + LIGHT_WIDTH] - picture[at]);
        }
    float xx = across.xx - across.x * across.x / across.n + down.xx - down.x * down.x / down.n;
    float xy = across.xy - across.x * across.y / across.n + down.xy - down.x * down.y / down.n;
    float yy = across.yy - across.y * across.y / across.n + down.yy - down.y * down.y / down.n;
    *strength = xx / across.n;
    return xx > 0 && yy > 0 ? xy / sqrtf(xx * yy) : 0;
}

/* Halves the width of a picture [FIELD_SIZE]. ret [LIGHT_SIZE]. */
static void halve(float *ret, const float *picture)
{
    for (int i = 0; i < LIGHT_SIZE; i++)
        ret[i] = 0.5f * (picture[2 * i] + picture[2 * i + 1]);
}

/* Returns how many lit cells the connected patch of changed cells has that most of them are in. Empties `changed`. */
static int largest_patch(bool changed[CELLS], const bool lit[CELLS])
{
    int largest = 0;
    for (int first = 0; first < CELLS; first++) {
        int stack[CELLS], n = 0, size = 0;
        if (changed[first])
            stack[n++] = first;
        changed[first] = false;
        while (n > 0) {
            const int cell = stack[--n], x = cell % CELLS_ACROSS;
            const int next[] = {x > 0 ? cell - 1 : -1, x + 1 < CELLS_ACROSS ? cell + 1 : -1, cell - CELLS_ACROSS,
                                cell + CELLS_ACROSS};
            size += lit[cell];
            for (int i = 0; i < 4; i++)
                if (next[i] >= 0 && next[i] < CELLS && changed[next[i]]) {
                    changed[next[i]] = false;
                    stack[n++] = next[i];
                }
        }
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* Counts the cells by what became of them. full [FIELD_SIZE], and full_known, which may be NULL. */
static void count(struct light_change *change, const float *level, const float *full, const float *full_known)
{
    int brighter = 0, darker = 0;
    bool is_changed[CELLS], is_lit[CELLS] = {false}, is_taken[CELLS] = {false};
    float picture[LIGHT_SIZE], reference[LIGHT_SIZE], known[LIGHT_SIZE];
    halve(picture, full);
    if (full_known)
        halve(known, full_known);
    for (int i = 0; i < LIGHT_SIZE; i++)
        reference[i] = (float)change->usual.picture[i] / 256;
    change->textured = change->taken = 0;
    for (int i = 0; i < CELLS; i++) {
        const int at = i / CELLS_ACROSS * CELL_HEIGHT * LIGHT_WIDTH + i % CELLS_ACROSS * CELL_WIDTH;
        const float usual = change->usual.level[i], gain = level[i] / fmaxf(usual, 1);
        const bool other = fabsf(level[i] - usual) > OTHER;
        change->is_other[i] = false;
        is_changed[i] = other;
        float strength, known_strength, kept = correlate(reference + at, picture + at, &strength);
        brighter += other && level[i] > usual;
        darker += other && level[i] < usual;
        if (strength < TEXTURE)
            continue;
        change->textured++;
        is_lit[i] = other && kept > KEPT;
        const bool shows = strength * fminf(1, gain * gain) > TEXTURE;     /* else it may be too dark to show its texture */
        change->is_other[i] = kept < KEPT;
        is_taken[i] = kept < LOST && shows &&
                      (!full_known || correlate(known + at, picture + at, &known_strength) < LOST || known_strength < TEXTURE);
        change->taken += is_taken[i];
        is_changed[i] = other && !is_taken[i];
    }
    change->lit = largest_patch(is_changed, is_lit);
    change->changed = brighter > darker ? brighter : darker;
}

static void blend(struct light_mean *mean, int cell, const float *level, const float *picture, float share)
{
    const int first = cell / CELLS_ACROSS * CELL_HEIGHT * LIGHT_WIDTH + cell % CELLS_ACROSS * CELL_WIDTH;
    mean->level[cell] += share * (level[cell] - mean->level[cell]);
    for (int y = 0; y < CELL_HEIGHT; y++)
        for (int at = first + y * LIGHT_WIDTH; at < first + y * LIGHT_WIDTH + CELL_WIDTH; at++)
            mean->picture[at] = (uint16_t)((1 - share) * (float)mean->picture[at] + share * 256 * picture[at] + 0.5f);
}

void light_change_add(struct light_change *change, const float *level, const float *picture, const float *known, int64_t time_us)
{
    if (change->usual.seconds == 0)
        return;
    count(change, level, picture, known);
    const float textured = (float)change->textured, lit = (float)change->lit;
    const float taken = (float)change->taken - change->usually_taken;
    change->least = fmaxf(LEAST * textured, 3) + change->usually_lit + 3 * change->spread;
    const bool all = (float)change->changed > NEARLY_ALL * CELLS && taken < 0.5f * textured;
    if (change->on || change->followed_s == 0 || !(all || (lit > change->least && lit > taken)))
        return;
    change->on = true;
    change->since_us = time_us;
    change->on_s = change->steady_s = 0;
    change->came = false;
}

/* The light stays: follows it. A cell whose texture is another keeps what it was like for a minute: a mixture of both would look
 * like either in another light. After the first minute, the usual number of taken cells follows by 3 a minute at most, so that
 * somebody who stays does not become usual. */
static void follow(struct light_change *change, const float *level, const float *picture)
{
    change->usual.seconds += change->usual.seconds < MINUTE;
    const float share = 1 / (float)change->usual.seconds;
    for (int i = 0; i < CELLS; i++) {
        change->other_s[i] = change->is_other[i] ? change->other_s[i] + 1 : 0;
        if (change->other_s[i] == 0 || change->other_s[i] > MINUTE)
            blend(&change->usual, i, level, picture, change->other_s[i] > MINUTE ? 1 : share);
    }
    if (change->usual.seconds < SETTLED_S)
        return;
    float taken = (float)change->taken - change->usually_taken;
    if (change->followed_s == MINUTE)
        taken = fminf(fmaxf(taken, -MOST_MORE), MOST_MORE);
    else
        change->followed_s++;
    const float lit = (float)change->lit - change->usually_lit, part = 1 / (float)change->followed_s;
    change->usually_lit += part * lit;
    change->spread += part * (fabsf(lit) - change->spread);
    change->usually_taken += part * taken;
}

void light_change_second(struct light_change *change, const float *level, const float *full)
{
    float went[CELLS], picture[LIGHT_SIZE];
    halve(picture, full);
    for (int i = 0; i < CELLS; i++)
        went[i] = fabsf(level[i] - change->before[i]);
    memcpy(change->before, level, sizeof change->before);
    change->crowded_s = (float)change->taken > 2 + 2 * change->usually_taken ? change->crowded_s + 1 : 0;
    change->alone = change->crowded_s < CROWDED_S;
    if (!change->on) {
        follow(change, level, picture);
        return;
    }
    change->on_s++;
    change->steady_s = measure_quantile(went, CELLS, 0.75f) < STEADY ? change->steady_s + 1 : 0;
    const bool ends = change->steady_s == STEADY_S || change->on_s == LIGHT_CHANGE_LONGEST_S;
    if (change->steady_s == 1 || (ends && change->steady_s == 0))
        change->came = change->came || change->crowded_s > 0;
    for (int i = 0; i < CELLS && (change->steady_s > 0 || ends); i++)
        blend(&change->usual, i, level, picture, change->steady_s > 1 ? 1 / (float)change->steady_s : 1);
    change->alone = !change->came;
    if (!ends)
        return;
    change->usual.seconds = ANEW_S;
    memset(change->other_s, 0, sizeof change->other_s);
    change->on = false;
}

void light_change_break_off(struct light_change *change)
{
    change->on = false;
    change->textured = 0;
}

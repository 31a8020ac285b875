#include "daemon/watch/camera/scorelog.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Flags in the word that also holds the number of boxes. */
#define IS_STATIC (UINT64_C(1) << 63)
#define IS_SLOW (UINT64_C(1) << 62)

/* Words of an entry: six for the score, half a word for each voice and for the score of each box, one for the place of each box.
 * A place is four numbers of 16 bits. */
enum { VOICES_AT = 6, BOXES_AT = VOICES_AT + (VOICES + 1) / 2, BOX_SCORES_AT = BOXES_AT + BOXES_MAX,
       WORDS = BOX_SCORES_AT + (BOXES_MAX + 1) / 2 };

struct entry {
    _Atomic uint64_t words[WORDS];
};

/* The writer raises `begun`, which announces that the oldest entry is overwritten, writes the entry, and publishes it by
 * `next`. A reader copies entries first and reads `begun` afterwards: it discards entries below begun - capacity, which
 * may be torn. Release stores and acquire loads of the words keep that order: a reader that saw a word of entry n also
 * sees begun > n. */
struct scorelog {
    size_t capacity;
    _Atomic uint64_t begun, next;
    struct entry entries[];
};

int scorelog_open(struct scorelog **ret, size_t capacity)
{
    if (capacity == 0)
        return -EINVAL;
    if (capacity > (SIZE_MAX - sizeof(struct scorelog)) / sizeof(struct entry))
        return -ENOMEM;
    struct scorelog *log = malloc(sizeof *log + capacity * sizeof log->entries[0]);
    if (!log)
        return -ENOMEM;
    log->capacity = capacity;
    atomic_init(&log->begun, 0);
    atomic_init(&log->next, 0);
    for (size_t i = 0; i < capacity; i++)
        for (int w = 0; w < WORDS; w++)
            atomic_store_explicit(&log->entries[i].words[w], 0, memory_order_relaxed);
    *ret = log;
    return 0;
}

void scorelog_close(struct scorelog *log)
{
    free(log);
}

/* Coordinates have four decimals. */
static uint64_t pack_box(const struct box *box)
{
    const float places[] = {box->x, box->y, box->width, box->height};
    uint64_t word = 0;
    for (int i = 0; i < 4; i++)
        word = word << 16 | (uint64_t)lrintf(1e4f * places[i]);
    return word;
}

static void unpack_box(struct box *box, uint64_t word)
{
    float *const places[] = {&box->x, &box->y, &box->width, &box->height};
    for (int i = 0; i < 4; i++)
        *places[i] = (float)(word >> 16 * (3 - i) & 0xffff) / 1e4f;
}

static void pack(uint64_t words[WORDS], const struct score_record *score)
{
    uint32_t reference, own, p_value, scores[BOXES_MAX] = {0};
    memcpy(&p_value, &score->p_value, sizeof p_value);
    memcpy(&reference, &score->reference, sizeof reference);
    memcpy(&own, &score->score, sizeof own);
    words[0] = score->window;
    words[1] = score->frame;
    words[2] = (uint64_t)score->time_us;
    words[3] = (uint64_t)score->pts_us;
    words[4] = (uint64_t)reference << 32 | own;
    words[5] = (score->is_static ? IS_STATIC : 0) | (score->is_slow ? IS_SLOW : 0) | (uint64_t)score->boxes.n << 32 | p_value;
    words[BOXES_AT - 1] = 0;
    memcpy(&words[VOICES_AT], score->voices.score, sizeof score->voices.score);
    for (int i = 0; i < BOXES_MAX; i++) {
        words[BOXES_AT + i] = i < score->boxes.n ? pack_box(&score->boxes.box[i]) : 0;
        if (i < score->boxes.n)
            memcpy(&scores[i], &score->boxes.box[i].score, sizeof scores[i]);
    }
    memcpy(&words[BOX_SCORES_AT], scores, sizeof scores);
}

static void unpack(struct score_record *score, const uint64_t words[WORDS])
{
    uint32_t reference = (uint32_t)(words[4] >> 32), own = (uint32_t)words[4], p_value = (uint32_t)words[5];
    *score = (struct score_record){.window = words[0], .frame = words[1], .time_us = (int64_t)words[2],
                                   .pts_us = (int64_t)words[3]};
    memcpy(&score->reference, &reference, sizeof reference);
    memcpy(&score->score, &own, sizeof own);
    memcpy(&score->p_value, &p_value, sizeof p_value);
    memcpy(score->voices.score, &words[VOICES_AT], sizeof score->voices.score);
    /* The entry may be torn, so any number is possible here. The reader discards it afterwards. */
    score->is_static = words[5] & IS_STATIC;
    score->is_slow = words[5] & IS_SLOW;
    uint64_t n = (words[5] & ~(IS_STATIC | IS_SLOW)) >> 32;
    score->boxes.n = n < BOXES_MAX ? (int)n : BOXES_MAX;
    float scores[BOXES_MAX];
    memcpy(scores, &words[BOX_SCORES_AT], sizeof scores);
    for (int i = 0; i < score->boxes.n; i++) {
        unpack_box(&score->boxes.box[i], words[BOXES_AT + i]);
        score->boxes.box[i].score = scores[i];
    }
}

void scorelog_append(struct scorelog *log, const struct score_record *score)
{
    uint64_t words[WORDS];
    pack(words, score);
    uint64_t n = atomic_load_explicit(&log->next, memory_order_relaxed);
    atomic_store_explicit(&log->begun, n + 1, memory_order_relaxed);
    struct entry *entry = &log->entries[n % log->capacity];
    for (int w = 0; w < WORDS; w++)
        atomic_store_explicit(&entry->words[w], words[w], memory_order_release);
    atomic_store_explicit(&log->next, n + 1, memory_order_release);
}

static uint64_t oldest_of(const struct scorelog *log, uint64_t end)
{
    return end > log->capacity ? end - log->capacity : 0;
}

size_t scorelog_read(struct scorelog *log, uint64_t from, struct score_record *ret, size_t max, struct record_range *range)
{
    uint64_t next = atomic_load_explicit(&log->next, memory_order_acquire);
    uint64_t first = oldest_of(log, next);
    first = from > first ? from : first;
    size_t n = 0;
    for (uint64_t i = first; i < next && n < max; i++, n++) {
        uint64_t words[WORDS];
        for (int w = 0; w < WORDS; w++)
            words[w] = atomic_load_explicit(&log->entries[i % log->capacity].words[w], memory_order_acquire);
        unpack(&ret[n], words);
    }
    uint64_t oldest = oldest_of(log, atomic_load_explicit(&log->begun, memory_order_relaxed));
    if (n && oldest > first) {
        size_t torn = oldest - first < n ? (size_t)(oldest - first) : n;
        n -= torn;
        memmove(ret, ret + torn, n * sizeof ret[0]);
    }
    /* A writer in the middle of an entry has overwritten the oldest and not yet published its own. A reader that was
     * suspended for a whole round of the log finds that none of its entries is kept. */
    *range = (struct record_range){.oldest = oldest, .next = next > oldest ? next : oldest};
    return n;
}

/* Words that one thread at a time writes and any thread reads whole, without a lock: a sequence lock over atomics. The
 * writer never waits. A reader that meets a write under way reads again; writes are a few stores long.
 *
 * Release stores and acquire loads of the words themselves carry the order, so that no fence is needed (and
 * ThreadSanitizer understands it): a reader that saw a word of a later write also sees that the sequence moved. */
#ifndef MEMAED_IO_BASE_SNAPSHOT_H
#define MEMAED_IO_BASE_SNAPSHOT_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

enum { SNAPSHOT_MAX_WORDS = 8 };

struct snapshot {
    _Atomic uint64_t sequence;          /* odd while a write is under way */
    _Atomic uint64_t words[SNAPSHOT_MAX_WORDS];
};

/* Writers take turns by a lock of their own. */
static inline void snapshot_write(struct snapshot *snapshot, const uint64_t *words, int n)
{
    uint64_t sequence = atomic_load_explicit(&snapshot->sequence, memory_order_relaxed);
    atomic_store_explicit(&snapshot->sequence, sequence + 1, memory_order_relaxed);
    for (int i = 0; i < n; i++)
        atomic_store_explicit(&snapshot->words[i], words[i], memory_order_release);
    atomic_store_explicit(&snapshot->sequence, sequence + 2, memory_order_release);
}

static inline void snapshot_read(struct snapshot *snapshot, uint64_t *words, int n)
{
    for (;;) {
        uint64_t before = atomic_load_explicit(&snapshot->sequence, memory_order_acquire);
        for (int i = 0; i < n; i++)
            words[i] = atomic_load_explicit(&snapshot->words[i], memory_order_acquire);
        if (before % 2 == 0 && atomic_load_explicit(&snapshot->sequence, memory_order_relaxed) == before)
            return;
        sched_yield();
    }
}

#endif

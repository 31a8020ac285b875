/* A sequence lock over atomics: one thread at a time writes a few words, and any thread reads them as a consistent set. The
 * writer never waits. A reader that runs into a write reads again; a write is a few stores long.
 *
 * The words themselves are stored with release and loaded with acquire. So a reader that sees a word of a later write also
 * sees that the sequence moved. This needs no fence, which ThreadSanitizer would not understand. */
#ifndef MEMAED_IO_BASE_SNAPSHOT_H
#define MEMAED_IO_BASE_SNAPSHOT_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

enum { SNAPSHOT_MAX_WORDS = 8 };

struct snapshot {
    _Atomic uint64_t sequence;          /* odd during a write */
    _Atomic uint64_t words[SNAPSHOT_MAX_WORDS];
};

/* The callers make sure that only one thread writes at a time. n <= SNAPSHOT_MAX_WORDS. */
static inline void snapshot_write(struct snapshot *snapshot, const uint64_t *words, int n)
{
    uint64_t sequence = atomic_load_explicit(&snapshot->sequence, memory_order_relaxed);
    atomic_store_explicit(&snapshot->sequence, sequence + 1, memory_order_relaxed);
    for (int i = 0; i < n; i++)
        atomic_store_explicit(&snapshot->words[i], words[i], memory_order_release);
    atomic_store_explicit(&snapshot->sequence, sequence + 2, memory_order_release);
}

/* words [n] are those of one write. Any thread. */
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

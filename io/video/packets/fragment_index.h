/* The index of a fragmented MP4: the `sidx` box (ISO/IEC 14496-12, 8.16.3), by which players seek and know how long the file is.
 *
 * An entry begins with a key frame, because players look for one no further back. A fragment without one belongs to the entry
 * before. Where FRAGMENT_INDEX_MOST entries do not suffice, neighbours are joined. One thread owns an index. */
#ifndef MEMAED_IO_VIDEO_PACKETS_FRAGMENT_INDEX_H
#define MEMAED_IO_VIDEO_PACKETS_FRAGMENT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAGMENT_INDEX_MOST = 1024,
    FRAGMENT_INDEX_BYTES = 40 + 12 * FRAGMENT_INDEX_MOST + 8,   /* size of index and rest in the file */
};

struct fragment_index {
    int64_t place;              /* the caller's: where it stands in the file */
    struct fragment_entry {
        uint32_t bytes, ticks;
    } entries[FRAGMENT_INDEX_MOST];
    size_t n;
};

/* key: the fragment begins with a key frame. The first one does. */
void fragment_index_add(struct fragment_index *index, int64_t bytes, int64_t ticks, bool key);

/* Writes the box, and a `free` box that fills the rest, to data. The first fragment follows them. Returns
 * FRAGMENT_INDEX_BYTES. */
size_t fragment_index_encode(const struct fragment_index *index, uint32_t ticks_per_s, uint8_t data[FRAGMENT_INDEX_BYTES]);

#endif

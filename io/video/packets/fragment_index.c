#include "io/video/packets/fragment_index.h"

#include <string.h>

/* Joins each two neighbours, so that half of the room is free. */
static void join(struct fragment_index *index)
{
    for (size_t i = 0; i < index->n / 2; i++) {
        const struct fragment_entry a = index->entries[2 * i], b = index->entries[2 * i + 1];
        index->entries[i] = (struct fragment_entry){.bytes = a.bytes + b.bytes, .ticks = a.ticks + b.ticks};
    }
    index->n /= 2;
}

void fragment_index_add(struct fragment_index *index, int64_t bytes, int64_t ticks, bool key)
{
    if (key && index->n == FRAGMENT_INDEX_MOST)
        join(index);
    if (key || index->n == 0)
        index->entries[index->n++] = (struct fragment_entry){0};
    index->entries[index->n - 1].bytes += (uint32_t)bytes;
    index->entries[index->n - 1].ticks += (uint32_t)ticks;
}

static uint8_t *put(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    return to + bytes;
}

static uint8_t *put_head(uint8_t *to, uint32_t size, const char type[4])
{
    to = put(to, size, 4);
    memcpy(to, type, 4);
    return to + 4;
}

size_t fragment_index_encode(const struct fragment_index *index, uint32_t ticks_per_s, uint8_t data[FRAGMENT_INDEX_BYTES])
{
    uint32_t size = 40 + 12 * (uint32_t)index->n, rest = FRAGMENT_INDEX_BYTES - size;
    memset(data, 0, FRAGMENT_INDEX_BYTES);
    uint8_t *to = put_head(data, size, "sidx");
    to = put(to, (uint64_t)1 << 24, 4);         /* version 1, no flags */
    to = put(to, 1, 4);                         /* the track */
    to = put(to, ticks_per_s, 4);
    to = put(to, 0, 8);                         /* the first time */
    to = put(to, rest, 8);                      /* bytes between this box and the first fragment */
    to = put(to, index->n, 4);
    for (size_t i = 0; i < index->n; i++) {
        to = put(to, index->entries[i].bytes & 0x7fffffff, 4);
        to = put(to, index->entries[i].ticks, 4);
        to = put(to, (uint32_t)9 << 28, 4);   /* starts with a picture to begin at, of type 1 */
    }
    put_head(to, rest, "free");
    return FRAGMENT_INDEX_BYTES;
}

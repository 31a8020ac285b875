#include "daemon/watch/health/sights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sights {
    int height, width;
    struct packet_ring *packets;
    struct sight *newer, *older;        /* references; NULL: none */
    int64_t kept_us;                    /* arrival of the picture with which the newer one was kept */
    bool begun;
    int64_t sound_us;                   /* the camera has been sound after this arrival */
};

/* ---- one ------------------------------------------------------------------------------------------------------------ */

struct sight *sight_new(const uint8_t *pixels, int height, int width, int64_t arrival_us, int64_t time_us, struct packet *key)
{
    size_t size = (size_t)height * (size_t)width;
    struct sight *sight = malloc(sizeof *sight + size);
    if (!sight)
        return NULL;
    atomic_init(&sight->references, 1);
    sight->arrival_us = arrival_us;
    sight->time_us = time_us;
    sight->key = key ? packet_ref(key) : NULL;
    sight->height = height;
    sight->width = width;
    memcpy(sight->pixels, pixels, size);
    return sight;
}

struct sight *sight_ref(struct sight *sight)
{
    if (sight)
        atomic_fetch_add_explicit(&sight->references, 1, memory_order_relaxed);
    return sight;
}

void sight_unref(struct sight *sight)
{
    if (!sight || atomic_fetch_sub_explicit(&sight->references, 1, memory_order_acq_rel) > 1)
        return;
    packet_unref(sight->key);
    free(sight);
}

/* ---- those of a camera ---------------------------------------------------------------------------------------------- */

int sights_open(struct sights **ret, int height, int width, struct packet_ring *packets)
{
    struct sights *sights = calloc(1, sizeof *sights);
    if (!sights)
        return -ENOMEM;
    sights->height = height;
    sights->width = width;
    sights->packets = packets;
    *ret = sights;
    return 0;
}

void sights_close(struct sights *sights)
{
    if (sights)
        sights_forget(sights);
    free(sights);
}

void sights_forget(struct sights *sights)
{
    sight_unref(sights->newer);
    sight_unref(sights->older);
    sights->newer = sights->older = NULL;
    sights->begun = false;
}

/* A reference to the newest key frame that arrived by then; NULL: none is kept. */
static struct packet *find_key(struct packet_ring *packets, int64_t arrival_us)
{
    struct packet *key = NULL;
    uint64_t next = packets ? packet_ring_find(packets, arrival_us) : 0;
    if (!packets || packet_ring_take(packets, &next, &key, 1) == 0 || (key->times.key && key->times.arrival_us <= arrival_us))
        return key;
    packet_unref(key);
    return NULL;
}

/* Keeps the picture as the newer sight, unless its key frame is from before the camera was sound, or is kept already. */
static void keep(struct sights *sights, const uint8_t *pixels, int64_t arrival_us, int64_t time_us)
{
    struct packet *key = find_key(sights->packets, arrival_us);
    int64_t age_us = key ? arrival_us - key->times.arrival_us : 0;
    bool is_new = !key || (arrival_us - age_us > sights->sound_us && !(sights->newer && sights->newer->key == key));
    struct sight *sight = is_new ? sight_new(pixels, sights->height, sights->width, arrival_us - age_us, time_us - age_us, key)
                                 : NULL;
    packet_unref(key);
    if (!sight)
        return;
    sight_unref(sights->older);
    sights->older = sights->newer;
    sights->newer = sight;
    sights->kept_us = arrival_us;
}

void sights_see(struct sights *sights, const uint8_t *pixels, int64_t arrival_us, int64_t time_us, bool is_sound)
{
    if (!is_sound || !sights->begun)
        sights->sound_us = is_sound ? arrival_us - 1 : arrival_us;
    sights->begun = true;
    if (is_sound && (!sights->newer || arrival_us - sights->kept_us >= SIGHTS_PERIOD_US))
        keep(sights, pixels, arrival_us, time_us);
}

struct sight *sights_before(const struct sights *sights, int64_t arrival_us)
{
    struct sight *both[] = {sights->newer, sights->older};
    for (int i = 0; i < 2; i++)
        if (both[i] && both[i]->arrival_us + SIGHTS_BEFORE_US <= arrival_us)
            return sight_ref(both[i]);
    return NULL;
}

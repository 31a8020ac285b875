/* The last pictures of a camera without a fault, so that a fault can be shown beside them.
 *
 * A sight is one picture: gray, as the network got it, and the coded key frame of the same moment where packets are kept. So it
 * can be shown in colour later, and costs no decoding until then. Two sights of a camera are kept. A fault is found seconds
 * after it began, so the newer one may already show it; the older one is from 10 s before that, or longer.
 *
 * A sight is constant once made, and a counted reference; any thread. struct sights belongs to the camera's thread. */
#ifndef MEMAED_DAEMON_WATCH_HEALTH_SIGHTS_H
#define MEMAED_DAEMON_WATCH_HEALTH_SIGHTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/video/packets/packet_ring.h"

#define SIGHTS_PERIOD_US INT64_C(10000000)      /* from one sight to the next, or longer */
#define SIGHTS_BEFORE_US INT64_C(3000000)       /* a sight is at least so much older than the fault that it is shown with */

struct sight {
    atomic_uint references;
    int64_t arrival_us;         /* CLOCK_MONOTONIC: when the packet came; of the key frame where there is one */
    int64_t time_us;            /* UTC, of the same */
    struct packet *key;         /* a reference; NULL: the gray picture is all there is */
    int height, width;
    uint8_t pixels[];           /* [height, width], gray, without what masks cover; a moment later than the key frame */
};

/* Copies the pixels, and takes a reference to key, which may be NULL. The caller holds one reference. NULL: no memory. */
struct sight *sight_new(const uint8_t *pixels, int height, int width, int64_t arrival_us, int64_t time_us, struct packet *key);
struct sight *sight_ref(struct sight *sight);   /* takes NULL, as does the next one */
void sight_unref(struct sight *sight);

struct sights;

/* packets: of the stream that is analysed; borrowed until close; NULL: sights are gray. 0 or -ENOMEM. */
int sights_open(struct sights **ret, int height, int width, struct packet_ring *packets);
void sights_close(struct sights *sights);       /* takes NULL */

/* Tells whether the camera is sound at this picture: no fault holds, and none is about to open. Keeps the picture if it is, and
 * if the last sight is old enough. pixels [height, width]; times as in struct sight. */
void sights_see(struct sights *sights, const uint8_t *pixels, int64_t arrival_us, int64_t time_us, bool is_sound);
/* A reference to the newest sight that is SIGHTS_BEFORE_US older than arrival_us; NULL: there is none. */
struct sight *sights_before(const struct sights *sights, int64_t arrival_us);
void sights_forget(struct sights *sights);      /* drops both */

#endif

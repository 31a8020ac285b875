/* The pictures of a fault of a camera's picture (docs/health.md), beside the evidence of alerts (place.h):
 *   before.jpg    the camera before the fault
 *   fault.jpg     the camera as the fault opened
 *   after.jpg     the camera as the fault closed. It is made only where fault.jpg is kept
 * They are in colour where the coded picture is kept and can be decoded, else gray, as the network got it. Privacy masks are
 * blackened in all of them. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_FAULT_PICTURES_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_FAULT_PICTURES_H

#include "daemon/watch/evidence/place.h"
#include "daemon/watch/evidence/snapshot.h"
#include "daemon/watch/health/sights.h"

/* A fault and the way its pictures are made. All is borrowed for the call. */
struct fault_pictures {
    const char *state_dir;
    struct place place;
    struct snapshot_options decoding;   /* its arrival_us and is_exact are not used */
    struct packet_ring *ring;           /* of the analysed stream */
    const struct zones *zones;          /* NULL: none */
    bool closed;
    struct sight *before, *now;         /* as in struct event_health; NULL: not known */
    /* Writes KIND.jpg, which shows what was at time_us (UTC). 0, or -errno with the cause in err. */
    int (*put)(void *arg, const char *kind, const struct picture *picture, int64_t time_us, struct error *err);
    void *arg;
};

/* Makes the two pictures of a fault that opened, or the one of a fault that closed. Waits for processes and the disk. Logs what
 * fails. */
void fault_pictures_make(const struct fault_pictures *fault);

#endif

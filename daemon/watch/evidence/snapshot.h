/* The colour picture of a moment, decoded from the packets that a camera keeps.
 *
 * The packets from the key frame on are copied into a file in memory (memfd). A process with least rights writes it, and
 * another one decodes it (io/capture). So nothing is on disk that a privacy mask should hide, and the daemon parses nothing. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_SNAPSHOT_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/picture/draw.h"
#include "core/picture/picture.h"
#include "core/zones/zones.h"
#include "io/capture/host.h"
#include "io/video/packets/packet_ring.h"

struct snapshot_options {
    int64_t arrival_us;         /* CLOCK_MONOTONIC: when the picture's packet came */
    bool is_exact;              /* that time is known; false: the picture is the last one that had come by then */
    bool is_masked;             /* masks will be drawn over the picture: a damaged one may show elsewhere what they cover */
    int longest;                /* pixels of the longer side at most */
    int limit_ms;               /* for decoding */
    int memory_mib;             /* most memory of the process */
    struct capture_host *host;  /* NULL: this process decodes */
    const atomic_bool *stop;    /* becomes true: -EINTR soon */
};

/* The camera's privacy masks, for drawing. */
struct snapshot_masks {
    struct draw_point points[ZONES_MASKS_MOST][POLYGON_POINTS_MOST];
    struct draw_polygon polygons[ZONES_MASKS_MOST];
    int n;
};
void snapshot_masks(struct snapshot_masks *ret, const struct zones *zones);    /* zones NULL: none */
/* Blackens what privacy masks cover. */
void snapshot_hide(struct picture *picture, const struct zones *zones);

/* Opens *ret. 0; -ENOENT: no packets of that moment are kept; -EBADMSG: the picture is damaged, and is_masked; or an error of
 * capture_moment(); with the cause in err. */
int snapshot_decode(struct picture *ret, struct packet_ring *ring, const struct snapshot_options *options, struct error *err);
/* The same of one key frame, which is decoded alone. arrival_us and is_exact are not used. */
int snapshot_decode_key(struct picture *ret, struct packet *key, const struct snapshot_options *options, struct error *err);

#endif

/* The pictures of alerts: the thread "pictures" makes, for each alert that is told,
 *   snapshot.jpg   the frame at the peak in colour, with boxes (evidence/snapshot.h). If its packets are not kept, or cannot
 *                  be decoded in time, it is the gray frame that the network saw, at the network's size
 *   why.jpg        why the window with the peak scores (core/explain/explain.h), for alerts that are made from windows
 * Privacy masks are blackened in all of it. All snapshots that wait are made before any why-picture.
 *
 * It makes the pictures of faults, too (evidence/fault_pictures.h). These count as snapshots in the order, but not in the
 * figures.
 *
 * ready() is called for each alert, and for each fault that opens or closes, once the pictures are there or have failed, also if
 * the camera makes none. It is not called if there is no memory for the job.
 *
 * Any thread may call, but for open and close, which are main's. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_PICTURES_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_PICTURES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "core/score/calibration.h"
#include "core/zones/zones.h"
#include "daemon/watch/evidence/peak.h"
#include "daemon/watch/evidence/place.h"
#include "daemon/watch/heartbeat.h"
#include "io/capture/host.h"
#include "io/video/packets/packet_ring.h"
#include "web/view.h"

/* If so many alerts wait, a further one has no pictures, and the log says so. A camera has pictures of so many faults in an hour,
 * so that a fault which comes and goes does not drive other evidence from the disk. */
enum { PICTURES_QUEUE_MAX = 64, PICTURES_FAULTS_MAX = 20 };

struct pictures;

struct pictures_made {
    uint64_t alert;             /* 0: it is of a fault */
    const char *camera, *kind;  /* "snapshot", "why"; of a fault "before", "fault", "after" */
    const char *path;           /* below state_dir */
    int64_t bytes;
};

struct pictures_options {
    const char *state_dir;              /* borrowed until close, as is all below */
    struct capture_host *host;          /* NULL: the thread decodes by itself */
    struct heartbeats *heartbeats;
    /* Called on the thread. */
    void (*made)(void *arg, const struct pictures_made *made);
    void (*ready)(void *arg, uint64_t id);      /* of the alert or fault */
    void *arg;
};

/* The sources of a camera's pictures. */
struct pictures_camera {
    const char *name;                   /* copied */
    struct packet_ring *ring;           /* of the analysed stream: boxes belong to its frames. The pictures take a reference */
    int memory_mib;                     /* most memory of the process that decodes */
    /* Borrowed until pictures_remove(). */
    const struct zones *zones;          /* NULL: none */
    struct peak *peak;                  /* NULL: no picture says why */
    const struct plan *plan;
    const struct calibration *calibration;      /* NULL: none */
    const struct regions *regions;      /* NULL: all cells count alike */
};

/* Starts the thread. 0 or -errno with the cause in err. */
int pictures_open(struct pictures **ret, const struct pictures_options *options, struct error *err);
/* Ends the thread. Alerts that wait have no pictures. Takes NULL. false: it is still stuck at deadline_us (CLOCK_MONOTONIC). */
bool pictures_end(struct pictures *pictures, int64_t deadline_us);
void pictures_close(struct pictures *pictures);         /* after it ended; takes NULL */

int pictures_add(struct pictures *pictures, const struct pictures_camera *camera);      /* 0 or -ENOMEM */
/* The camera leaves. Waits until no picture of it is being made: what is being decoded is given up, but an explanation takes as
 * long as a window. */
void pictures_remove(struct pictures *pictures, const struct packet_ring *ring);

/* An alert has opened at opened_at_us (CLOCK_MONOTONIC of alert->opened_us). */
void pictures_take(struct pictures *pictures, const struct alert_record *alert);
/* A fault has opened or closed. Takes references to its sights. */
void pictures_take_fault(struct pictures *pictures, const struct event *event);

struct pictures_stats {
    uint64_t snapshots[VIEW_SNAPSHOTS + 1];     /* as in struct view_process */
    double seconds;             /* of them, summed */
    uint64_t failures;          /* alerts without a snapshot */
    uint64_t gray;              /* snapshots that are not in colour */
};

void pictures_stats(struct pictures *pictures, struct pictures_stats *ret);

#endif

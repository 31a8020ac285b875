/* Keeps evidence of alerts: the thread "evidence" writes a clip of each (evidence/alert_clip.h), out of the rings in which
 * cameras keep their packets. The thread "pictures" makes pictures of each, and of faults of cameras (evidence/pictures.h).
 *
 * It learns of both as a sink of events, which takes an event into a bounded queue and waits for nothing. While a clip is
 * being written, the thread looks for packets four times a second; otherwise it sleeps.
 *
 * Any thread may call, but for open and close, which are main's. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_EVIDENCE_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_EVIDENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "daemon/watch/events.h"
#include "daemon/watch/evidence/pictures.h"
#include "daemon/watch/heartbeat.h"
#include "io/capture/host.h"
#include "io/config/config.h"
#include "io/video/packets/packet_ring.h"

/* At most this many clips are written at the same time. A further alert has none, and the log says so. */
enum { EVIDENCE_CLIPS_MAX = 256, EVIDENCE_QUEUE_MAX = 1024 };

struct evidence;

/* A file that is complete. Texts are borrowed for the call. */
struct evidence_made {
    uint64_t alert;
    const char *camera, *kind;  /* kind: "clip", "snapshot", "why", "copy" */
    const char *path;           /* below state_dir */
    int64_t bytes;
    const char *codec, *codecs; /* "h264", "avc1.64001f"; codecs is "" if browsers have no name for it; a picture has "" twice */
};

struct evidence_options {
    const char *state_dir;                      /* copied */
    struct capture_host *host;                  /* forks processes that write clips; NULL: the thread writes. Until close */
    struct heartbeats *heartbeats;              /* the same */
    /* Called by both threads, for each file of an alert that is complete. */
    void (*made)(void *arg, const struct evidence_made *made);
    /* Called for each alert that was told, and for each fault that opens or closes, once the pictures are there, or will not
     * come; by the thread of pictures, or where it is told. */
    void (*ready)(void *arg, uint64_t id);
    void *arg;
};

/* Starts both threads. 0 or -errno with the cause in err. */
int evidence_open(struct evidence **ret, const struct evidence_options *options, struct error *err);
/* Ends the clips that are being written where they are, and the threads. No sink is at work any more (events_close()). Takes
 * NULL. false: a thread is still stuck at deadline_us (CLOCK_MONOTONIC). */
bool evidence_end(struct evidence *evidence, int64_t deadline_us);
/* Call it after evidence_end() returned true and all cameras have left. Takes NULL. */
void evidence_close(struct evidence *evidence);

/* Retention uses these. The first returns how many files were made. The second returns true if a file failed since the last call
 * because the disk is full. The third stops clips (they end where they are) and copies, or allows them again. */
unsigned evidence_made_files(const struct evidence *evidence);
bool evidence_take_no_space(struct evidence *evidence);
void evidence_pause(struct evidence *evidence, bool paused);

/* Others that make files of evidence use these. The first two report that a file is complete, and that one failed because the
 * disk is full. The last two say whether evidence_pause() holds: now, and by a value that changes and is valid until close. */
void evidence_add_file(struct evidence *evidence, const struct evidence_made *made);
void evidence_lack_space(struct evidence *evidence);
bool evidence_is_paused(const struct evidence *evidence);
const atomic_bool *evidence_paused(const struct evidence *evidence);

/* Returns the sink for events_add(). */
struct event_sink evidence_sink(struct evidence *evidence);

/* A camera, and what it keeps of its alerts. */
struct evidence_camera {
    const char *name;           /* copied */
    const struct config_evidence *rolls;        /* copied */
    struct packet_ring *ring;   /* of the analysed stream; evidence takes references to both rings */
    struct packet_ring *other;  /* of the stream that the camera keeps instead, for clips while packets come there; NULL: none */
    const struct pictures_camera *pictures;     /* as pictures_add() takes it; its name and ring are those here */
};
/* Alerts of the camera that open have evidence from now on. 0 or -ENOMEM. */
int evidence_add(struct evidence *evidence, const struct evidence_camera *camera);
/* The camera leaves. Clips that are being written go on with what lies in the ring; pictures are given up. */
void evidence_remove(struct evidence *evidence, const struct packet_ring *ring);

void evidence_stats(struct evidence *evidence, struct pictures_stats *ret);

#endif

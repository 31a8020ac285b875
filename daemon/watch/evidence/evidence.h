/* Keeps evidence of alerts: the thread "evidence" writes a clip of each (evidence/alert_clip.h), out of the rings in which
 * cameras keep their packets.
 *
 * It learns of alerts as a sink of events, which takes an event into a bounded queue and waits for nothing. While a clip is
 * being written, the thread looks for packets four times a second; otherwise it sleeps.
 *
 * Any thread may call, but for open and close, which are main's. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_EVIDENCE_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "daemon/watch/events.h"
#include "daemon/watch/heartbeat.h"
#include "io/capture/host.h"
#include "io/config/config.h"
#include "io/video/packets/packet_ring.h"

/* So many clips are written at the same time; a further alert has none, and the log says so. */
enum { EVIDENCE_CLIPS_MAX = 256, EVIDENCE_QUEUE_MAX = 1024 };

struct evidence;

/* A file that is complete. Texts are borrowed for the call. */
struct evidence_made {
    uint64_t alert;
    const char *camera, *kind;  /* kind: "clip" */
    const char *path;           /* below state_dir */
    int64_t bytes, duration_us;
    const char *codec, *codecs; /* "h264", "avc1.64001f"; codecs is "" where browsers have no name for it */
};

struct evidence_options {
    const char *state_dir;                      /* copied */
    struct capture_host *host;                  /* forks processes that write clips; NULL: the thread does. Borrowed until close */
    struct heartbeats *heartbeats;              /* the same */
    /* Called by the evidence thread for each file. May be NULL. */
    void (*made)(void *arg, const struct evidence_made *made);
    void *arg;
};

/* Starts the thread. 0 or -errno with the cause in err. */
int evidence_open(struct evidence **ret, const struct evidence_options *options, struct error *err);
/* Ends the clips that are being written where they are, and the thread. No sink is at work any more (events_close()). Takes
 * NULL. false: the thread is still stuck at deadline_us (CLOCK_MONOTONIC). */
bool evidence_end(struct evidence *evidence, int64_t deadline_us);
/* After evidence_end() returned true, and all cameras have left. Takes NULL. */
void evidence_close(struct evidence *evidence);

/* For retention: how many files were made; whether a file failed because the disk is full, since the last call; and that nothing is to be
 * written (clips end where they are), or is again. */
unsigned evidence_made_files(const struct evidence *evidence);
bool evidence_take_no_space(struct evidence *evidence);
void evidence_pause(struct evidence *evidence, bool paused);

/* For events_add(). */
struct event_sink evidence_sink(struct evidence *evidence);

/* A camera keeps its packets in that ring from now on; alerts of the name that open are written from it. other: the ring of
 * the stream that the camera keeps instead of the analysed one, which is taken while packets come there; NULL: it has none.
 * rolls is copied, and evidence takes references to the rings. 0 or -ENOMEM. */
int evidence_add(struct evidence *evidence, const char *camera, const struct config_evidence *rolls, struct packet_ring *ring,
                 struct packet_ring *other);
/* The camera leaves. Clips that are being written go on with what lies in the ring. */
void evidence_remove(struct evidence *evidence, const struct packet_ring *ring);

#endif

/* The stream of a camera that is kept for clips while another one is analysed (evidence.source). A thread of its own reads its
 * packets into a ring, and decodes nothing. Whatever happens, it opens the stream again, after a back-off as the camera's.
 * While the stream is lost, clips are made of the analysed one.
 *
 * Order of life: open, start, go, stop, join, close. One thread does all of it; camera_keeping_fault() is for any. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_KEEPING_H
#define MEMAED_DAEMON_WATCH_CAMERA_KEEPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/heartbeat.h"
#include "io/capture/host.h"
#include "io/config/config.h"
#include "io/video/packets/packet_ring.h"

struct camera_keeping;

struct camera_keeping_options {
    const struct config_camera *config;     /* borrowed until close, as is all below */
    struct capture_host *host;              /* forks the process that reads the stream; NULL: the thread reads it */
    int memory_mib;                         /* most memory of the process */
    struct packet_ring *packets;
    struct heartbeats *heartbeats;
};

int camera_keeping_open(struct camera_keeping **ret, const struct camera_keeping_options *options);     /* 0 or -ENOMEM */
int camera_keeping_start(struct camera_keeping *keeping);       /* the thread waits for go; 0 or -errno */
void camera_keeping_go(struct camera_keeping *keeping);
void camera_keeping_stop(struct camera_keeping *keeping);       /* returns at once; before go, too */
bool camera_keeping_join(struct camera_keeping *keeping, int64_t deadline_us);  /* false: it still runs */
void camera_keeping_close(struct camera_keeping *keeping);      /* takes NULL; the thread has ended */

/* Writes why the stream is lost, redacted; "": it is not. Returns a number that grows with each change. */
unsigned camera_keeping_fault(struct camera_keeping *keeping, char *ret, size_t size);

#endif

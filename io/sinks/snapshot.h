/* Pictures in the events that tell of them: the snapshot of an alert, and a camera before and after a fault of its picture
 * opened or closed. They are made when an event is sent, from what evidence keeps then, so no queue holds a copy. Any sink may
 * use it; any thread. */
#ifndef MEMAED_IO_SINKS_SNAPSHOT_H
#define MEMAED_IO_SINKS_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "core/record.h"
#include "io/config/config.h"

/* Names a picture of an alert's or a fault's evidence. */
struct snapshot_place {
    uint64_t id;                /* of the alert or fault */
    int64_t opened_us;          /* UTC; of a fault, its id as a time */
    char camera[RECORD_NAME_SIZE];
    const char *file;           /* "snapshot"; "before", "fault", "after" (evidence/fault_pictures.h); static */
};

/* The place that snapshots are read from. */
struct snapshot_store {
    /* Finds the JPEG, and reads it if it has at most `most` bytes and ret is not NULL: *ret is the caller's, by malloc(),
     * else untouched. *size is that of the file. 0; -ENOENT: there is none (any more); another -errno. May wait for the disk.
     * NULL: events carry no snapshots. */
    int (*read)(void *arg, const struct snapshot_place *place, size_t most, void **ret, size_t *size);
    void *arg;
};

/* Copies the body of an event, {"type": …, "data": {…}}, with the member "snapshot" where it tells of an alert that is no test,
 * or with "before" and "after" where it tells of a fault. Each is an object:
 *   "url"      where the picture can be had: public_url (NULL: nothing, the path alone) and the path of REST
 *   "type", "bytes", "base64"      the picture, where that is wanted and has at most `most` bytes
 *   "reason"   why there is no picture, or no base64 although it is wanted
 * 0: *ret [*ret_size], ended by 0, is the caller's, to free(); 1: nothing is to be added, and *ret is untouched; -ENOMEM. */
int snapshot_add(char **ret, size_t *ret_size, const char *body, size_t size, enum config_snapshot wanted, size_t most,
                 const char *public_url, const struct snapshot_store *store);

#endif

/* The snapshot of an alert in the events that tell of it: the member "snapshot" of their data. It is made when an event is sent,
 * from what evidence keeps then, so no queue holds a copy. Any sink may use it; any thread. */
#ifndef MEMAED_IO_SINKS_SNAPSHOT_H
#define MEMAED_IO_SINKS_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "core/record.h"
#include "io/config/config.h"

/* Names an alert's evidence. */
struct snapshot_alert {
    uint64_t id;
    int64_t opened_us;          /* UTC */
    char camera[RECORD_NAME_SIZE];
};

/* The place that snapshots are read from. */
struct snapshot_store {
    /* Finds the alert's JPEG, and reads it if it has at most `most` bytes and ret is not NULL: *ret is the caller's, by malloc(),
     * else untouched. *size is that of the file. 0; -ENOENT: there is none (any more); another -errno. May wait for the disk.
     * NULL: events carry no snapshots. */
    int (*read)(void *arg, const struct snapshot_alert *alert, size_t most, void **ret, size_t *size);
    void *arg;
};

/* Copies the body of an event, {"type": …, "data": {…}}, with the member where it tells of an alert that is no test:
 *   "url"      where the picture can be had: public_url (NULL: nothing, the path alone) and the path of REST
 *   "type", "bytes", "base64"      the picture, where it is wanted and has at most `most` bytes
 *   "reason"   why there is no picture, or no base64 although it is wanted
 * 0: *ret [*ret_size], ended by 0, is the caller's, to free(); 1: nothing is to be added, and *ret is untouched; -ENOMEM. */
int snapshot_add(char **ret, size_t *ret_size, const char *body, size_t size, enum config_snapshot wanted, size_t most,
                 const char *public_url, const struct snapshot_store *store);

#endif

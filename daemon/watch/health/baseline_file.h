/* The bytes of a baseline file: what a camera is like without a fault (core/health/health.h), and of which pictures. A file that
 * is damaged, of another build, or of other pictures is refused, so the camera is learned anew.
 *
 * Pure; any thread. Numbers are as this machine holds them: a file is read where it was written. */
#ifndef MEMAED_DAEMON_WATCH_HEALTH_BASELINE_FILE_H
#define MEMAED_DAEMON_WATCH_HEALTH_BASELINE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/health/health.h"
#include "io/config/config.h"

/* No file is larger. */
enum { BASELINE_FILE_MOST = 2 << 20 };

/* The pictures that a baseline belongs to. */
struct baseline_basis {
    double fps;                 /* analysed a second; 0: every picture */
    int32_t height, width;
    uint64_t address, masks;    /* hashes: of the source without user, password and other secrets; of the masks */
};

struct baseline_basis baseline_basis_of(const struct config_camera *camera, int height, int width, double fps);

/* Writes what health has learned: *ret [*size] is the caller's, by malloc(). 0 or -ENOMEM. */
int baseline_file_write(void **ret, size_t *size, const struct baseline_basis *basis, const struct health *health);
/* Has health go on with what the file says. 0; -EBADMSG: the file is damaged or of another build; -ESTALE: its pictures were
 * others. err has the cause, and health is untouched then. */
int baseline_file_read(struct health *health, const struct baseline_basis *basis, const void *data, size_t size,
                       struct error *err);

#endif

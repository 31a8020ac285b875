/* Opens the cameras of a configuration as `memaed run` does, CONNECT_AT_ONCE at a time. A result says what a camera gave
 * within CONNECT_MEASURE_US after its first picture. A reading of a file ends after CONNECT_PICTURES pictures, too.
 *
 * One thread of the caller opens, asks and closes; the cameras are read on threads "connect-1" … Never logs. */
#ifndef MEMAED_DAEMON_WATCH_CONNECT_CAMERAS_H
#define MEMAED_DAEMON_WATCH_CONNECT_CAMERAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "daemon/watch/check.h"
#include "io/config/config.h"
#include "io/video/source.h"

enum { CONNECT_AT_ONCE = 8, CONNECT_PICTURES = 100 };
/* Long enough for io/video/timing to judge three windows of time stamps. */
#define CONNECT_MEASURE_US INT64_C(4000000)

/* The outcome of signing in by user and password. */
enum connect_sign_in {
    CONNECT_NO_SIGN_IN,         /* none is configured */
    CONNECT_SIGNED_IN,          /* the camera refuses clients without user and password, and accepted these */
    CONNECT_NOT_ASKED,          /* the camera can be opened without them, too */
    CONNECT_SIGN_IN_UNKNOWN,    /* they were sent; the camera did not open again without them, for another reason */
};

struct connect_result {
    int status;                 /* 0: a picture came; -EINTR: ended before; another -errno: why none came */
    struct error err;           /* with a status below 0; holds no secret */
    int64_t opened_us;          /* how long opening took; 0: it failed */
    int64_t first_us;           /* from the start of opening to the first picture; 0: none came */
    int64_t ended_us;           /* from the start of opening to the end of reading */
    float brightest;            /* the highest 95th percentile of the gray levels of a picture */
    bool ended;                 /* the source ended by itself */
    struct source_stats stats;  /* of the whole reading */
    enum connect_sign_in sign_in;       /* with status 0 */
};

struct connect_cameras;

/* Starts to read the cameras, in their order. config and models (whose files are loaded) are borrowed until close. changed_fd,
 * an eventfd, is written whenever connect_cameras_turn() is to be called. 0, or -errno with the cause in err. */
int connect_cameras_open(struct connect_cameras **ret, const struct config *config, const struct check_models *models,
                         int changed_fd, struct error *err);

/* Ends the readings whose time is over. Returns when it is to be called next (CLOCK_MONOTONIC, us); INT64_MAX: when changed_fd
 * is written. */
int64_t connect_cameras_turn(struct connect_cameras *cameras);

/* The result of camera i; NULL: not yet. Valid until close. */
const struct connect_result *connect_cameras_result(const struct connect_cameras *cameras, size_t i);

/* Ends all readings and waits for the threads until deadline_us (CLOCK_MONOTONIC). Takes NULL. false: a thread is stuck in the
 * look-up of a name and goes on using config, models and changed_fd; nothing is freed then. */
bool connect_cameras_close(struct connect_cameras *cameras, int64_t deadline_us);

#endif

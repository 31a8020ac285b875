/* Recording a camera for learning: plays its source into footage, and again after every loss, with the daemon's back-off
 * (daemon/base/backoff.h), until there is enough. The calling thread; SIGINT and SIGTERM, which set *stop, end a wait at once. */
#ifndef MEMAED_DAEMON_LEARN_RECORDER_H
#define MEMAED_DAEMON_LEARN_RECORDER_H

#include <stdatomic.h>

#include "io/config/config.h"
#include "io/footage/footage.h"

/* Until footage, opened with `keep`, holds `seconds` in all, or a local file is at its end (0). Logs losses, and once a minute
 * how much there is. -EINTR when told to stop, -ENOENT and the like where a file can't be played, what keeping returns
 * (-EFBIG, -ENOSPC); err names the cause. */
int recorder_run(struct footage *footage, const struct config_camera *camera, double seconds, const atomic_bool *stop,
                 struct error *err);

#endif

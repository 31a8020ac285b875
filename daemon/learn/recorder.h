/* Records a camera for learning. Plays its source into footage until there is enough. A lost stream is opened again after
 * the daemon's delays (daemon/base/backoff.h). Runs on the calling thread. SIGINT and SIGTERM, whose handlers set *stop,
 * end a wait at once. */
#ifndef MEMAED_DAEMON_LEARN_RECORDER_H
#define MEMAED_DAEMON_LEARN_RECORDER_H

#include <stdatomic.h>

#include "io/config/config.h"
#include "io/footage/footage.h"

enum { RECORDER_TRIES = 3 };

/* Records until footage, which was opened with `keep` at path, holds `seconds` in all, or until a local file ends. Logs how
 * much is there and how much of it was damaged, and once a minute how much is recorded. It logs a loss at once, again when its
 * reason changes, and every further minute. A local file that is not recorded whole is played from its beginning again. It
 * then replaces what is recorded, so that no part is recorded twice. Returns 0; -EINTR once told to stop; -EINVAL if no camera
 * has such an address; -ENOENT or another errno if a file cannot be played; -EFBIG, -ENOSPC or -EIO if frames cannot be kept.
 * -EACCES: the camera refused user and password RECORDER_TRIES times in a row, before any picture came. That does not heal by
 * itself. err names the cause. */
int recorder_run(struct footage *footage, const struct config_camera *camera, const char *path, double seconds,
                 const atomic_bool *stop, struct error *err);

#endif

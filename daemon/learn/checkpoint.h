/* A training that was interrupted, as a file: a safetensors file with the model, both moments of the optimizer, and in its
 * metadata the generator, the counts, and what it all belongs to (architecture, options, footage). Resuming from it equals
 * not having been interrupted, bit for bit, on the same kind of CPU with the same number of threads. The calling thread. */
#ifndef MEMAED_DAEMON_LEARN_CHECKPOINT_H
#define MEMAED_DAEMON_LEARN_CHECKPOINT_H

#include <jansson.h>

#include "core/network/training.h"

/* Writes to a temporary file beside path, syncs, renames. belongs is an object; seconds is the time trained so far. 0 or a
 * negative errno with the cause in err: what stood at path still stands. */
int checkpoint_save(const char *path, const struct model *model, struct training *training, const json_t *belongs,
                    double seconds, struct error *err);

/* Into model and training, both just opened with what belongs tells. 0; -ENOENT where there is no file; -EINVAL where it is
 * damaged, or made with other options or of other footage (err names the first that differs); then both are of no use. */
int checkpoint_load(const char *path, struct model *model, struct training *training, const json_t *belongs,
                    double *seconds, struct error *err);

#endif

/* The state of a training as a file, so that an interrupted run can be resumed. It is a safetensors file with the model and
 * both moments of the optimizer as tensors. Its metadata holds the random generator, the counters, and the run that the
 * checkpoint belongs to: architecture, options, footage. A resumed run equals an uninterrupted one bit for bit, on the same
 * kind of CPU with the same number of threads. Runs on the calling thread. */
#ifndef MEMAED_DAEMON_LEARN_CHECKPOINT_H
#define MEMAED_DAEMON_LEARN_CHECKPOINT_H

#include <jansson.h>

#include "core/network/training.h"

/* Writes to a temporary file beside path, syncs it, renames it. belongs is a JSON object that identifies the run. seconds is
 * the time trained so far. Returns 0, or a negative errno with the cause in err; the file at path is then unchanged. */
int checkpoint_save(const char *path, const struct model *model, struct training *training, const json_t *belongs,
                    double seconds, struct error *err);

/* Reads a checkpoint into model and training, which were opened with the options in `belongs`. Returns 0; -ENOENT if there
 * is no file; -EINVAL if the file is damaged, or belongs to other options or footage (err names the first difference);
 * -ENOMEM, or another errno of reading the file. After -EINVAL, model and training must not be used. */
int checkpoint_load(const char *path, struct model *model, struct training *training, const json_t *belongs,
                    double *seconds, struct error *err);

#endif

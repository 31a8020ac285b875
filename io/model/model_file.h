/* Models as files (docs/model-format.md): safetensors, with JSON in the metadata for the architecture, the calibration and
 * the training. Any thread.
 *
 * io/model/calibration_json.h documents memae.calibration, io/model/still_json.h memae.still. memae.training is an object
 * whose keys the writer chooses. `model show` prints them and reads "slots_used", an integer: the slots that the addressing
 * used. `model prototypes` reads "slot_use": the share of each slot. The object must hold no credentials. */
#ifndef MEMAED_IO_MODEL_MODEL_FILE_H
#define MEMAED_IO_MODEL_MODEL_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/network/model.h"
#include "core/score/calibration.h"
#include "core/still/still.h"

struct model_file {
    struct model *model;                /* owned */
    bool has_calibration;
    struct calibration calibration;
    struct still_memory *still;         /* owned; NULL: the model does not know what stands still */
    json_t *training;                   /* memae.training as in the file, or NULL; owned */
};

/* Loads a file and checks everything: the format, JSON, architecture, names and shapes of tensors, and that values are
 * finite.
 * 0: *ret is the caller's, to be freed by model_file_clear(). -errno if the file cannot be read, -EINVAL after a failed check,
 * -ENOMEM. *ret is untouched then, and err names the file, the tensor or key, and what was expected and given. */
int model_file_load(struct model_file *ret, const char *path, struct error *err);
/* The same on bytes in memory, which are borrowed for the call. name replaces the path in err. */
int model_file_load_memory(struct model_file *ret, const void *data, size_t size, const char *name, struct error *err);
void model_file_clear(struct model_file *file);         /* takes NULL, and zeros */

/* Writes a file atomically (safetensors_write). calibration, still and training may be NULL. A model that could not be loaded
 * again is -EINVAL: values that are not finite, or a calibration that fails its checks. After a failure the file at path is
 * as before. */
int model_file_save(const char *path, const struct model *model, const struct calibration *calibration,
                    const struct still_memory *still, const json_t *training, struct error *err);

/* An architecture from and to the JSON of docs/model-format.md. arch_from_json() refuses unknown keys, wrong types and
 * wrong ranges, and runs arch_shapes(); err names the place ("encoder[2]: kernel[0]: …"). Optional keys and their defaults:
 * output_padding (0), norm (none), activation (none), slope (0.2), temperature (1); for a table also mean (0) and std (1). */
int arch_from_json(struct arch *ret, const json_t *json, struct error *err);
json_t *arch_to_json(const struct arch *arch);          /* the caller's reference; NULL: memory is short */
/* A shape as in the file: [channels, frames, height, width] for video, [channels, height, width] for images, [features] for
 * tables. */
json_t *dims_to_json(enum input_kind kind, struct dims dims);
/* Reads an architecture from a JSON file. 0; -errno if it cannot be read; -EINVAL with the place in err. */
int arch_load(struct arch *ret, const char *path, struct error *err);

/* The share of the score's cells that masks hid when the model was calibrated, as memae.training has it; 0 where it does not
 * tell. */
double model_file_masked(const struct model_file *file);

#endif


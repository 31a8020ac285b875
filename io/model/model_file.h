/* Models as files (docs/model-format.md): safetensors with the architecture, the calibration and the story of their
 * making as JSON in the metadata. Any thread.
 *
 * memae.calibration is told in io/model/calibration_json.h. memae.training is an object of the writer's choice; `model show` prints
 * its keys, and takes "slots_used" (an integer) for the slots that the addressing used, `model prototypes` "slot_use" for each
 * slot's share. It must hold no credentials. */
#ifndef MEMAED_IO_MODEL_MODEL_FILE_H
#define MEMAED_IO_MODEL_MODEL_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/network/model.h"
#include "core/score/calibration.h"

struct model_file {
    struct model *model;                /* owned */
    bool has_calibration;
    struct calibration calibration;
    json_t *training;                   /* memae.training as it stands, or NULL; owned */
};

/* Loads and checks everything: file, JSON, architecture, names and shapes of tensors against it, finite values. 0 or
 * -errno / -EINVAL / -ENOMEM; err names file, tensor or key, expected, found. ret is fully written on success and
 * untouched on failure; model_file_clear() frees what it holds. */
int model_file_load(struct model_file *ret, const char *path, struct error *err);
/* The same on bytes in memory, borrowed for the call; name stands for the path in errors. */
int model_file_load_memory(struct model_file *ret, const void *data, size_t size, const char *name, struct error *err);
void model_file_clear(struct model_file *file);         /* takes NULL, and what is zero */

/* Writes atomically (safetensors_write). calibration and training may be NULL. What could not be loaded again (values
 * that are not finite, a calibration that fails its checks) is -EINVAL, and the file at path stays as it was. */
int model_file_save(const char *path, const struct model *model, const struct calibration *calibration,
                    const json_t *training, struct error *err);

/* The JSON of model-format.md, both ways. arch_from_json refuses unknown keys, wrong types and ranges, naming the place
 * ("encoder[2]: kernel[0]: …"), and runs arch_shapes(). May be left out: output_padding (0), norm, activation, slope
 * (0.2), temperature (1); of a table mean (0) and std (1). */
int arch_from_json(struct arch *ret, const json_t *json, struct error *err);
json_t *arch_to_json(const struct arch *arch);          /* the caller's reference; NULL: out of memory */
/* A shape as the file has it: [channels, frames, height, width] of a video, [channels, height, width] of an image,
 * [features] of a table. */
json_t *dims_to_json(enum input_kind kind, struct dims dims);
/* An architecture from a JSON file. */
int arch_load(struct arch *ret, const char *path, struct error *err);

#endif


/* memaed model prototypes: draws the memory's slots as pictures, as in the figure of Gong et al., ICCV 2019. Each slot in
 * turn answers every query, and the decoder's output is the picture. Calling thread. */
#ifndef MEMAED_DAEMON_MODEL_PROTOTYPES_H
#define MEMAED_DAEMON_MODEL_PROTOTYPES_H

#include "core/error.h"
#include "io/model/model_file.h"

/* Writes the first `limit` slots (0: all) to folder as RANK-slotSLOT.png, of a model of video (its centre frame) or of
 * images with 1 or 3 channels. Makes the folder if it does not exist. If memae.training has "slot_use", slots come in
 * falling order of use (*by_use becomes true), else by number. *written: how many pictures.
 *
 * Returns 0; -EINVAL if the model has no memory or no pictures, or "slot_use" is not one number for each slot; -ENOMEM; or the
 * errno of mkdir() or png_write(). err names the cause. */
int prototypes_write(const struct model_file *file, const char *folder, int limit, int *written, bool *by_use,
                     struct error *err);

#endif

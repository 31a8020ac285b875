/* memaed model prototypes: the memory's slots as pictures, as in the figure of Gong et al., ICCV 2019: every query is
 * answered by the one slot, and the decoder makes of that what it makes of a picture that holds nothing else. */
#ifndef MEMAED_DAEMON_MODEL_PROTOTYPES_H
#define MEMAED_DAEMON_MODEL_PROTOTYPES_H

#include "core/error.h"
#include "io/model/model_file.h"

/* Writes the first `limit` (0: all) slots of a model of video (the centre frame) or of images, 1 channel or 3, to FOLDER
 * (made where it is not there) as RANK-slotSLOT.png, by falling share of weight where memae.training has "slot_use",
 * otherwise by number. *written: how many; *by_use: by which order. 0; -EINVAL, with the cause, for a model without memory
 * or pictures and for a "slot_use" that is not one share for each slot; -ENOMEM; what mkdir and png_write() return. */
int prototypes_write(const struct model_file *file, const char *folder, int limit, int *written, bool *by_use,
                     struct error *err);

#endif

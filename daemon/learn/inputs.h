/* Reads footage that the command line names: a list of paths and URLs. memae.training keeps which footage a calibration was
 * measured on, so that `memaed calibrate --add` can read it again. */
#ifndef MEMAED_DAEMON_LEARN_INPUTS_H
#define MEMAED_DAEMON_LEARN_INPUTS_H

#include <jansson.h>

#include "daemon/base/options.h"
#include "io/footage/footage.h"

/* Appends all inputs to the footage, in their order. Returns as footage_add(), or -EINVAL if no model can have the footage's
 * rate, or if it is less than asked. asked is --fps; 0: not given. */
int inputs_read(const struct option_list *inputs, struct footage *footage, double asked, struct error *err);

/* Logs that a file of a folder is skipped; for footage_options.skipped. */
void inputs_log_skipped(const char *reason);

/* Logs that an input has another aspect or rate than it should; for footage_options.warned. */
void inputs_log_warned(const char *reason);

/* Returns a list of the inputs' names (source_name()). The caller's reference; NULL: out of memory. */
json_t *inputs_to_json(const struct option_list *inputs);

/* Returns {"paths", "frames", "first": {"begin", "end", "from", "to"}}. paths: absolute paths, or names of other URLs. before:
 * NULL, or the object of footage whose paths come first. frames: in all. first: the part of the first frames that is calibrated
 * on. All frames from first->all.end on are calibrated on, too. The caller's reference; NULL: out of memory. */
json_t *inputs_calibrated(const json_t *before, const struct option_list *inputs, size_t frames,
                          const struct footage_part *first);

/* Appends the footage of such an object to the footage, which is empty. Sets *first. Returns 0, or as footage_add(). -ENODATA:
 * calibrated is NULL or null, because no file holds the footage any more. -EINVAL: the object is damaged, or its files have
 * another number of frames than before. err names the cause. */
int inputs_read_calibrated(const json_t *calibrated, struct footage *footage, struct footage_part *first, struct error *err);

#endif

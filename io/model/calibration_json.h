/* The JSON of memae.calibration in a model file (docs/model-format.md). It is an object whose keys are the fields of struct
 * calibration, and all of these are required:
 *   {"fps": 10, "threshold": 0.12, "close_threshold": 0.1, "median": 0.05, "p99": 0.08, "maximum": 0.09, "windows": 400}
 * All are finite; fps > 0, close_threshold <= threshold, and windows is an integer of 0 or more.
 *
 * Five more keys are optional. "score" is struct score_spec, "tail" struct tail. "deciles" has a list for each voice, only beside
 * a score. "int8" is struct calibration_int8; its ranges are the lists "low" and "high", in the order of struct ranges. "static"
 * is struct static_limits, only beside a score; its "limits" is a list for each light.
 * An optional object is complete if it is there. Any other key is a fault, because it could change the meaning of these.
 * Any thread. */
#ifndef MEMAED_IO_MODEL_CALIBRATION_JSON_H
#define MEMAED_IO_MODEL_CALIBRATION_JSON_H

#include <jansson.h>

#include "core/error.h"
#include "core/network/arch.h"
#include "core/score/calibration.h"

/* Reads and checks all of it. The model's arch decides the channels of int8 and the cells of score and static. json is
 * borrowed for the call.
 * 0, or -EINVAL with *ret untouched; err names the key, and what was expected and given ("tail: window: scale: …"). */
int calibration_from_json(struct calibration *ret, const struct arch *arch, const json_t *json, struct error *err);

/* The same checks of values before they are written. 0 or -EINVAL. A score whose windows are too small for cells is refused by
 * reading alone. */
int calibration_check(const struct calibration *calibration, const struct arch *arch, struct error *err);

/* The caller's reference. NULL: memory is short, or a number is not finite. */
json_t *calibration_to_json(const struct calibration *calibration, const struct arch *arch);

#endif

/* memae.calibration of a model file (docs/model-format.md): an object with the fields of struct calibration as keys, all of
 * them:
 *   {"fps": 10, "threshold": 0.12, "close_threshold": 0.1, "median": 0.05, "p99": 0.08, "maximum": 0.09, "windows": 400}
 * fps > 0, close_threshold <= threshold, windows an integer of 0 or more, all finite. There may be besides "score" (struct
 * score_spec), "tail" (struct tail), "int8" (struct calibration_int8, its ranges as lists "low" and "high" in the order of
 * struct ranges) and, beside a score, "static" (struct static_limits, "limits" a list for each light), whole or not at all.
 * Another key is refused: it could change what these mean. Any thread. */
#ifndef MEMAED_IO_MODEL_CALIBRATION_JSON_H
#define MEMAED_IO_MODEL_CALIBRATION_JSON_H

#include <jansson.h>

#include "core/error.h"
#include "core/network/arch.h"
#include "core/score/calibration.h"

/* Reads and checks all of it, against the model's arch where that decides: channels of int8, cells of score and static. 0, or
 * -EINVAL (ret untouched); err names the key ("tail: window: scale: …"), expected and found. json is borrowed for the call. */
int calibration_from_json(struct calibration *ret, const struct arch *arch, const json_t *json, struct error *err);

/* The same checks of values, before they are written; -EINVAL. That windows are too small to have cells is refused on reading
 * alone. */
int calibration_check(const struct calibration *calibration, const struct arch *arch, struct error *err);

/* The caller's reference; NULL: out of memory, or not finite. */
json_t *calibration_to_json(const struct calibration *calibration);

#endif

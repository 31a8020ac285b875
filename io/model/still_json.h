/* The JSON of memae.still in a model file: the memory of what stands still (struct still_memory). It is an object with the keys
 * "boundary" (a number), "exemplars" (of a block, a light and a part) and "lights", a list of 1 or 2. A light that is unknown is
 * null. A known one has the keys "least", "most", "largest" (a list for each part), "rare" and "exemplars". The exemplars are
 * bytes in base64: [parts, rows, columns, exemplars, SLOW_VALUES] in 8 bits, signed. All keys are required, and any other is a
 * fault. Any thread. */
#ifndef MEMAED_IO_MODEL_STILL_JSON_H
#define MEMAED_IO_MODEL_STILL_JSON_H

#include <jansson.h>

#include "core/error.h"
#include "core/network/arch.h"
#include "core/still/still.h"

/* Reads and checks all of it, for a network of that arch. 0, or -EINVAL with *ret untouched; err names the key, and what was
 * expected and given; or -ENOMEM. */
int still_from_json(struct still_memory *ret, const struct arch *arch, const json_t *json, struct error *err);
/* The same checks of values before they are written. 0 or -EINVAL. */
int still_check(const struct still_memory *memory, const struct arch *arch, struct error *err);
/* The caller's reference; NULL: memory is short. */
json_t *still_to_json(const struct still_memory *memory);

#endif

/* An explanation (core/explanation.h) as JSON, the same for `memaed explain` and REST. Any thread. */
#ifndef MEMAED_IO_BASE_EXPLANATION_JSON_H
#define MEMAED_IO_BASE_EXPLANATION_JSON_H

#include <jansson.h>

#include "core/explanation.h"

/* A new reference that the caller owns; NULL: memory is short. */
json_t *explanation_json(const struct explanation *explanation);

#endif

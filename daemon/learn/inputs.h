/* Footage as a command line names it: paths and URLs. */
#ifndef MEMAED_DAEMON_LEARN_INPUTS_H
#define MEMAED_DAEMON_LEARN_INPUTS_H

#include <jansson.h>
#include <stddef.h>

#include "io/footage/footage.h"

struct inputs {
    const char **urls;          /* the caller's, with room for what is appended */
    size_t n;
};

void inputs_append(struct inputs *inputs, const char *url);

/* Appends them to the footage, in their order; as footage_add(). */
int inputs_read(const struct inputs *inputs, struct footage *footage, struct error *err);

/* Their names (source_name()); the caller's reference, or NULL: out of memory. */
json_t *inputs_to_json(const struct inputs *inputs);

#endif

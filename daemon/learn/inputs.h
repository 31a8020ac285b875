/* Footage as the command line names it: a list of paths and URLs. */
#ifndef MEMAED_DAEMON_LEARN_INPUTS_H
#define MEMAED_DAEMON_LEARN_INPUTS_H

#include <jansson.h>

#include "daemon/base/options.h"
#include "io/footage/footage.h"

/* Appends all inputs to the footage, in their order. Returns as footage_add(). */
int inputs_read(const struct option_list *inputs, struct footage *footage, struct error *err);

/* Their names (source_name()). The caller's reference; NULL: out of memory. */
json_t *inputs_to_json(const struct option_list *inputs);

#endif

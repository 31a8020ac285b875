/* Reads the keys of a mapping, for the types of the table that have keys of their own. Only io/config uses this; one thread. */
#ifndef MEMAED_IO_CONFIG_CONFIG_KEYS_H
#define MEMAED_IO_CONFIG_CONFIG_KEYS_H

#include "io/config/config_table.h"
#include "io/config/config_value.h"

/* The result of reading one key of a scope; arrays of it are indexed as the table. */
struct config_outcome {
    const struct config_node *node;     /* NULL: absent */
    int line, column;
    bool bad;
};

/* Reads the keys of a scope into target, reports faults and sets defaults. node: the mapping; NULL or empty: no key is
 * given. line, column: the place for a fault of a missing key. prefix: "cameras.gate.". */
void config_read_keys(struct config_loader *loader, enum config_scope scope, const struct config_node *node, int line,
                      int column, const char *prefix, void *target, struct config_outcome outcomes[static CONFIG_N_KEYS]);
/* The outcome of a key that the table has. */
const struct config_outcome *config_outcome_of(const struct config_outcome outcomes[static CONFIG_N_KEYS],
                                               enum config_scope scope, const char *name);
/* Returns true if the value is a mapping. No value counts as an empty mapping; any other value is reported. */
bool config_is_mapping(const struct config_value *value);
/* Reports webhooks that ask for cameras or zones which do not exist. Cameras may stand behind webhooks in the file. */
void config_check_webhooks(struct config_loader *loader);

#endif

/* YAML as a tree of nodes that know where they stand, by libyaml's parser. Only what a configuration needs: one document
 * of mappings, sequences and scalars; aliases, anchors and tags are faults, so that a small file can't grow into a large
 * tree. Scalars stay text: what they mean is for the one who asks. Any thread; one tree is one thread's. */
#ifndef MEMAED_IO_CONFIG_CONFIG_YAML_H
#define MEMAED_IO_CONFIG_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_YAML_MAX_SIZE = 1 << 20 /* bytes */, CONFIG_YAML_MAX_DEPTH = 16, CONFIG_YAML_MAX_NODES = 50000 };

enum config_node_type { CONFIG_SCALAR, CONFIG_MAPPING, CONFIG_SEQUENCE };

struct config_node {
    enum config_node_type type;
    int line, column;               /* from 1; columns count characters */
    bool plain;                     /* scalar: written without quotes */
    bool bad;                       /* a fault was already reported here; its value means nothing */
    char *text;                     /* scalar: UTF-8 without NUL; else NULL */
    struct config_node **items;     /* sequence: its items; mapping: key, value, key, value …; keys are scalars */
    size_t n;                       /* of items */
};

typedef void config_yaml_fault(void *arg, int line, int column, const char *text);

/* Parses size bytes, which are borrowed for the call. Faults go to fault(arg, …) with libyaml's own words where the
 * syntax is wrong, and never hold text of the document.
 * 0: *ret is the caller's, or NULL where the document is empty; faults beside the syntax may have been reported.
 * -EINVAL: the syntax or a limit, reported; *ret untouched. -ENOMEM: *ret untouched. */
int config_yaml_parse(struct config_node **ret, const void *data, size_t size, config_yaml_fault *fault, void *arg);
void config_node_free(struct config_node *node);    /* takes NULL; wipes every text */

#endif

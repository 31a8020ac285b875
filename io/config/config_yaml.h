/* YAML as a tree of nodes with their places, by libyaml's parser. It supports what a configuration needs: one document of
 * mappings, sequences and scalars. Aliases, anchors and tags are faults, so a small file cannot become a large tree. Scalars
 * stay text, and the caller interprets them. Any thread; one tree belongs to one thread. */
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
    bool bad;                       /* a fault of this node was reported already; the value is meaningless */
    char *text;                     /* scalar: UTF-8 without NUL; else NULL */
    struct config_node **items;     /* sequence: its items; mapping: key, value, key, value …; keys are scalars */
    size_t n;                       /* of items */
};

typedef void config_yaml_fault(void *arg, int line, int column, const char *text);

/* Parses size bytes, which are borrowed for the call. Faults go to fault(arg, …). Those of syntax have the words of
 * libyaml. No fault holds text of the document.
 * 0: *ret is the caller's, NULL for an empty document; faults other than syntax may have been reported. -EINVAL: a fault of
 * syntax or a limit was reported, or -ENOMEM; *ret untouched. */
int config_yaml_parse(struct config_node **ret, const void *data, size_t size, config_yaml_fault *fault, void *arg);
void config_node_free(struct config_node *node);    /* takes NULL; overwrites every text */

#endif

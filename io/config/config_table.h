/* The table of the configuration's keys: the scope of each, its type, range, default and help. config_key() shows it to
 * other rooms. Only io/config uses this header. Constant. */
#ifndef MEMAED_IO_CONFIG_CONFIG_TABLE_H
#define MEMAED_IO_CONFIG_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct config_type;

enum config_scope {
    CONFIG_ROOT, CONFIG_HTTP, CONFIG_ALERTS, CONFIG_SCORES, CONFIG_EVIDENCE, CONFIG_HEALTH, CONFIG_CAMERA, CONFIG_ALERT,
    CONFIG_MASK, CONFIG_ZONE, CONFIG_CAMERA_EVIDENCE, CONFIG_CAMERA_HEALTH, CONFIG_WEBHOOK
};

struct config_row {
    enum config_scope scope;
    const char *name;
    const struct config_type *type;
    size_t offset;                      /* of the field in the scope's struct */
    double min, max;
    const char *fallback;               /* the value of an absent key, as in the file; or NULL */
    const char *absent;                 /* without fallback: what an absent key means, in words */
    bool required;
    size_t given, line, column;         /* 1 + the offset of a bool and two ints: whether and where it is given; 0: none */
    const char *help;
};

enum { CONFIG_N_KEYS = 106 };
extern const struct config_row config_rows[];               /* [CONFIG_N_KEYS], in the order of the file */
extern const char *const config_scope_paths[];              /* by scope: "cameras.NAME." */

#endif

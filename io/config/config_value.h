/* The types of the configuration's table: they turn text into values, and report text that is wrong. Only io/config uses
 * this; one thread. */
#ifndef MEMAED_IO_CONFIG_CONFIG_VALUE_H
#define MEMAED_IO_CONFIG_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "io/config/config.h"
#include "io/config/config_fault.h"
#include "io/config/config_table.h"
#include "io/config/config_yaml.h"

struct config_loader {
    struct config *config;              /* the configuration to fill */
    struct config_faults faults;
    char *folder;                       /* of the file: relative paths start here */
    bool unlearned;                     /* models may be absent */
};

/* One value that a type is to parse. */
struct config_value {
    struct config_loader *loader;
    const struct config_row *row;
    const struct config_node *node;     /* NULL: the key is absent, and its type has keys of its own */
    int line, column;
    const char *path;                   /* "cameras.gate.fps" */
    char *text;                         /* scalar: its text with ${NAME} replaced; borrowed for the call */
};

/* expected: the right values in words; " from MIN to MAX" is appended if the row has a range. scalar: parse() gets a text
 * that is not empty. parse() writes the value to target, the field of the row; on a fault it reports that and returns
 * false. */
struct config_type {
    const char *expected;
    bool scalar;
    bool (*parse)(const struct config_value *value, void *target);
};

extern const struct config_type
    config_type_whole, config_type_number, config_type_bool, config_type_path, config_type_name, config_type_file,
    config_type_source, config_type_stream, config_type_model,
    config_type_transport, config_type_precision, config_type_static, config_type_isolation, config_type_workers,
    config_type_listen, config_type_names, config_type_url, config_type_base_url, config_type_snapshot, config_type_secret,
    config_type_secret_file, config_type_old_secret, config_type_old_secret_file, config_type_user, config_type_password,
    config_type_password_file, config_type_events, config_type_camera_names, config_type_zone_names, config_type_zone,
    config_type_armed, config_type_zone_name, config_type_points, config_type_kinds;
/* Types with keys of their own. */
extern const struct config_type
    config_type_http, config_type_alerts, config_type_scores, config_type_evidence, config_type_health, config_type_alert,
    config_type_masks, config_type_zones, config_type_cameras, config_type_webhooks;

/* The values that a row takes, in words: "a number from 0.1 to 120". */
void config_expected(const struct config_row *row, char *out, size_t size);
/* Reports "expected EXPECTED, got GOT" with the row's values and the formatted text. Returns false, so that a parser can
 * return it. */
bool config_got(const struct config_value *value, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "a mapping", "a list" or "a single value". */
const char *config_kind(const struct config_node *node);

/* Reads the whole text as a number, in decimal. */
bool config_read_number(const char *text, bool whole, double *ret);
/* Returns true if the file has no value there: nothing, ~ or null. */
bool config_is_null(const struct config_node *node);
/* The text of a scalar with every ${NAME} replaced. The caller frees it by config_wipe(). NULL: a fault was reported, or
 * memory is short. */
char *config_expand(const struct config_value *value);
/* NULL: memory is short, which the loader notes. */
char *config_copy(struct config_loader *loader, const char *text);
void config_wipe(char *text);           /* overwrites the text and frees it; takes NULL */
/* The path, with the file's folder before a relative one. The caller's. NULL: memory is short, which the loader notes. */
char *config_resolve(struct config_loader *loader, const char *path);
/* A path for a fault. If the environment is part of it, the text of the file is shown instead. */
const char *config_show_path(struct config_shown *shown, const struct config_value *value, const char *path);
/* Returns true if the text of a value is a URL with a password in it: before the host, or as NAME=VALUE that redact() would
 * hide. The value of a ${NAME} does not count. */
bool config_holds_password(const char *text);
/* Returns true if the text of a value holds more than ${NAME}s. */
bool config_holds_text(const char *text);
/* Copies the name of a zone. Returns false, *ret "", if it is none: config_zone_names says what one is. */
bool config_zone_name(char ret[static ZONE_NAME_SIZE], const char *text);
extern const char config_zone_names[];
/* Reads a list of names, each given once, as a set of bits: 1u << the number of each. */
struct config_names {
    const char *words;                  /* all, for faults: "a, b or c" */
    int n;
    const char *(*name)(int i);
};
bool config_read_set(const struct config_value *value, const struct config_names *names, unsigned *ret);
/* Returns true if FFmpeg takes the beginning for a protocol, "scheme:". */
bool config_has_scheme(const char *text);

#endif

/* The types of the configuration's table: what text becomes which value, and what is wrong where it does not. For the
 * parts of the configuration alone; one thread. */
#ifndef MEMAED_IO_CONFIG_CONFIG_VALUE_H
#define MEMAED_IO_CONFIG_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "io/config/config.h"
#include "io/config/config_fault.h"
#include "io/config/config_table.h"
#include "io/config/config_yaml.h"

struct config_loader {
    struct config *config;              /* what is being filled */
    struct config_faults faults;
    char *folder;                       /* where relative paths start */
    bool unlearned;                     /* models need not be there */
};

/* One value on its way into the configuration. */
struct config_value {
    struct config_loader *loader;
    const struct config_row *row;
    const struct config_node *node;     /* NULL: absent, for types that hold keys of their own */
    int line, column;
    const char *path;                   /* "cameras.gate.fps" */
    char *text;                         /* scalar: with ${NAME} replaced */
};

/* expected: the right values in words, which " from MIN to MAX" of the row follows where the row has them. scalar: parse()
 * is given text that is not empty. target is the field. parse() reports each fault itself, and then returns false. */
struct config_type {
    const char *expected;
    bool scalar;
    bool (*parse)(const struct config_value *value, void *target);
};

extern const struct config_type
    config_type_whole, config_type_number, config_type_bool, config_type_path, config_type_source, config_type_model,
    config_type_transport, config_type_precision, config_type_static, config_type_workers, config_type_listen, config_type_url,
    config_type_secret, config_type_secret_file, config_type_events;
/* Of what holds keys of its own; in config.c. */
extern const struct config_type config_type_http, config_type_alert, config_type_cameras, config_type_webhooks;

/* The values that a row takes, in words: "a number from 0.1 to 120". */
void config_expected(const struct config_row *row, char *out, size_t size);
/* Reports "expected EXPECTED, got GOT" with the row's values and the formatted text. Returns false, so that a parser can
 * return it. */
bool config_got(const struct config_value *value, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "a mapping", "a list" or "a single value". */
const char *config_kind(const struct config_node *node);

/* No value at all: nothing, ~ or null. */
bool config_is_null(const struct config_node *node);
/* The text of a scalar with every ${NAME} replaced: the caller's, to be wiped; NULL: reported, or out of memory. */
char *config_expand(const struct config_value *value);
char *config_copy(struct config_loader *loader, const char *text);      /* NULL: out of memory, noted */
void config_wipe(char *text);                                           /* wipes and frees; takes NULL */
/* The path, from the file's folder on where it is relative. The caller's; NULL: out of memory, noted. */
char *config_resolve(struct config_loader *loader, const char *path);
/* A path for a fault: what the environment put into it is not shown. */
const char *config_show_path(struct config_shown *shown, const struct config_value *value, const char *path);
/* A name that FFmpeg takes for a protocol: "scheme:". */
bool config_has_scheme(const char *text);

#endif

/* Faults of the configuration, collected with their places and told in their order; and how text of the file may appear
 * in them. For the parts of the configuration alone; one thread. */
#ifndef MEMAED_IO_CONFIG_CONFIG_FAULT_H
#define MEMAED_IO_CONFIG_CONFIG_FAULT_H

#include <stdbool.h>
#include <stddef.h>

struct config_fault {
    int line, column;
    size_t order;
    char *text;
};

struct config_faults {
    const char *path;                   /* of the file, borrowed */
    struct config_fault *list;
    size_t n, room;
    bool out_of_memory;                 /* something was lost, here or at whoever fills a configuration */
};

/* Adds "PATH:LINE:COLUMN: KEY: cause"; key may be empty. */
void config_fault(struct config_faults *faults, int line, int column, const char *key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Tells all in the order of their places, and frees them. */
void config_faults_tell(struct config_faults *faults, void (*fault)(void *arg, const char *text), void *arg);

enum { CONFIG_MAX_SHOWN_KEY = 31 };

/* Text of the file as a fault may show it: without credentials and control characters, and not at any length. */
struct config_shown {
    char text[96];
};
const char *config_show(struct config_shown *shown, const char *text);
/* A key is shown only if it can't well be a secret that slipped into its place; else "?". */
const char *config_show_key(struct config_shown *shown, const char *key);

/* Where the nearest so far is farther from word than candidate, and candidate is near, takes it. *best starts as NULL. */
void config_nearest(const char **best, size_t *best_distance, const char *word, const char *candidate);

#endif

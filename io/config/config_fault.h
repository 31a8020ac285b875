/* Faults of the configuration are collected with their places, then reported in the order of these. The functions below show
 * text of the file in a fault. Only io/config uses this; one thread. */
#ifndef MEMAED_IO_CONFIG_CONFIG_FAULT_H
#define MEMAED_IO_CONFIG_CONFIG_FAULT_H

#include <stdbool.h>
#include <stddef.h>

struct config_fault {
    int line, column;
    size_t order;                       /* of its report: faults at one place keep it */
    char *text;                         /* the whole line */
};

struct config_faults {
    const char *path;                   /* of the configuration file, borrowed */
    struct config_fault *list;
    size_t n, room;
    bool out_of_memory;                 /* a fault, or a value of the configuration, was lost */
};

/* Adds "PATH:LINE:COLUMN: KEY: TEXT", with the formatted text; without "KEY: " if key is empty. */
void config_fault(struct config_faults *faults, int line, int column, const char *key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Calls fault(arg, text) for each in the order of their places, and frees all. */
void config_faults_tell(struct config_faults *faults, void (*fault)(void *arg, const char *text), void *arg);

enum { CONFIG_MAX_SHOWN_KEY = 31 };

/* Text of the file for a fault: credentials and control characters are hidden, and long text is cut. Returns shown->text. */
struct config_shown {
    char text[96];
};
const char *config_show(struct config_shown *shown, const char *text);
/* The same for a key. It is "?" if it could be a secret in the wrong place. */
const char *config_show_key(struct config_shown *shown, const char *key);

/* For "did you mean": *best becomes candidate if that is near to word and nearer than *best, which starts as NULL. */
void config_nearest(const char **best, size_t *best_distance, const char *word, const char *candidate);

#endif

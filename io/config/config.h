/* The configuration file of the daemon: YAML by libyaml, read through one table of key, type, range, default and help
 * (config.c), so that checking, documentation and defaults can't drift apart. Every fault is reported, not the first
 * alone, each as FILE:LINE:COLUMN with the key and what would be right. No secret stands in any fault's text.
 *
 * Keys: docs in etc/memaed.yml and memaed(1). Relative paths start at the file's folder. ${NAME} in a value is replaced
 * from the environment; a name that is not set is a fault. Plain data; read-only once loaded, then any thread. */
#ifndef MEMAED_IO_CONFIG_CONFIG_H
#define MEMAED_IO_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/event.h"
#include "core/precision.h"

struct config_alert {
    bool has_threshold;             /* else from the model's calibration */
    double threshold;
    bool has_per_day;               /* the threshold that normal footage crosses so often a day, by the calibration */
    double per_day;
    int per_day_line, per_day_column;
    bool has_close_threshold;
    double close_threshold;
    int close_threshold_line, close_threshold_column;       /* where it stands, if it does */
    int k, n;                       /* k of the last n windows */
    double cooldown_s;
};

struct config_camera {
    char *name;                     /* [a-z0-9_-]{1,64} */
    char *source;                   /* as FFmpeg takes it; may hold credentials: show only through redact() */
    char *model;                    /* path, resolved */
    bool udp;
    double fps;                     /* 0: the model's own */
    bool fps_force;
    enum precision precision;       /* wished for */
    bool compute_all;               /* windows of static scenes, too */
    int stride;
    bool loop;
    double stall_timeout_s;
    int backlog;                    /* frames that may wait for a worker */
    struct config_alert alert;
    int line, column;               /* of the camera's name in the file */
    /* For faults that only the loaded model shows; 0: absent. */
    int model_line, model_column, fps_line, fps_column, precision_line, precision_column;
};

struct config_webhook {
    char *url;
    unsigned char secret[64];       /* decoded; 24 to 64 bytes */
    size_t secret_size;             /* 0: none, sent unsigned */
    unsigned events;                /* event_bit() of each type that is posted (core/event.h) */
    double timeout_s;
};

/* Owns every text and array below it. */
struct config {
    atomic_uint references;         /* by config_ref() and config_unref() alone */
    char *path;
    char *state_dir;
    char *listen_address;           /* "127.0.0.1", "::1" */
    int listen_port;                /* 0: any free one */
    int workers;                    /* 0: auto */
    struct config_camera *cameras;
    size_t n_cameras;
    struct config_webhook *webhooks;
    size_t n_webhooks;
};

enum { CONFIG_MAX_CAMERAS = 1024, CONFIG_MAX_WEBHOOKS = 64, CONFIG_EXPECTED_SIZE = 160 };

/* Calls fault(arg, "FILE:LINE:COLUMN: KEY: what is wrong and what would be right") for every fault, in the order of their
 * places. 0; -EINVAL where there was a fault; -errno where the file can't be read ("FILE: cause" goes to fault) or memory
 * is short. *ret is the caller's on success, untouched on failure. Opens the files that secret_file names and asks
 * whether models and local sources are there; touches nothing else. */
int config_load(struct config **ret, const char *path, void (*fault)(void *arg, const char *text), void *arg);
/* The same where models are yet to be learned: they need not be there. */
int config_load_unlearned(struct config **ret, const char *path, void (*fault)(void *arg, const char *text), void *arg);
/* The same as the first on bytes in memory; path stands in for the file's name, its folder for relative paths. */
int config_load_memory(struct config **ret, const void *data, size_t size, const char *path,
                       void (*fault)(void *arg, const char *text), void *arg);

/* A configuration is loaded with one reference, the caller's. config_ref() takes another and returns config;
 * config_unref() gives one back, and the last one wipes the secrets and frees all. Both take NULL, from any thread. */
struct config *config_ref(struct config *config);
void config_unref(struct config *config);

/* Whether a camera that runs by a needs no change to run by b: all keys have the same values. Places in the file are
 * not compared. Nor are contents of files: a model of the same path may have been written anew. */
bool config_camera_equal(const struct config_camera *a, const struct config_camera *b);
/* Whether both have the same webhooks, secrets included, in the same order. */
bool config_webhooks_equal(const struct config *a, const struct config *b);

/* A row of the table that all of the above goes by, for help and documentation. */
struct config_key {
    char path[48];                  /* "http.listen", "cameras.NAME.alert.k", "webhooks[].url" */
    char expected[CONFIG_EXPECTED_SIZE];    /* the right values in words: "a number from 0.1 to 120" */
    const char *fallback;           /* the default as it would stand in the file, or in words; NULL: there is none */
    bool in_words;                  /* fallback is words, not a value */
    bool required;
    const char *help;               /* sentences, one line */
    char summary[256];              /* expected and default in a line */
};

/* Row i, in the order of the file; false after the last. */
bool config_key(int i, struct config_key *ret);

#endif

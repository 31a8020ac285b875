/* The configuration file of the daemon: YAML, parsed by libyaml. One table (config_table.c) holds each key with its type,
 * range, default and help, so checks, documentation and defaults agree. A load reports all faults, not only the first, each
 * as "FILE:LINE:COLUMN: KEY: expected …, got …". No fault shows a secret.
 *
 * etc/memaed.yml and memaed(1) document the keys. Relative paths start at the file's folder. ${NAME} in a value is replaced
 * by that environment variable; a variable that is not set is a fault. Once loaded, a configuration is constant and any
 * thread may read it. */
#ifndef MEMAED_IO_CONFIG_CONFIG_H
#define MEMAED_IO_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/alerting/schedule.h"
#include "core/error.h"
#include "core/filter.h"
#include "core/precision.h"
#include "core/zones/zones.h"

struct config_alert {
    bool has_threshold;             /* false: the threshold is that of per_day, or the model's */
    double threshold;
    bool has_per_day;
    double per_day;                 /* alerts a day on normal footage; the calibration gives the threshold */
    int per_day_line, per_day_column;                       /* place of the value; 0: absent */
    bool has_close_threshold;
    double close_threshold;
    int close_threshold_line, close_threshold_column;       /* place of the value; 0: absent */
    int k, n;                       /* an alert opens when k of the last n windows reach the threshold */
    double smooth_s;                /* time constant of the mean of scores; 0: none */
    double min_duration_s;          /* least time for which a cause lasts before its alert opens */
    double merge_s;                 /* causes that are nearer to each other are one alert */
    double cooldown_s;
    int max_per_hour;               /* alerts told; 0: no limit */
    double lasting_h;               /* the time after which an open alert is told as EVENT_NORMAL_CHANGED */
};

/* The limits of the evidence that is kept. Lines and columns are the places of the values; 0: absent. */
struct config_retention {
    int keep_days;                  /* 0: for ever */
    double max_gib;                 /* 0: no limit */
    int free_mib;                   /* room that is left free on the disk */
    bool has_free_mib;              /* false: 1024, but at most a tenth of the disk */
    int keep_days_line, keep_days_column, max_gib_line, max_gib_column, free_mib_line, free_mib_column;
};

/* The evidence that is kept of an alert. */
struct config_evidence {
    char *source;                   /* of a camera alone: the stream that is kept; NULL: that which is analysed. Only redact() may
                                     * show it */
    int source_line, source_column;
    bool source_holds_password;     /* it holds a password itself, not by ${NAME} */
    bool snapshots;                 /* with the picture that says why */
    bool clips;                     /* of a camera: false, too, where it has a privacy mask and both below are false */
    bool masked_clips, unmasked_clips;      /* of a camera: not both */
    bool clips_hidden;              /* of a camera: its privacy mask alone switches clips off */
    bool audio;                     /* of a camera alone: clips have its audio. false, too, without clips */
    double pre_roll_s, post_roll_s; /* before the alert opened, after it closed */
    double max_clip_s;
    int ring_mib;                   /* of packets that a camera keeps for the pre-roll, of each of its streams */
    /* true: the camera gives the key itself. A key that it does not give has the value of struct config. */
    bool has_snapshots, has_clips, has_masked, has_unmasked, has_pre_roll, has_post_roll, has_max_clip, has_ring;
    struct config_retention retention;      /* of struct config alone */
};

/* The diagnosis of a camera's pictures (core/health/health.h). Kinds are sets of health_bit(). */
struct config_health {
    bool enabled;
    unsigned off;                   /* kinds that are not diagnosed */
    unsigned hold, mark;            /* alerts are held back, or marked, while a fault of the kind holds; no kind is in both */
    double learn_s;                 /* of the pictures after a start, which are taken to be without a fault */
    /* true: the key is given. One that a camera does not give has the value of struct config. */
    bool has_enabled, has_off, has_learn, has_hold, has_mark;
};

struct config_camera {
    char *name;                     /* [a-z0-9_-]{1,64} */
    char *source;                   /* as FFmpeg takes it; may hold credentials: only redact() may show it */
    char *user, *password;          /* for signing in, with any characters; NULL: none. Never shown */
    char *model;                    /* path, with the configuration's folder before a relative one */
    bool udp;
    bool tls_verify;                /* false: any certificate is taken */
    char *tls_ca_file;              /* path, resolved as model; NULL: the system's authorities */
    char *tls_host;                 /* the name that the certificate has to hold; NULL: the host of the source */
    int tls_verify_line, tls_verify_column;
    double fps;                     /* 0: the model's own */
    bool fps_force;
    enum precision precision;       /* as configured; auto is still to be decided */
    bool compute_all;               /* also the windows of static scenes (static: off) */
    int stride;
    bool loop;
    double stall_timeout_s;
    int backlog;                    /* frames that may wait for a worker */
    struct schedule armed;          /* when alerts are sent */
    char *time_zone;                /* of these times; NULL: that of struct config */
    struct config_alert alert;
    struct zones *zones;            /* masks and zones; NULL: the keys are absent or empty */
    struct config_evidence evidence;        /* complete: with what struct config says */
    struct config_health health;            /* complete, too */
    int line, column;               /* place of the camera's name in the file */
    /* Places of values, for faults that only the loaded model shows. 0: the key is absent. */
    int model_line, model_column, fps_line, fps_column, precision_line, precision_column;
    int source_line, source_column;
    bool source_holds_password;     /* the source holds a password itself, not by ${NAME} */
    int user_line, user_column;
    /* Places of a password that others may be able to read. 0: there is none. */
    int password_line, password_column;     /* of a password that stands in the file itself, not by ${NAME} */
    bool password_file_is_open;             /* all users of the machine can read the file */
    int password_file_line, password_file_column;
};

/* The form in which events carry the snapshot of their alert. */
enum config_snapshot { CONFIG_SNAPSHOT_NONE, CONFIG_SNAPSHOT_URL, CONFIG_SNAPSHOT_INLINE };

struct config_webhook {
    char *name;                     /* as of a camera, for log lines; NULL: none */
    char *url;
    char *ca_file;                  /* path, resolved as model; NULL: the system's authorities */
    char *public_url;               /* that of struct config */
    enum config_snapshot snapshot;
    int snapshot_max_kib;           /* of a JPEG that is sent inline */
    unsigned char secret[64];       /* decoded */
    size_t secret_size;             /* bytes, 24 to 64; 0: no secret, events are sent unsigned */
    unsigned char old_secret[64];   /* decoded; signs as well while secrets rotate */
    size_t old_secret_size;         /* 0: none */
    struct sink_filter filter;      /* of the events that are posted; owns its names */
    int max_per_minute;             /* attempts; 0: no limit */
    double give_up_h;               /* the age at which an event becomes a dead letter */
    double timeout_s;
    size_t number;                  /* place in the list, from 0 */
    int cameras_line, cameras_column, zones_line, zones_column;
    /* Places of values that others may be able to read. 0: there is none. */
    int password_line, password_column;     /* of a url or of secrets that hold it themselves, not by ${NAME} */
    bool secret_file_is_open;               /* all users of the machine can read the file */
    int secret_file_line, secret_file_column;
    bool old_secret_file_is_open;
    int old_secret_file_line, old_secret_file_column;
};

/* Owns every text and array in it. */
struct config {
    atomic_uint references;         /* only config_ref() and config_unref() use it */
    char *path;                     /* of the file, as given to the load */
    char *state_dir;
    int state_dir_line, state_dir_column;               /* place of the value; 0: absent. The same holds below */
    int alerts_keep_days;           /* 0: for ever */
    int alerts_keep_days_line, alerts_keep_days_column;
    double scores_raw_h;
    int scores_minutes_days;        /* 0: for ever */
    int scores_minutes_days_line, scores_minutes_days_column;
    char *time_zone;                /* of the cameras' schedules; NULL: the machine's */
    char *listen_address;           /* numeric: "127.0.0.1", "::1" */
    int listen_port;                /* 0: any free port */
    char *public_url;               /* under which others reach the server, without a / at its end; NULL: not known */
    char **host_names;              /* [n_host_names]: names in Host that are taken beside addresses */
    size_t n_host_names;
    int workers;                    /* threads; 0: auto */
    int max_model_mib;              /* of memory that a model may want: a worker's, and a camera's */
    bool in_thread;                 /* isolation: thread. Cameras are read in the daemon, not in processes of their own */
    int max_decoder_mib;            /* of memory that a camera's process may take */
    struct config_evidence evidence;
    struct config_health health;
    struct config_camera *cameras;
    size_t n_cameras;
    size_t n_streams;               /* streams that are read at the same time: the cameras', and those kept beside for clips */
    struct config_webhook *webhooks;
    size_t n_webhooks;
};

enum { CONFIG_MAX_CAMERAS = 1024, CONFIG_MAX_WEBHOOKS = 64, CONFIG_MAX_HOST_NAMES = 32, CONFIG_EXPECTED_SIZE = 480 };

/* Loads the file at path. Calls fault(arg, text) for every fault, in the order of their places; the text is one line
 * without its end. Opens the files that secret_file and password_file name, checks whether models, certificates and local sources
 * exist, and touches nothing else.
 * 0: *ret holds one reference, the caller's. -EINVAL after a fault. -errno if the file cannot be read, which is reported as
 * "FILE: cause"; -ENOMEM. *ret is untouched on failure. */
int config_load(struct config **ret, const char *path, void (*fault)(void *arg, const char *text), void *arg);
/* The same for `memaed learn`: models may be absent, because they are still to be learned. */
int config_load_unlearned(struct config **ret, const char *path, void (*fault)(void *arg, const char *text), void *arg);
/* config_load() on bytes in memory, which are borrowed for the call. path is the name in faults, and its folder is where
 * relative paths start. */
int config_load_memory(struct config **ret, const void *data, size_t size, const char *path,
                       void (*fault)(void *arg, const char *text), void *arg);

/* config_ref() adds a reference and returns config. config_unref() drops one; dropping the last wipes the secrets and frees
 * everything. Both take NULL, and any thread may call them. */
struct config *config_ref(struct config *config);
void config_unref(struct config *config);

/* Returns true if all keys of two cameras have the same values, so a camera that runs with a can go on with b. Its times
 * (armed, time_zone) are not compared, because the running camera does not use them (daemon/watch/alerting/arming.h). Places in
 * the file are not compared, and neither are the contents of files: the model at the same path may have been written again. */
bool config_camera_equal(const struct config_camera *a, const struct config_camera *b);
/* Returns true if all keys of two webhooks have the same values, secrets included. */
bool config_webhook_equal(const struct config_webhook *a, const struct config_webhook *b);
/* Returns true if both configurations have equal webhooks in the same order. */
bool config_webhooks_equal(const struct config *a, const struct config *b);

/* A row of the table of keys, for help and documentation. */
struct config_key {
    char path[48];                  /* "http.listen", "cameras.NAME.alert.k", "webhooks[].url" */
    char expected[CONFIG_EXPECTED_SIZE];    /* the right values in words: "a number from 0.1 to 120" */
    const char *fallback;           /* the default: a value as in the file, or words; NULL: none */
    bool in_words;                  /* fallback is words */
    bool required;
    const char *help;               /* sentences in one line */
    char summary[560];              /* expected and the default, in one line */
};

/* Row i, in the order of etc/memaed.yml. false after the last. Constant; any thread. */
bool config_key(int i, struct config_key *ret);

#endif

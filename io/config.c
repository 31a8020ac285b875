#include "io/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/config_yaml.h"
#include "io/redact.h"

enum { MAX_TEXT = 1 << 16, MAX_SECRET_FILE = 4096, MIN_SECRET = 24, MAX_SHOWN_KEY = 31 };

enum scope { ROOT, HTTP, CAMERA, ALERT, WEBHOOK };
static const char *const scope_paths[] = {"", "http.", "cameras.NAME.", "cameras.NAME.alert.", "webhooks[]."};

struct fault {
    int line, column;
    size_t order;
    char *text;
};

struct loader {
    struct config *config;
    const char *path;
    char *folder;
    struct fault *faults;
    size_t n_faults, room;
    bool out_of_memory;
};

/* One value on its way into the configuration. */
struct value {
    struct loader *loader;
    const struct key *key;
    const struct config_node *node;     /* NULL: absent, for types that hold keys of their own */
    int line, column;
    const char *path;                   /* "cameras.gate.fps" */
    char *text;                         /* scalar: with ${NAME} replaced */
};

/* parse() reports what is wrong itself; false: it did. target is the field. */
struct type {
    const char *name, *range;
    bool scalar;
    bool (*parse)(const struct value *value, void *target);
};

struct key {
    enum scope scope;
    const char *name;
    const struct type *type;
    size_t offset;                      /* of the field in the scope's struct */
    double min, max;
    const char *fallback;               /* taken where the key is absent, as if it stood in the file */
    const char *absent;                 /* else, in words, what its absence means */
    bool required;
    size_t given, line, column;         /* 1 + the offset of a bool and of two ints: that and where it stands; 0: none */
    const char *help;
};

/* What became of each key of a scope, by index in the table. */
struct outcome {
    const struct config_node *node;     /* NULL: absent */
    int line, column;
    bool bad;
};

static bool parse_whole(const struct value *value, void *target);
static bool parse_number(const struct value *value, void *target);
static bool parse_bool(const struct value *value, void *target);
static bool parse_path(const struct value *value, void *target);
static bool parse_source(const struct value *value, void *target);
static bool parse_model(const struct value *value, void *target);
static bool parse_transport(const struct value *value, void *target);
static bool parse_workers(const struct value *value, void *target);
static bool parse_listen(const struct value *value, void *target);
static bool parse_url(const struct value *value, void *target);
static bool parse_secret(const struct value *value, void *target);
static bool parse_secret_file(const struct value *value, void *target);
static bool parse_events(const struct value *value, void *target);
static bool parse_http(const struct value *value, void *target);
static bool parse_alert(const struct value *value, void *target);
static bool parse_cameras(const struct value *value, void *target);
static bool parse_webhooks(const struct value *value, void *target);

static const struct type
    type_whole = {"a whole number", NULL, true, parse_whole},
    type_number = {"a number", NULL, true, parse_number},
    type_bool = {"true or false", NULL, true, parse_bool},
    type_path = {"a path", NULL, true, parse_path},
    type_source = {"a source", "a URL, an image pattern with %, or a file or folder that exists", true, parse_source},
    type_model = {"a path", "a file that exists", true, parse_model},
    type_transport = {"a word", "tcp or udp", true, parse_transport},
    type_workers = {"auto or a whole number", NULL, true, parse_workers},
    type_listen = {"ADDRESS:PORT", "as 127.0.0.1:8787 or \"[::1]:8787\"", true, parse_listen},
    type_url = {"a URL", "http:// or https://", true, parse_url},
    type_secret = {"whsec_ and base64", "24 to 64 bytes once decoded", true, parse_secret},
    type_secret_file = {"a path", "a file that holds a secret", true, parse_secret_file},
    type_events = {"a list", "alert.opened, alert.closed, camera.lost, camera.restored", false, parse_events},
    type_http = {"a mapping of keys", NULL, false, parse_http},
    type_alert = {"a mapping of keys", NULL, false, parse_alert},
    type_cameras = {"cameras by name", "1 to 1024; names are 1 to 64 of a-z, 0-9, _ and -", false, parse_cameras},
    type_webhooks = {"a list of mappings", "at most 64", false, parse_webhooks};

#define IN_CONFIG(field) .offset = offsetof(struct config, field)
#define IN_CAMERA(field) .offset = offsetof(struct config_camera, field)
#define IN_ALERT(field) .offset = offsetof(struct config_alert, field)
#define IN_WEBHOOK(field) .offset = offsetof(struct config_webhook, field)

static const struct key keys[] = {
    {ROOT, "state_dir", &type_path, IN_CONFIG(state_dir), .fallback = "/var/lib/memaed",
     .help = "Folder for what memaed keeps over restarts."},
    {ROOT, "http", &type_http, .absent = "as below", .help = "The REST interface."},
    {HTTP, "listen", &type_listen, IN_CONFIG(listen_address), .fallback = "127.0.0.1:8787",
     .help = "Where it listens. Port 0 takes a free one, and the log says which. There is no login: beyond loopback, put a "
             "proxy before it."},
    {ROOT, "workers", &type_workers, IN_CONFIG(workers), 1, 256, .fallback = "auto",
     .help = "Threads that run the network, shared by all cameras. auto: one for each core."},
    {ROOT, "cameras", &type_cameras, .required = true, .help = "What to watch, by name."},
    {CAMERA, "source", &type_source, IN_CAMERA(source), .required = true,
     .help = "What FFmpeg opens: rtsp://, http:// and the like, a file, a folder of images, or an image pattern (%03d.jpg)."},
    {CAMERA, "transport", &type_transport, IN_CAMERA(udp), .fallback = "tcp", .help = "How RTSP sends its packets."},
    {CAMERA, "model", &type_model, IN_CAMERA(model), .required = true,
     .help = "The model file that memaed learn wrote for this camera. Cameras may share one."},
    {CAMERA, "fps", &type_number, IN_CAMERA(fps), 0.1, 120, .absent = "the rate that the model learned at",
     .line = 1 + offsetof(struct config_camera, fps_line), .column = 1 + offsetof(struct config_camera, fps_column),
     .help = "Frames analysed a second. Another rate than the model's is a fault unless fps_force is true."},
    {CAMERA, "fps_force", &type_bool, IN_CAMERA(fps_force), .fallback = "false",
     .help = "Take fps even where the model learned at another rate."},
    {CAMERA, "stride", &type_whole, IN_CAMERA(stride), 1, 64, .fallback = "2",
     .help = "Analysed frames from one window to the next: 1 scores most often, more costs less."},
    {CAMERA, "loop", &type_bool, IN_CAMERA(loop), .fallback = "false",
     .help = "Begin again where the footage ends. For files and images only."},
    {CAMERA, "stall_timeout_s", &type_number, IN_CAMERA(stall_timeout_s), 1, 3600, .fallback = "10",
     .help = "Seconds without a packet after which the camera counts as lost and is opened anew."},
    {CAMERA, "backlog", &type_whole, IN_CAMERA(backlog), 1, 4096, .fallback = "64",
     .help = "Frames that may wait for a worker. Beyond it the oldest is dropped and counted."},
    {CAMERA, "alert", &type_alert, IN_CAMERA(alert), .absent = "as below", .help = "When scores become an alert."},
    {ALERT, "threshold", &type_number, IN_ALERT(threshold), 0, 100000, .absent = "from the model's calibration",
     .given = 1 + offsetof(struct config_alert, has_threshold),
     .help = "Windows that score this or more count towards an alert. A model without calibration alerts only with a "
             "threshold here."},
    {ALERT, "close_threshold", &type_number, IN_ALERT(close_threshold), 0, 100000,
     .absent = "from the model's calibration, in proportion to threshold",
     .given = 1 + offsetof(struct config_alert, has_close_threshold),
     .line = 1 + offsetof(struct config_alert, close_threshold_line),
     .column = 1 + offsetof(struct config_alert, close_threshold_column),
     .help = "An alert closes once n windows in a row score below this. At most threshold."},
    {ALERT, "k", &type_whole, IN_ALERT(k), 1, 64, .fallback = "3",
     .help = "An alert opens once k of the last n windows score threshold or more. At most n."},
    {ALERT, "n", &type_whole, IN_ALERT(n), 1, 64, .fallback = "5", .help = "See k."},
    {ALERT, "cooldown_s", &type_number, IN_ALERT(cooldown_s), 0, 86400, .fallback = "60",
     .help = "Seconds after an alert has closed in which none opens."},
    {ROOT, "webhooks", &type_webhooks, .absent = "none", .help = "Where events are posted, as Standard Webhooks has it."},
    {WEBHOOK, "url", &type_url, IN_WEBHOOK(url), .required = true, .help = "Where to POST."},
    {WEBHOOK, "secret", &type_secret, .offset = 0, .absent = "none: sent unsigned",
     .help = "What deliveries are signed with. Better kept out of this file: take secret_file or \"${NAME}\"."},
    {WEBHOOK, "secret_file", &type_secret_file, .offset = 0, .absent = "none",
     .help = "The file that holds the secret instead, as systemd's LoadCredential= provides it."},
    {WEBHOOK, "events", &type_events, IN_WEBHOOK(events), .absent = "all", .help = "The events to post."},
    {WEBHOOK, "timeout_s", &type_number, IN_WEBHOOK(timeout_s), 0.1, 300, .fallback = "10",
     .help = "Seconds that one attempt may take. An attempt that fails is repeated later."},
};
enum { N_KEYS = sizeof keys / sizeof keys[0] };

static const struct {
    const char *name;
    enum config_event event;
} events[] = {
    {"alert.opened", CONFIG_ALERT_OPENED},
    {"alert.closed", CONFIG_ALERT_CLOSED},
    {"camera.lost", CONFIG_CAMERA_LOST},
    {"camera.restored", CONFIG_CAMERA_RESTORED},
};
enum { N_EVENTS = sizeof events / sizeof events[0] };

static void range_of(const struct key *key, char *out, size_t size)
{
    if (key->type->range)
        snprintf(out, size, "%s", key->type->range);
    else if (key->max > key->min)
        snprintf(out, size, "%g to %g", key->min, key->max);
    else
        out[0] = 0;
}

bool config_key(int i, struct config_key *ret)
{
    if (i < 0 || i >= N_KEYS)
        return false;
    const struct key *key = &keys[i];
    snprintf(ret->path, sizeof ret->path, "%s%s", scope_paths[key->scope], key->name);
    range_of(key, ret->range, sizeof ret->range);
    ret->type = key->type->name;
    ret->in_words = !key->fallback;
    ret->fallback = key->fallback ? key->fallback : key->absent;
    ret->required = key->required;
    ret->help = key->help;
    snprintf(ret->summary, sizeof ret->summary, "%s%s%s; %s%s", ret->type, ret->range[0] ? ", " : "", ret->range,
             ret->required ? "required" : "default: ", ret->required ? "" : ret->fallback);
    return true;
}

/* ---- faults ------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 5, 0)))
static void fault_v(struct loader *loader, int line, int column, const char *path, const char *format, va_list args)
{
    char *cause = NULL, *text = NULL;
    if (vasprintf(&cause, format, args) < 0) {
        loader->out_of_memory = true;
        return;
    }
    if (asprintf(&text, "%s:%d:%d: %s%s%s", loader->path, line, column, path, *path ? ": " : "", cause) < 0)
        text = NULL;
    free(cause);
    if (text && loader->n_faults == loader->room) {
        size_t room = loader->room ? 2 * loader->room : 16;
        struct fault *faults = realloc(loader->faults, room * sizeof *faults);
        if (faults) {
            loader->faults = faults;
            loader->room = room;
        }
    }
    if (!text || loader->n_faults == loader->room) {
        free(text);
        loader->out_of_memory = true;
        return;
    }
    loader->faults[loader->n_faults] = (struct fault){line, column, loader->n_faults, text};
    loader->n_faults++;
}

__attribute__((format(printf, 5, 6)))
static void fault_at(struct loader *loader, int line, int column, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault_v(loader, line, column, path, format, args);
    va_end(args);
}

/* The cause, then what the table says would be right. Returns false, so that a parser can return it. */
__attribute__((format(printf, 2, 3)))
static bool wrong(const struct value *value, const char *format, ...)
{
    char *cause = NULL, range[80];
    va_list args;
    va_start(args, format);
    int n = vasprintf(&cause, format, args);
    va_end(args);
    if (n < 0) {
        value->loader->out_of_memory = true;
        return false;
    }
    range_of(value->key, range, sizeof range);
    fault_at(value->loader, value->line, value->column, value->path, "%s; right would be %s%s%s", cause,
             value->key->type->name, *range ? ", " : "", range);
    free(cause);
    return false;
}

static void yaml_fault(void *arg, int line, int column, const char *text)
{
    fault_at(arg, line, column, "", "%s", text);
}

static int by_place(const void *a, const void *b)
{
    const struct fault *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Text of the file as a fault may show it: without credentials and control characters, and not at any length. */
struct shown {
    char text[96];
};

static const char *show(struct shown *shown, const char *text)
{
    char safe[512];
    size_t i;
    redact(safe, sizeof safe, text);
    for (i = 0; safe[i] && i < sizeof shown->text - 4; i++)
        shown->text[i] = (unsigned char)safe[i] < 0x20 || safe[i] == 0x7f ? '?' : safe[i];
    if (safe[i]) {
        while (i > 0 && (safe[i] & 0xc0) == 0x80)       /* not inside a character */
            i--;
        memcpy(shown->text + i, "...", 3);
        i += 3;
    }
    shown->text[i] = 0;
    return shown->text;
}

/* A key is shown only if it can't well be a secret that slipped into its place. */
static const char *show_key(struct shown *shown, const char *key)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
    size_t n = strlen(key);
    if (n == 0 || n > MAX_SHOWN_KEY || strspn(key, letters) != n || strncmp(key, "whsec_", 6) == 0)
        return "?";
    return show(shown, key);
}

/* Edits that turn a into b. */
static size_t distance(const char *a, const char *b)
{
    size_t row[MAX_SHOWN_KEY + 1], n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (diagonal + 1 < best)
                best = diagonal + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

/* Where the nearest so far is farther than this word, takes it. */
static void nearest(const char **best, size_t *best_distance, const char *word, const char *candidate)
{
    if (strlen(word) > MAX_SHOWN_KEY)
        return;
    size_t d = distance(word, candidate), limit = 1 + strlen(candidate) / 3;
    if (d <= limit && (!*best || d < *best_distance)) {
        *best = candidate;
        *best_distance = d;
    }
}

/* ---- texts -------------------------------------------------------------------------------------------------------- */

static char *copy(struct loader *loader, const char *text)
{
    char *ret = strdup(text);
    if (!ret)
        loader->out_of_memory = true;
    return ret;
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* Writes the text of the value with every ${NAME} replaced, where out is not NULL, and returns its length; else reports
 * what can't be replaced, and returns -1 if there was such. $${ stands for ${ itself. */
static ssize_t expand_into(const struct value *value, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t n = 0;
    bool bad = false;

    for (const char *p = value->node->text; *p;) {
        char name[65];
        const char *text = p;
        size_t size = 1;
        if (strncmp(p, "$${", 3) == 0) {
            text = p + 1;
            size = 2;
            p += 3;
        } else if (strncmp(p, "${", 2) == 0) {
            size_t length = strspn(p + 2, letters);
            if (length == 0 || length >= sizeof name || p[2 + length] != '}' || (p[2] >= '0' && p[2] <= '9')) {
                if (!out)
                    wrong(value, "a ${ stands without NAME} behind it (write $${ for the characters themselves)");
                return -1;
            }
            memcpy(name, p + 2, length);
            name[length] = 0;
            p += length + 3;
            text = getenv(name);
            if (!text) {
                fault_at(value->loader, value->line, value->column, value->path,
                         "${%s} is not set; right would be a variable of the environment", name);
                bad = true;
                continue;
            }
            size = strlen(text);
        } else {
            p++;
        }
        if (size > MAX_TEXT - n) {
            wrong(value, "is longer than %d bytes", (int)MAX_TEXT);
            return -1;
        }
        if (out)
            memcpy(out + n, text, size);
        n += size;
    }
    return bad ? -1 : (ssize_t)n;
}

static char *expand(const struct value *value)
{
    ssize_t n = expand_into(value, NULL);
    if (n < 0)
        return NULL;
    char *text = malloc((size_t)n + 1);
    if (!text) {
        value->loader->out_of_memory = true;
        return NULL;
    }
    expand_into(value, text);
    text[n] = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            wrong(value, "holds a control character (0x%02x)", *c);
            wipe(text);
            return NULL;
        }
    }
    return text;
}

static bool is_null(const struct config_node *node)
{
    return node->type == CONFIG_SCALAR && node->plain &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

/* A value in quotes is a text, unless the quotes were needed for a ${NAME}. */
static bool is_quoted(const struct value *value)
{
    struct shown shown;
    if (value->node->plain || strstr(value->node->text, "${"))
        return false;
    wrong(value, "\"%s\" is a text in quotes", show(&shown, value->node->text));
    return true;
}

static bool read_number(const char *text, bool whole, double *ret)
{
    static const char digits[] = "0123456789";
    const char *p = text + (*text == '-' || *text == '+');
    size_t before = strspn(p, digits), after = 0;
    p += before;
    if (!whole) {
        if (*p == '.') {
            after = strspn(++p, digits);
            p += after;
            if (after == 0)
                return false;
        }
        if (before + after > 0 && (*p == 'e' || *p == 'E')) {
            p += 1 + (p[1] == '-' || p[1] == '+');
            size_t exponent = strspn(p, digits);
            p += exponent;
            if (exponent == 0)
                return false;
        }
    }
    if (before + after == 0 || *p)
        return false;
    *ret = strtod(text, NULL);
    return true;
}

/* ---- types -------------------------------------------------------------------------------------------------------- */

static bool number_in_range(const struct value *value, bool whole, double *ret)
{
    struct shown shown;
    double number;
    if (is_quoted(value))
        return false;
    if (!read_number(value->text, whole, &number))
        return wrong(value, "\"%s\" is no %s", show(&shown, value->node->text), whole ? "whole number" : "number");
    if (!(number >= value->key->min && number <= value->key->max))
        return wrong(value, "%s is out of range", show(&shown, value->node->text));
    *ret = number;
    return true;
}

static bool parse_whole(const struct value *value, void *target)
{
    double number;
    if (!number_in_range(value, true, &number))
        return false;
    *(int *)target = (int)number;
    return true;
}

static bool parse_number(const struct value *value, void *target)
{
    return number_in_range(value, false, target);
}

static bool parse_workers(const struct value *value, void *target)
{
    if (strcmp(value->text, "auto") != 0)
        return parse_whole(value, target);
    *(int *)target = 0;
    return true;
}

static bool parse_bool(const struct value *value, void *target)
{
    struct shown shown;
    if (is_quoted(value))
        return false;
    if (strcmp(value->text, "true") != 0 && strcmp(value->text, "false") != 0)
        return wrong(value, "\"%s\" is neither", show(&shown, value->node->text));
    *(bool *)target = value->text[0] == 't';
    return true;
}

static bool parse_transport(const struct value *value, void *target)
{
    struct shown shown;
    if (strcmp(value->text, "tcp") != 0 && strcmp(value->text, "udp") != 0)
        return wrong(value, "\"%s\" is unknown", show(&shown, value->node->text));
    *(bool *)target = value->text[0] == 'u';
    return true;
}

/* The caller's; NULL: out of memory, noted. */
static char *resolve(struct loader *loader, const char *path)
{
    char *ret = NULL;
    if (path[0] == '/')
        return copy(loader, path);
    if (asprintf(&ret, "%s/%s", loader->folder, path) < 0) {
        loader->out_of_memory = true;
        return NULL;
    }
    return ret;
}

static bool parse_path(const struct value *value, void *target)
{
    *(char **)target = resolve(value->loader, value->text);
    return true;
}

/* A path for a fault: what the environment put into it is not shown. */
static const char *show_path(struct shown *shown, const struct value *value, const char *path)
{
    return show(shown, strstr(value->node->text, "${") ? value->node->text : path);
}

/* A name that FFmpeg takes for a protocol: "scheme:". */
static bool has_scheme(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.,";
    size_t n = strspn(text, letters);
    return n >= 2 && text[n] == ':';
}

static bool parse_source(const struct value *value, void *target)
{
    struct shown shown;
    const char *text = value->text;
    if (strncmp(text, "file:", 5) == 0) {
        text += strncmp(text, "file:///", 8) == 0 ? 7 : 5;
        if (!*text)
            return wrong(value, "names no file");
    }
    char *path = resolve(value->loader, text);
    if (path && access(path, R_OK) == 0) {
        *(char **)target = path;
        return true;
    }
    int error = errno;
    if (path && text == value->text && (strstr(text, "://") || has_scheme(text))) {
        wipe(path);
        *(char **)target = copy(value->loader, text);
        return true;
    }
    if (path && strchr(text, '%')) {
        *(char **)target = path;
        return true;
    }
    if (path)
        wrong(value, "\"%s\": %s", show_path(&shown, value, path), strerror(error));
    wipe(path);
    return false;
}

static bool parse_model(const struct value *value, void *target)
{
    struct shown shown;
    struct stat status;
    char *path = resolve(value->loader, value->text);
    if (!path)
        return false;
    if (stat(path, &status) < 0 || access(path, R_OK) < 0)
        wrong(value, "\"%s\": %s", show_path(&shown, value, path), strerror(errno));
    else if (!S_ISREG(status.st_mode))
        wrong(value, "\"%s\" is no plain file", show_path(&shown, value, path));
    else {
        *(char **)target = path;
        return true;
    }
    free(path);
    return false;
}

static bool parse_listen(const struct value *value, void *target)
{
    struct config *config = value->loader->config;
    struct shown shown;
    const char *text = value->text, *host = text, *colon = strrchr(text, ':');
    char address[INET6_ADDRSTRLEN];
    unsigned char binary[16];
    bool v6 = *text == '[';
    double port;
    (void)target;

    if (!colon)
        return wrong(value, "\"%s\" has no port", show(&shown, value->node->text));
    if (v6 && (colon < text + 2 || colon[-1] != ']'))
        return wrong(value, "\"%s\" has no port", show(&shown, value->node->text));
    host += v6;
    size_t n = (size_t)(colon - host) - v6;
    if (n >= sizeof address)
        return wrong(value, "\"%s\" has no numeric address", show(&shown, value->node->text));
    memcpy(address, host, n);
    address[n] = 0;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, address, binary) != 1)
        return wrong(value, "\"%s\" has no numeric address", show(&shown, value->node->text));
    if (colon[1] < '0' || colon[1] > '9' || !read_number(colon + 1, true, &port) || port > 65535)
        return wrong(value, "\"%s\" has no port from 0 to 65535", show(&shown, value->node->text));
    config->listen_address = copy(value->loader, address);
    config->listen_port = (int)port;
    return true;
}

static bool parse_url(const struct value *value, void *target)
{
    const char *text = value->text, *host = NULL;
    if (strncasecmp(text, "http://", 7) == 0)
        host = text + 7;
    else if (strncasecmp(text, "https://", 8) == 0)
        host = text + 8;
    if (!host)
        return wrong(value, "has neither http:// nor https:// before it");
    if (strcspn(host, "/?#") == 0)
        return wrong(value, "has no host");
    if (strchr(text, ' '))
        return wrong(value, "holds a blank");
    *(char **)target = copy(value->loader, text);
    return true;
}

/* ---- secrets ------------------------------------------------------------------------------------------------------ */

/* Strict base64 with its padding. The number of bytes, or -1 where the text is wrong or longer than max. */
static ssize_t base64_decode(const char *text, unsigned char *out, size_t max)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text), n = 0, padding = 0;
    unsigned bits = 0;

    if (length == 0 || length % 4)
        return -1;
    padding = (size_t)(text[length - 1] == '=') + (size_t)(text[length - 1] == '=' && text[length - 2] == '=');
    if (length / 4 * 3 - padding > max)
        return -1;
    for (size_t i = 0; i < length; i++) {
        const char *digit = i < length - padding ? strchr(alphabet, text[i]) : alphabet;
        if (!digit)
            return -1;
        bits = bits << 6 | (unsigned)(digit - alphabet);
        if (i % 4 == 3) {
            const size_t bytes = i == length - 1 ? 3 - padding : 3;
            for (size_t b = 0; b < bytes; b++)
                out[n++] = (unsigned char)(bits >> (16 - 8 * b));
            bits = 0;
        }
    }
    return (ssize_t)n;
}

/* what says whose text it is: "" or "the file's text ". */
static bool decode_secret(const struct value *value, const char *text, const char *what, struct config_webhook *webhook)
{
    unsigned char bytes[2 * sizeof webhook->secret];
    if (strncmp(text, "whsec_", 6) != 0)
        return wrong(value, "%sdoes not begin with whsec_", what);
    ssize_t n = base64_decode(text + 6, bytes, sizeof bytes);
    bool right = n >= MIN_SECRET && n <= (ssize_t)sizeof webhook->secret;
    if (right) {
        memcpy(webhook->secret, bytes, (size_t)n);
        webhook->secret_size = (size_t)n;
    } else if (n < 0 && strlen(text) < 6 + sizeof bytes / 3 * 4) {
        wrong(value, "%sis no base64 behind whsec_", what);
    } else {
        wrong(value, "%sis too %s", what, n < 0 || n > MIN_SECRET ? "long" : "short");
    }
    explicit_bzero(bytes, sizeof bytes);
    return right;
}

static bool parse_secret(const struct value *value, void *target)
{
    return decode_secret(value, value->text, "", target);
}

static bool parse_secret_file(const struct value *value, void *target)
{
    struct shown shown;
    struct stat status;
    char text[MAX_SECRET_FILE + 1];
    bool right = false;

    if (strncmp(value->text, "whsec_", 6) == 0)
        return wrong(value, "is the secret itself, which belongs to the key secret");
    char *path = resolve(value->loader, value->text);
    if (!path)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0) {
        wrong(value, "\"%s\": %s", show_path(&shown, value, path), strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        wrong(value, "\"%s\" is no plain file", show_path(&shown, value, path));
    } else {
        size_t n = 0;
        ssize_t got;
        while (n < sizeof text && (got = read(fd, text + n, sizeof text - n)) != 0) {
            if (got < 0 && errno != EINTR)
                break;
            n += got > 0 ? (size_t)got : 0;
        }
        if (n < sizeof text && got < 0) {
            wrong(value, "\"%s\": %s", show_path(&shown, value, path), strerror(errno));
        } else if (n == sizeof text || memchr(text, 0, n)) {
            wrong(value, "\"%s\" holds something else", show_path(&shown, value, path));
        } else {
            while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
                n--;
            text[n] = 0;
            right = decode_secret(value, text, "the file's text ", target);
        }
        explicit_bzero(text, sizeof text);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return right;
}

static bool parse_events(const struct value *value, void *target)
{
    const struct config_node *list = value->node;
    unsigned chosen = 0;
    bool right = true;

    if (!list) {
        *(unsigned *)target = CONFIG_ALL_EVENTS;
        return true;
    }
    if (list->type != CONFIG_SEQUENCE)
        return wrong(value, "is no list");
    if (list->n == 0)
        return wrong(value, "is empty (leave the key out for all)");
    for (size_t i = 0; i < list->n; i++) {
        const struct config_node *item = list->items[i];
        struct value each = *value;
        struct shown shown;
        const char *best = NULL;
        size_t best_distance = 0;
        unsigned event = 0;
        each.line = item->line;
        each.column = item->column;
        for (size_t e = 0; item->type == CONFIG_SCALAR && !item->bad && e < N_EVENTS; e++) {
            if (strcmp(item->text, events[e].name) == 0)
                event = events[e].event;
            nearest(&best, &best_distance, item->text, events[e].name);
        }
        if (item->bad)
            continue;
        if (item->type != CONFIG_SCALAR)
            right = wrong(&each, "holds a list or mapping");
        else if (!event && best)
            right = wrong(&each, "\"%s\" is unknown: did you mean \"%s\"?", show_key(&shown, item->text), best);
        else if (!event)
            right = wrong(&each, "\"%s\" is unknown", show_key(&shown, item->text));
        else if (chosen & event)
            right = wrong(&each, "\"%s\" stands twice", item->text);
        chosen |= event;
    }
    *(unsigned *)target = chosen;
    return right;
}

/* ---- mappings ----------------------------------------------------------------------------------------------------- */

/* Hands a value of the file to its type. */
static bool read_value(struct loader *loader, const struct key *key, const struct config_node *node, int line, int column,
                       const char *path, void *target)
{
    struct value value = {loader, key, node, line, column, path, NULL};
    if (!key->type->scalar)
        return key->type->parse(&value, target);
    if (node->type != CONFIG_SCALAR)
        return wrong(&value, "is a %s", node->type == CONFIG_MAPPING ? "mapping" : "list");
    if (is_null(node))
        return wrong(&value, "has no value");
    value.text = expand(&value);
    if (!value.text)
        return false;
    bool right = *value.text ? key->type->parse(&value, target) : wrong(&value, "is empty");
    wipe(value.text);
    return right;
}

static void unknown_key(struct loader *loader, enum scope scope, const struct config_node *node, const char *prefix)
{
    const char *best = NULL, *elsewhere = NULL;
    size_t best_distance = 0, n = 0;
    char known[300] = "", path[160];
    struct shown shown;
    for (size_t i = 0; i < N_KEYS; i++) {
        if (keys[i].scope == scope) {
            nearest(&best, &best_distance, node->text, keys[i].name);
            if (n < sizeof known)
                n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", keys[i].name);
        } else if (strcmp(keys[i].name, node->text) == 0) {
            elsewhere = scope_paths[keys[i].scope];
        }
    }
    snprintf(path, sizeof path, "%s%s", prefix, show_key(&shown, node->text));
    if (elsewhere)
        fault_at(loader, node->line, node->column, path, "unknown key here; right would be %s%s", elsewhere, node->text);
    else if (best)
        fault_at(loader, node->line, node->column, path, "unknown key; did you mean \"%s\"?", best);
    else
        fault_at(loader, node->line, node->column, path, "unknown key; right would be one of %s", known);
}

/* Reads the keys of a scope into target, faults and defaults included. node may be NULL or empty: nothing was given.
 * line and column: where a missing key would belong. prefix: "cameras.gate.". */
static void read_keys(struct loader *loader, enum scope scope, const struct config_node *node, int line, int column,
                      const char *prefix, void *target, struct outcome outcomes[static N_KEYS])
{
    char path[160];
    memset(outcomes, 0, N_KEYS * sizeof *outcomes);
    for (size_t i = 0; node && i < node->n; i += 2) {
        const struct config_node *name = node->items[i], *value = node->items[i + 1];
        size_t k = 0;
        while (k < N_KEYS && !(keys[k].scope == scope && strcmp(keys[k].name, name->text) == 0))
            k++;
        if (k == N_KEYS) {
            unknown_key(loader, scope, name, prefix);
            continue;
        }
        snprintf(path, sizeof path, "%s%s", prefix, name->text);
        if (outcomes[k].node) {
            fault_at(loader, name->line, name->column, path, "stands twice (first on line %d); right would be once",
                     outcomes[k].line);
            continue;
        }
        /* libyaml puts a value that isn't there wherever the next thing is. */
        const struct config_node *place = is_null(value) && !*value->text ? name : value;
        outcomes[k] = (struct outcome){value, place->line, place->column, true};
        if (value->bad)
            continue;
        char *base = target;
        outcomes[k].bad = !read_value(loader, &keys[k], value, place->line, place->column, path, base + keys[k].offset);
        if (keys[k].given)
            *(bool *)(base + keys[k].given - 1) = true;
        if (keys[k].line) {
            *(int *)(base + keys[k].line - 1) = place->line;
            *(int *)(base + keys[k].column - 1) = place->column;
        }
    }
    for (size_t k = 0; k < N_KEYS; k++) {
        if (keys[k].scope != scope || outcomes[k].node)
            continue;
        snprintf(path, sizeof path, "%s%s", prefix, keys[k].name);
        if (keys[k].required) {
            char range[80];
            range_of(&keys[k], range, sizeof range);
            fault_at(loader, line, column, path, "missing; right would be %s%s%s", keys[k].type->name, *range ? ", " : "",
                     range);
        } else if (keys[k].fallback) {
            struct config_node fallback = {.type = CONFIG_SCALAR, .plain = true, .text = (char *)keys[k].fallback};
            read_value(loader, &keys[k], &fallback, line, column, path, (char *)target + keys[k].offset);
        } else if (!keys[k].type->scalar) {
            read_value(loader, &keys[k], NULL, line, column, path, (char *)target + keys[k].offset);
        }
    }
}

/* Whether the value is a mapping, or nothing at all, which stands for an empty one. */
static bool is_mapping(const struct value *value)
{
    if (!value->node || is_null(value->node) || value->node->type == CONFIG_MAPPING)
        return true;
    return wrong(value, "is %s", value->node->type == CONFIG_SEQUENCE ? "a list" : "a single value");
}

static bool parse_http(const struct value *value, void *target)
{
    struct outcome outcomes[N_KEYS];
    (void)target;
    if (!is_mapping(value))
        return false;
    read_keys(value->loader, HTTP, value->node, value->line, value->column, "http.", value->loader->config, outcomes);
    return true;
}

static const struct outcome *outcome_of(const struct outcome outcomes[static N_KEYS], enum scope scope, const char *name)
{
    size_t k = 0;
    while (keys[k].scope != scope || strcmp(keys[k].name, name) != 0)
        k++;
    return &outcomes[k];
}

static bool parse_alert(const struct value *value, void *target)
{
    struct config_alert *alert = target;
    struct outcome outcomes[N_KEYS];
    char prefix[160], path[200];

    if (!is_mapping(value))
        return false;
    snprintf(prefix, sizeof prefix, "%s.", value->path);
    read_keys(value->loader, ALERT, value->node, value->line, value->column, prefix, alert, outcomes);

    const struct outcome *k = outcome_of(outcomes, ALERT, "k"), *n = outcome_of(outcomes, ALERT, "n");
    const struct outcome *at = k->node ? k : n;
    if (!k->bad && !n->bad && alert->k > alert->n) {
        snprintf(path, sizeof path, "%s%s", prefix, k->node ? "k" : "n");
        fault_at(value->loader, at->line, at->column, path, "k is %d%s and n is %d%s; right would be k of at most n", alert->k,
                 k->node ? "" : " (default)", alert->n, n->node ? "" : " (default)");
    }
    const struct outcome *open = outcome_of(outcomes, ALERT, "threshold");
    const struct outcome *close_at = outcome_of(outcomes, ALERT, "close_threshold");
    if (open->node && close_at->node && !open->bad && !close_at->bad && alert->close_threshold > alert->threshold) {
        snprintf(path, sizeof path, "%sclose_threshold", prefix);
        fault_at(value->loader, close_at->line, close_at->column, path, "%g is above threshold; right would be at most %g",
                 alert->close_threshold, alert->threshold);
    }
    return true;
}

static void read_camera(struct loader *loader, const struct config_node *name, const struct config_node *node,
                        struct config_camera *camera)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    struct outcome outcomes[N_KEYS];
    struct shown shown;
    char path[112], prefix[100];

    snprintf(path, sizeof path, "cameras.%s", show_key(&shown, name->text));
    size_t n = strlen(name->text);
    if (n > 0 && n <= 64 && strspn(name->text, letters) == n)
        snprintf(path, sizeof path, "cameras.%s", name->text);
    else
        fault_at(loader, name->line, name->column, path, "bad name; right would be 1 to 64 of a-z, 0-9, _ and -");
    camera->name = copy(loader, name->text);
    camera->line = name->line;
    camera->column = name->column;

    if (node->bad)
        return;
    if (!is_null(node) && node->type != CONFIG_MAPPING) {
        fault_at(loader, node->line, node->column, path, "is %s; right would be keys: source, model, ...",
                 node->type == CONFIG_SEQUENCE ? "a list" : "a single value");
        return;
    }
    snprintf(prefix, sizeof prefix, "%.90s.", path);
    read_keys(loader, CAMERA, node, name->line, name->column, prefix, camera, outcomes);

    const struct outcome *model = outcome_of(outcomes, CAMERA, "model"), *loop = outcome_of(outcomes, CAMERA, "loop");
    camera->model_line = model->line;
    camera->model_column = model->column;
    if (camera->loop && camera->source && camera->source[0] != '/' && (strstr(camera->source, "://") || has_scheme(camera->source))) {
        snprintf(path, sizeof path, "%sloop", prefix);
        fault_at(loader, loop->line, loop->column, path, "is true, but the source is a stream; right would be false, or a file");
    }
}

static bool parse_cameras(const struct value *value, void *target)
{
    struct loader *loader = value->loader;
    struct config *config = loader->config;
    (void)target;

    if (!is_mapping(value))
        return false;
    const struct config_node *node = value->node;
    if (node->n == 0)
        return wrong(value, "holds no camera");
    if (node->n / 2 > CONFIG_MAX_CAMERAS)
        return wrong(value, "holds %zu cameras", node->n / 2);
    config->cameras = calloc(node->n / 2, sizeof *config->cameras);
    if (!config->cameras) {
        loader->out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < node->n; i += 2) {
        const struct config_node *name = node->items[i];
        size_t first = 0;
        while (first < i && strcmp(node->items[first]->text, name->text) != 0)
            first += 2;
        if (first < i) {
            struct shown shown;
            char path[96];
            snprintf(path, sizeof path, "cameras.%s", show_key(&shown, name->text));
            fault_at(loader, name->line, name->column, path, "duplicate camera (first on line %d); right would be another name",
                     node->items[first]->line);
        }
        read_camera(loader, name, node->items[i + 1], &config->cameras[config->n_cameras++]);
    }
    return true;
}

static bool parse_webhooks(const struct value *value, void *target)
{
    struct loader *loader = value->loader;
    struct config *config = loader->config;
    const struct config_node *list = value->node;
    struct outcome outcomes[N_KEYS];
    (void)target;

    if (!list || is_null(list))
        return true;
    if (list->type != CONFIG_SEQUENCE)
        return wrong(value, "is %s", list->type == CONFIG_MAPPING ? "a mapping" : "a single value");
    if (list->n > CONFIG_MAX_WEBHOOKS)
        return wrong(value, "holds %zu webhooks", list->n);
    config->webhooks = calloc(list->n ? list->n : 1, sizeof *config->webhooks);
    if (!config->webhooks) {
        loader->out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct config_node *item = list->items[i];
        char path[80], prefix[48];
        snprintf(path, sizeof path, "webhooks[%zu]", i);
        snprintf(prefix, sizeof prefix, "webhooks[%zu].", i);
        if (item->bad)
            continue;
        if (item->type != CONFIG_MAPPING) {
            fault_at(loader, item->line, item->column, path, "is %s; right would be keys: url, ...",
                     item->type == CONFIG_SEQUENCE ? "a list" : "a single value");
            continue;
        }
        read_keys(loader, WEBHOOK, item, item->line, item->column, prefix, &config->webhooks[config->n_webhooks++], outcomes);
        const struct outcome *secret = outcome_of(outcomes, WEBHOOK, "secret");
        const struct outcome *file = outcome_of(outcomes, WEBHOOK, "secret_file");
        if (secret->node && file->node) {
            snprintf(path, sizeof path, "%ssecret_file", prefix);
            fault_at(loader, file->line, file->column, path, "stands beside secret; right would be one of them");
        }
    }
    return true;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static void read_root(struct loader *loader, const struct config_node *root)
{
    struct outcome outcomes[N_KEYS];
    if (root && root->bad)
        return;
    if (!root || is_null(root))
        fault_at(loader, 1, 1, "cameras", "missing, as the file is empty; right would be at least one camera");
    else if (root->type != CONFIG_MAPPING)
        fault_at(loader, root->line, root->column, "", "the file holds %s; right would be keys: cameras, ...",
                 root->type == CONFIG_SEQUENCE ? "a list" : "a single value");
    else
        read_keys(loader, ROOT, root, root->line, root->column, "", loader->config, outcomes);
}

int config_load_memory(struct config **ret, const void *data, size_t size, const char *path,
                       void (*fault)(void *arg, const char *text), void *arg)
{
    struct loader loader = {.path = path};
    struct config_node *root = NULL;
    const char *slash = strrchr(path, '/');
    int r = -ENOMEM;

    loader.config = calloc(1, sizeof *loader.config);
    loader.folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    if (loader.config)
        loader.config->path = strdup(path);
    if (loader.config && loader.config->path && loader.folder) {
        r = config_yaml_parse(&root, data, size, yaml_fault, &loader);
        if (r == 0)
            read_root(&loader, root);
        if (loader.out_of_memory)
            r = -ENOMEM;
        else if (r == 0 && loader.n_faults)
            r = -EINVAL;
    }
    config_node_free(root);

    if (loader.n_faults)
        qsort(loader.faults, loader.n_faults, sizeof *loader.faults, by_place);
    for (size_t i = 0; i < loader.n_faults; i++) {
        fault(arg, loader.faults[i].text);
        free(loader.faults[i].text);
    }
    free(loader.faults);
    free(loader.folder);
    if (r < 0)
        config_free(loader.config);
    else
        *ret = loader.config;
    return r;
}

int config_load(struct config **ret, const char *path, void (*fault)(void *arg, const char *text), void *arg)
{
    /* One byte more than may be, so that the parser sees what is too long. */
    const size_t room = CONFIG_YAML_MAX_SIZE + 1;
    char *data = malloc(room), *text = NULL;
    size_t size = 0;
    int r = 0;

    if (!data)
        return -ENOMEM;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        r = -errno;
    while (r == 0 && size < room) {
        ssize_t n = read(fd, data + size, room - size);
        if (n == 0)
            break;
        if (n > 0)
            size += (size_t)n;
        else if (errno != EINTR)
            r = -errno;
    }
    if (fd >= 0)
        close(fd);
    if (r == 0)
        r = config_load_memory(ret, data, size, path, fault, arg);
    else if (asprintf(&text, "%s: %s; right would be a configuration file that can be read", path, strerror(-r)) >= 0)
        fault(arg, text);
    free(text);
    explicit_bzero(data, size);
    free(data);
    return r;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n_cameras; i++) {
        free(config->cameras[i].name);
        wipe(config->cameras[i].source);
        free(config->cameras[i].model);
    }
    for (size_t i = 0; i < config->n_webhooks; i++) {
        wipe(config->webhooks[i].url);
        explicit_bzero(config->webhooks[i].secret, sizeof config->webhooks[i].secret);
    }
    free(config->cameras);
    free(config->webhooks);
    free(config->path);
    free(config->state_dir);
    free(config->listen_address);
    free(config);
}

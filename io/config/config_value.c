#include "io/config/config_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/printable.h"

enum { MAX_TEXT = 1 << 16 };

void config_expected(const struct config_row *row, char *out, size_t size)
{
    if (row->max > row->min)
        snprintf(out, size, "%s from %.10g to %.10g", row->type->expected, row->min, row->max);
    else
        snprintf(out, size, "%s", row->type->expected);
}

bool config_got(const struct config_value *value, const char *format, ...)
{
    char *got = NULL, expected[CONFIG_EXPECTED_SIZE];
    va_list args;
    va_start(args, format);
    int n = vasprintf(&got, format, args);
    va_end(args);
    if (n < 0) {
        value->loader->faults.out_of_memory = true;
        return false;
    }
    config_expected(value->row, expected, sizeof expected);
    config_fault(&value->loader->faults, value->line, value->column, value->path, "expected %s, got %s", expected, got);
    free(got);
    return false;
}

const char *config_kind(const struct config_node *node)
{
    return node->type == CONFIG_MAPPING ? "a mapping" : node->type == CONFIG_SEQUENCE ? "a list" : "a single value";
}

/* ---- texts -------------------------------------------------------------------------------------------------------- */

char *config_copy(struct config_loader *loader, const char *text)
{
    char *ret = strdup(text);
    if (!ret)
        loader->faults.out_of_memory = true;
    return ret;
}

void config_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* Replaces every ${NAME} in the value's text; $${ becomes ${. Returns the length of the result. out NULL: reports each
 * fault and returns -1 after one. Else writes the result to out, which has room for it; the first pass found no fault. */
static ssize_t expand_into(const struct config_value *value, char *out)
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
                    config_fault(&value->loader->faults, value->line, value->column, value->path,
                                 "expected ${NAME}, or $${ for the two characters themselves, got ${ without NAME}");
                return -1;
            }
            memcpy(name, p + 2, length);
            name[length] = 0;
            p += length + 3;
            text = getenv(name);
            if (!text) {
                config_fault(&value->loader->faults, value->line, value->column, value->path,
                             "expected the environment variable %s, got none of that name", name);
                bad = true;
                continue;
            }
            size = strlen(text);
        } else {
            p++;
        }
        if (size > MAX_TEXT - n) {
            config_fault(&value->loader->faults, value->line, value->column, value->path,
                         "expected a text of at most %d bytes, got more", (int)MAX_TEXT);
            return -1;
        }
        if (out)
            memcpy(out + n, text, size);
        n += size;
    }
    return bad ? -1 : (ssize_t)n;
}

char *config_expand(const struct config_value *value)
{
    ssize_t n = expand_into(value, NULL);
    if (n < 0)
        return NULL;
    char *text = malloc((size_t)n + 1);
    if (!text) {
        value->loader->faults.out_of_memory = true;
        return NULL;
    }
    expand_into(value, text);
    text[n] = 0;
    bool control;
    for (size_t at = 0, length; text[at]; at += length) {
        length = printable_next(text + at, &control);
        if (control) {
            config_fault(&value->loader->faults, value->line, value->column, value->path,
                         "expected a text without control characters, got 0x%02x in it", (unsigned char)text[at + length - 1]);
            config_wipe(text);
            return NULL;
        }
    }
    return text;
}

bool config_is_null(const struct config_node *node)
{
    return node->type == CONFIG_SCALAR && node->plain &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

/* Reports a number or bool in quotes, which is a text. Quotes around ${NAME} are allowed, because flow style needs them. */
static bool is_quoted(const struct config_value *value)
{
    struct config_shown shown;
    if (value->node->plain || strstr(value->node->text, "${"))
        return false;
    config_got(value, "\"%s\", a text in quotes", config_show(&shown, value->node->text));
    return true;
}

bool config_read_number(const char *text, bool whole, double *ret)
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

/* ---- sets ---------------------------------------------------------------------------------------------------------- */

bool config_read_set(const struct config_value *value, const struct config_names *names, unsigned *ret)
{
    const struct config_node *list = value->node;
    struct config_faults *faults = &value->loader->faults;
    unsigned chosen = 0;
    bool right = true;
    if (list->type != CONFIG_SEQUENCE)
        return config_got(value, "%s", config_kind(list));
    for (size_t i = 0; i < list->n; i++) {
        const struct config_node *item = list->items[i];
        struct config_shown shown;
        const char *best = NULL;
        size_t best_distance = 0;
        unsigned bit = 0;
        if (item->bad)
            continue;
        for (int k = 0; item->type == CONFIG_SCALAR && k < names->n; k++) {
            config_nearest(&best, &best_distance, item->text, names->name(k));
            bit |= strcmp(names->name(k), item->text) == 0 ? 1u << k : 0;
        }
        if (item->type != CONFIG_SCALAR)
            config_fault(faults, item->line, item->column, value->path, "expected %s, got %s", names->words, config_kind(item));
        else if (!bit)
            config_fault(faults, item->line, item->column, value->path, "expected %s, got \"%s\"%s%s%s", names->words,
                         config_show_key(&shown, item->text), best ? "; did you mean \"" : "", best ? best : "",
                         best ? "\"?" : "");
        else if (chosen & bit)
            config_fault(faults, item->line, item->column, value->path, "\"%s\" is given twice; keep one", item->text);
        right &= bit && !(chosen & bit);
        chosen |= bit;
    }
    *ret = chosen;
    return right;
}

/* ---- types -------------------------------------------------------------------------------------------------------- */

static bool number_in_range(const struct config_value *value, bool whole, double *ret)
{
    struct config_shown shown;
    double number;
    if (is_quoted(value))
        return false;
    if (!config_read_number(value->text, whole, &number))
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    if (!(number >= value->row->min && number <= value->row->max))
        return config_got(value, "%s", config_show(&shown, value->node->text));
    *ret = number;
    return true;
}

static bool parse_whole(const struct config_value *value, void *target)
{
    double number;
    if (!number_in_range(value, true, &number))
        return false;
    *(int *)target = (int)number;
    return true;
}

static bool parse_number(const struct config_value *value, void *target)
{
    return number_in_range(value, false, target);
}

static bool parse_workers(const struct config_value *value, void *target)
{
    if (strcmp(value->text, "auto") != 0)
        return parse_whole(value, target);
    *(int *)target = 0;
    return true;
}

static bool parse_bool(const struct config_value *value, void *target)
{
    struct config_shown shown;
    if (is_quoted(value))
        return false;
    if (strcmp(value->text, "true") != 0 && strcmp(value->text, "false") != 0)
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    *(bool *)target = value->text[0] == 't';
    return true;
}

static bool parse_transport(const struct config_value *value, void *target)
{
    struct config_shown shown;
    if (strcmp(value->text, "tcp") != 0 && strcmp(value->text, "udp") != 0)
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    *(bool *)target = value->text[0] == 'u';
    return true;
}

static bool parse_static(const struct config_value *value, void *target)
{
    struct config_shown shown;
    bool off = strcmp(value->text, "off") == 0;
    if (!off && strcmp(value->text, "auto") != 0)
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    *(bool *)target = off;
    return true;
}

static bool parse_isolation(const struct config_value *value, void *target)
{
    struct config_shown shown;
    bool in_thread = strcmp(value->text, "thread") == 0;
    if (!in_thread && strcmp(value->text, "process") != 0)
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    *(bool *)target = in_thread;
    return true;
}

static bool parse_precision(const struct config_value *value, void *target)
{
    struct config_shown shown;
    if (!precision_find(target, value->text))
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    return true;
}

char *config_resolve(struct config_loader *loader, const char *path)
{
    char *ret = NULL;
    if (path[0] == '/')
        return config_copy(loader, path);
    if (asprintf(&ret, "%s/%s", loader->folder, path) < 0) {
        loader->faults.out_of_memory = true;
        return NULL;
    }
    return ret;
}

static bool parse_path(const struct config_value *value, void *target)
{
    *(char **)target = config_resolve(value->loader, value->text);
    return true;
}

const char *config_show_path(struct config_shown *shown, const struct config_value *value, const char *path)
{
    return config_show(shown, strstr(value->node->text, "${") ? value->node->text : path);
}

bool config_has_scheme(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.,";
    size_t n = strspn(text, letters);
    return n >= 2 && text[n] == ':';
}

static bool parse_source(const struct config_value *value, void *target)
{
    struct config_shown shown;
    const char *text = value->text;
    if (strncmp(text, "file:", 5) == 0) {
        text += strncmp(text, "file:///", 8) == 0 ? 7 : 5;
        if (!*text)
            return config_got(value, "file: without a path");
    }
    char *path = config_resolve(value->loader, text);
    if (path && access(path, R_OK) == 0) {
        *(char **)target = path;
        return true;
    }
    int error = errno;
    if (path && text == value->text && (strstr(text, "://") || config_has_scheme(text))) {
        config_wipe(path);
        *(char **)target = config_copy(value->loader, text);
        return true;
    }
    if (path && strchr(text, '%')) {
        *(char **)target = path;
        return true;
    }
    if (path)
        config_got(value, "\"%s\" (%s)", config_show_path(&shown, value, path), strerror(error));
    config_wipe(path);
    return false;
}

/* A URL of a stream, which paces itself, or of HTTP. */
static bool parse_stream(const struct config_value *value, void *target)
{
    struct config_shown shown;
    if (!strstr(value->text, "://") || strncmp(value->text, "file:", 5) == 0)
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    *(char **)target = config_copy(value->loader, value->text);
    return true;
}

static bool parse_model(const struct config_value *value, void *target)
{
    struct config_shown shown;
    struct stat status;
    char *path = config_resolve(value->loader, value->text);
    if (!path)
        return false;
    bool there = stat(path, &status) == 0;
    if (!there && errno == ENOENT && value->loader->unlearned) {
        *(char **)target = path;
        return true;
    }
    if (!there || access(path, R_OK) < 0)
        config_got(value, "\"%s\" (%s)", config_show_path(&shown, value, path), strerror(errno));
    else if (!S_ISREG(status.st_mode))
        config_got(value, "\"%s\" (not a regular file)", config_show_path(&shown, value, path));
    else {
        *(char **)target = path;
        return true;
    }
    free(path);
    return false;
}

static bool parse_name(const struct config_value *value, void *target)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t n = strlen(value->text);
    if (n > 64 || strspn(value->text, letters) != n)
        return config_got(value, n > 64 ? "a longer one" : "other characters");
    *(char **)target = config_copy(value->loader, value->text);
    return true;
}

static bool parse_file(const struct config_value *value, void *target)
{
    struct config_shown shown;
    struct stat status;
    char *path = config_resolve(value->loader, value->text);
    if (!path)
        return false;
    if (stat(path, &status) < 0 || access(path, R_OK) < 0) {
        config_got(value, "\"%s\" (%s)", config_show_path(&shown, value, path), strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        config_got(value, "\"%s\" (not a regular file)", config_show_path(&shown, value, path));
    } else {
        *(char **)target = path;
        return true;
    }
    free(path);
    return false;
}

static bool parse_listen(const struct config_value *value, void *target)
{
    struct config *config = value->loader->config;
    struct config_shown shown;
    const char *text = value->text, *host = text, *colon = strrchr(text, ':');
    char address[INET6_ADDRSTRLEN];
    unsigned char binary[16];
    bool v6 = *text == '[';
    double port;
    (void)target;

    if (!colon)
        return config_got(value, "\"%s\" without a port", config_show(&shown, value->node->text));
    if (v6 && (colon < text + 2 || colon[-1] != ']'))
        return config_got(value, "\"%s\" without a port", config_show(&shown, value->node->text));
    host += v6;
    size_t n = (size_t)(colon - host) - v6;
    if (n >= sizeof address)
        return config_got(value, "\"%s\" without a numeric address", config_show(&shown, value->node->text));
    memcpy(address, host, n);
    address[n] = 0;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, address, binary) != 1)
        return config_got(value, "\"%s\" without a numeric address", config_show(&shown, value->node->text));
    if (colon[1] < '0' || colon[1] > '9' || !config_read_number(colon + 1, true, &port) || port > 65535)
        return config_got(value, "\"%s\" without a port from 0 to 65535", config_show(&shown, value->node->text));
    config->listen_address = config_copy(value->loader, address);
    config->listen_port = (int)port;
    return true;
}

/* Returns true if a name may stand in a Host header, without a port. */
static bool is_host_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t n = strspn(text, letters);
    return n >= 1 && n <= 253 && !text[n];
}

static bool parse_names(const struct config_value *value, void *target)
{
    const struct config_node *list = value->node;
    struct config *config = value->loader->config;
    struct config_shown shown;
    bool right = true;
    (void)target;
    if (!list)
        return true;
    if (list->type != CONFIG_SEQUENCE)
        return config_got(value, "%s", config_kind(list));
    if (list->n < 1 || list->n > CONFIG_MAX_HOST_NAMES)
        return config_got(value, "a list of %zu", list->n);
    config->host_names = calloc(list->n, sizeof *config->host_names);
    if (!config->host_names) {
        value->loader->faults.out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct config_node *item = list->items[i];
        struct config_faults *faults = &value->loader->faults;
        if (item->bad)
            continue;
        if (item->type != CONFIG_SCALAR)
            config_fault(faults, item->line, item->column, value->path, "expected a name such as cams.example, got %s",
                         config_kind(item));
        else if (!is_host_name(item->text))
            config_fault(faults, item->line, item->column, value->path, "expected a name such as cams.example, without a port, "
                         "got \"%s\"", config_show(&shown, item->text));
        else if ((config->host_names[config->n_host_names] = config_copy(value->loader, item->text)) != NULL) {
            config->n_host_names++;
            continue;
        }
        right = false;
    }
    return right;
}

static bool parse_url(const struct config_value *value, void *target)
{
    const char *text = value->text, *host = NULL;
    if (strncasecmp(text, "http://", 7) == 0)
        host = text + 7;
    else if (strncasecmp(text, "https://", 8) == 0)
        host = text + 8;
    if (!host)
        return config_got(value, "a text that begins with neither");
    if (strcspn(host, "/?#") == 0)
        return config_got(value, "a URL without a host");
    if (strchr(text, ' '))
        return config_got(value, "a URL with a blank in it");
    *(char **)target = config_copy(value->loader, text);
    return true;
}

const struct config_type
    config_type_whole = {"a whole number", true, parse_whole},
    config_type_number = {"a number", true, parse_number},
    config_type_bool = {"true or false", true, parse_bool},
    config_type_path = {"a path", true, parse_path},
    config_type_name = {"1 to 64 characters of a-z, 0-9, _ and -", true, parse_name},
    config_type_file = {"a file that exists", true, parse_file},
    config_type_source = {"a URL, an image pattern with %, or a file or folder that exists", true, parse_source},
    config_type_stream = {"a URL of a stream, such as rtsp://", true, parse_stream},
    config_type_model = {"a model file that exists", true, parse_model},
    config_type_transport = {"tcp or udp", true, parse_transport},
    config_type_precision = {"auto, fp32 or int8", true, parse_precision},
    config_type_static = {"auto or off", true, parse_static},
    config_type_isolation = {"process or thread", true, parse_isolation},
    config_type_workers = {"auto or a whole number", true, parse_workers},
    config_type_listen = {"ADDRESS:PORT such as 127.0.0.1:8787 or \"[::1]:8787\"", true, parse_listen},
    config_type_names = {"a list of 1 to 32 names", false, parse_names},
    config_type_url = {"a URL that begins with http:// or https://", true, parse_url};

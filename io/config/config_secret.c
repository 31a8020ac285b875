#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/base/printable.h"
#include "io/base/read_file.h"
#include "io/base/redact.h"
#include "io/config/config_value.h"

enum { MAX_SECRET_FILE = 4096, MIN_SECRET = 24, MAX_SECRET = sizeof((struct config_webhook *)0)->secret };

/* Strict base64, padding included. Returns the number of bytes, or -1 if the text is not base64 or decodes to more than
 * max. */
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

/* Decodes whsec_… into ret and *size, or reports a fault. what: "a text" or "a file", for the fault. */
static bool decode_secret(const struct config_value *value, const char *text, const char *what, unsigned char ret[MAX_SECRET],
                          size_t *size)
{
    unsigned char bytes[2 * MAX_SECRET];
    if (strncmp(text, "whsec_", 6) != 0)
        return config_got(value, "%s that does not begin with whsec_", what);
    ssize_t n = base64_decode(text + 6, bytes, sizeof bytes);
    bool right = n >= MIN_SECRET && n <= MAX_SECRET;
    if (right) {
        memcpy(ret, bytes, (size_t)n);
        *size = (size_t)n;
    } else if (n < 0 && strlen(text) < 6 + sizeof bytes / 3 * 4) {
        config_got(value, "%s that is not base64 after whsec_", what);
    } else {
        bool too_long = n < 0 || n > MIN_SECRET;
        config_got(value, "%s that decodes to %s than %d bytes", what, too_long ? "more" : "fewer",
                   too_long ? (int)MAX_SECRET : (int)MIN_SECRET);
    }
    explicit_bzero(bytes, sizeof bytes);
    return right;
}

/* Copies the text without its ${NAME}s. NULL: memory is short. */
static char *without_variables(const char *text)
{
    char *ret = malloc(strlen(text) + 1), *to = ret;
    while (ret && *text) {
        const char *end = strncmp(text, "${", 2) == 0 ? strchr(text, '}') : NULL;
        if (end)
            text = end + 1;
        else
            *to++ = *text++;
    }
    if (ret)
        *to = 0;
    return ret;
}

bool config_holds_text(const char *text)
{
    char *rest = without_variables(text);
    bool found = !rest || *rest;
    config_wipe(rest);
    return found;
}

/* Returns true if redact() hides a value of the URL that is not empty. */
static bool hides_value(const char *url)
{
    size_t size = 4 * strlen(url) + 8;
    char *shown = malloc(size);
    bool found = false;
    if (!shown)
        return false;
    redact(shown, size, url);
    const char *a = url, *b = shown;
    while (!found && *b) {
        if (*a == *b) {
            a++;
            b++;
        } else {            /* "***" for a value that is empty in url, or not */
            size_t stars = strspn(b, "*");
            found = (*a && !strchr("&#", *a)) || stars == 0;
            b += stars;
        }
    }
    config_wipe(shown);
    return found;
}

bool config_holds_password(const char *text)
{
    char *url = without_variables(text), *user = url ? strstr(url, "://") : NULL;
    bool found = false;
    if (user) {
        user += 3;
        size_t n = strcspn(user, "?");
        char *at = memrchr(user, '@', n), *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
        found = colon && colon + 1 < at;
        if (at)
            memmove(user, at + 1, strlen(at + 1) + 1);
        found = found || hides_value(url);
    }
    config_wipe(url);
    return found;
}

static bool parse_secret(const struct config_value *value, void *target)
{
    struct config_webhook *webhook = target;
    return decode_secret(value, value->text, "a text", webhook->secret, &webhook->secret_size);
}

static bool parse_old_secret(const struct config_value *value, void *target)
{
    struct config_webhook *webhook = target;
    return decode_secret(value, value->text, "a text", webhook->old_secret, &webhook->old_secret_size);
}

/* Reads the text of the file that the value names, without the ends of its last lines, and whether all users can read the
 * file. The caller's, for config_wipe(). NULL: a fault was reported. The fault shows the path only if shows_path is true: it may
 * be the secret itself. */
static char *read_text(const struct config_value *value, bool shows_path, bool *is_open)
{
    struct config_shown shown;
    struct error err;
    struct stat status;
    char *text = NULL, *path = config_resolve(value->loader, value->text);
    size_t n;
    if (!path)
        return NULL;
    int r = read_file(&text, &n, path, MAX_SECRET_FILE, &err);
    if (r == 0 && memchr(text, 0, n))
        r = error_set(&err, -EINVAL, "not text");
    if (r < 0) {
        config_got(value, "\"%s\" (%s)", shows_path ? config_show_path(&shown, value, path) : "...", err.text);
        if (text)
            explicit_bzero(text, n);
        free(text);
        text = NULL;
    } else {
        *is_open = stat(path, &status) == 0 && (status.st_mode & S_IROTH);
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
            text[--n] = 0;
    }
    free(path);
    return text;
}

static bool read_secret_file(const struct config_value *value, const char *key, bool *is_open, unsigned char ret[MAX_SECRET],
                             size_t *size)
{
    if (strncmp(value->text, "whsec_", 6) == 0)
        return config_got(value, "the secret itself; use the key %s for it", key);
    char *text = read_text(value, true, is_open);
    bool right = text && decode_secret(value, text, "a file", ret, size);
    config_wipe(text);
    return right;
}

static bool parse_secret_file(const struct config_value *value, void *target)
{
    struct config_webhook *webhook = target;
    return read_secret_file(value, "secret", &webhook->secret_file_is_open, webhook->secret, &webhook->secret_size);
}

static bool parse_old_secret_file(const struct config_value *value, void *target)
{
    struct config_webhook *webhook = target;
    return read_secret_file(value, "old_secret", &webhook->old_secret_file_is_open, webhook->old_secret,
                            &webhook->old_secret_size);
}

/* Replaces *field by a copy of text. */
static bool set_text(const struct config_value *value, char **field, const char *text)
{
    config_wipe(*field);
    *field = config_copy(value->loader, text);
    return *field != NULL;
}

static bool parse_user(const struct config_value *value, void *target)
{
    if (strchr(value->text, ':'))
        return config_got(value, "a text with a colon in it");
    return set_text(value, target, value->text);
}

static bool parse_password(const struct config_value *value, void *target)
{
    return set_text(value, &((struct config_camera *)target)->password, value->text);
}

static bool parse_password_file(const struct config_value *value, void *target)
{
    struct config_camera *camera = target;
    char *text = read_text(value, false, &camera->password_file_is_open);
    bool right = false, control = false;
    if (text) {
        for (size_t at = 0; text[at] && !control;)
            at += printable_next(text + at, &control);
        right = !*text    ? config_got(value, "an empty file")
                : control ? config_got(value, "a file with control characters in it, or of several lines")
                          : set_text(value, &camera->password, text);
    }
    config_wipe(text);
    return right;
}

const struct config_type
    config_type_secret = {"whsec_ and 24 to 64 bytes in base64", true, parse_secret},
    config_type_secret_file = {"a file that holds whsec_ and 24 to 64 bytes in base64", true, parse_secret_file},
    config_type_old_secret = {"whsec_ and 24 to 64 bytes in base64", true, parse_old_secret},
    config_type_old_secret_file = {"a file that holds whsec_ and 24 to 64 bytes in base64", true, parse_old_secret_file},
    config_type_user = {"a text without a colon", true, parse_user},
    config_type_password = {"a text", true, parse_password},
    config_type_password_file = {"a file that holds the password in one line", true, parse_password_file};

#include "io/config/config_fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/printable.h"
#include "io/base/redact.h"

__attribute__((format(printf, 5, 0)))
static void fault_v(struct config_faults *faults, int line, int column, const char *path, const char *format,
                    va_list args)
{
    char *cause = NULL, *text = NULL;
    if (vasprintf(&cause, format, args) < 0) {
        faults->out_of_memory = true;
        return;
    }
    if (asprintf(&text, "%s:%d:%d: %s%s%s", faults->path, line, column, path, *path ? ": " : "", cause) < 0)
        text = NULL;
    free(cause);
    if (text && faults->n == faults->room) {
        size_t room = faults->room ? 2 * faults->room : 16;
        struct config_fault *list = realloc(faults->list, room * sizeof *list);
        if (list) {
            faults->list = list;
            faults->room = room;
        }
    }
    if (!text || faults->n == faults->room) {
        free(text);
        faults->out_of_memory = true;
        return;
    }
    faults->list[faults->n] = (struct config_fault){line, column, faults->n, text};
    faults->n++;
}

void config_fault(struct config_faults *faults, int line, int column, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault_v(faults, line, column, path, format, args);
    va_end(args);
}

static int by_place(const void *a, const void *b)
{
    const struct config_fault *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void config_faults_tell(struct config_faults *faults, void (*fault)(void *arg, const char *text), void *arg)
{
    if (faults->n)
        qsort(faults->list, faults->n, sizeof *faults->list, by_place);
    for (size_t i = 0; i < faults->n; i++) {
        fault(arg, faults->list[i].text);
        free(faults->list[i].text);
    }
    free(faults->list);
    faults->list = NULL;
    faults->n = faults->room = 0;
}

const char *config_show(struct config_shown *shown, const char *text)
{
    char safe[512];
    size_t i;
    redact(safe, sizeof safe, text);
    printable(safe);
    for (i = 0; safe[i] && i < sizeof shown->text - 4; i++)
        shown->text[i] = safe[i];
    if (safe[i]) {
        while (i > 0 && (safe[i] & 0xc0) == 0x80)       /* cut between characters of UTF-8 */
            i--;
        memcpy(shown->text + i, "...", 3);
        i += 3;
    }
    shown->text[i] = 0;
    return shown->text;
}

const char *config_show_key(struct config_shown *shown, const char *key)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
    size_t n = strlen(key);
    if (n == 0 || n > CONFIG_MAX_SHOWN_KEY || strspn(key, letters) != n || strncmp(key, "whsec_", 6) == 0)
        return "?";
    return config_show(shown, key);
}

/* The Levenshtein distance: how many edits turn a into b. */
static size_t distance(const char *a, const char *b)
{
    size_t row[CONFIG_MAX_SHOWN_KEY + 1], n = strlen(b);
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

void config_nearest(const char **best, size_t *best_distance, const char *word, const char *candidate)
{
    if (strlen(word) > CONFIG_MAX_SHOWN_KEY)
        return;
    size_t d = distance(word, candidate), limit = 1 + strlen(candidate) / 3;
    if (d <= limit && (!*best || d < *best_distance)) {
        *best = candidate;
        *best_distance = d;
    }
}

#include "io/footage/labels.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *name, *at, *end, *line_start;
    int line;
};

static int fault(const struct parser *p, int code, struct error *err, const char *text)
{
    return error_set(err, code, "%s:%d:%td: %s", p->name, p->line, p->at - p->line_start + 1, text);
}

static bool at_blank(const struct parser *p)
{
    return p->at < p->end && (*p->at == ' ' || *p->at == '\t' || (*p->at == '\r' && p->at + 1 < p->end && p->at[1] == '\n'));
}

static bool at_line_end(const struct parser *p)
{
    return p->at == p->end || *p->at == '\n';
}

static void skip_blanks(struct parser *p)
{
    while (at_blank(p))
        p->at++;
}

static int parse_name(struct parser *p, struct labels_clip *clip, struct error *err)
{
    const char *start = p->at;

    while (!at_line_end(p) && !at_blank(p)) {
        if (*p->at == '/' || *p->at == '\0')
            return fault(p, -EINVAL, err, "expected a clip's name without folders");
        p->at++;
    }
    clip->name = strndup(start, (size_t)(p->at - start));
    if (!clip->name)
        return fault(p, -ENOMEM, err, "out of memory");
    if (strcmp(clip->name, ".") == 0 || strcmp(clip->name, "..") == 0) {
        p->at = start;
        return fault(p, -EINVAL, err, "expected a clip's name, got a relative path");
    }
    return 0;
}

static int parse_labels(struct parser *p, struct labels_clip *clip, struct error *err)
{
    const char *line_end = memchr(p->at, '\n', (size_t)(p->end - p->at));
    size_t room = (size_t)((line_end ? line_end : p->end) - p->at);

    clip->labels = malloc(room / 2 + 1);        /* each label is a blank and a digit */
    if (!clip->labels)
        return fault(p, -ENOMEM, err, "out of memory");
    for (;;) {
        const char *before = p->at;

        skip_blanks(p);
        if (at_line_end(p))
            break;
        if (p->at == before || (*p->at != '0' && *p->at != '1'))
            return fault(p, -EINVAL, err, "expected 0 or 1 per frame, separated by blanks");
        clip->labels[clip->n++] = *p->at++ == '1';
    }
    return clip->n > 0 ? 0 : fault(p, -EINVAL, err, "expected 0 or 1 per frame after the clip's name, got no labels");
}

static int parse_line(struct parser *p, struct labels *labels, struct error *err)
{
    struct labels_clip *clips, *clip;
    int r;

    skip_blanks(p);
    if (at_line_end(p))
        return 0;
    clips = realloc(labels->clips, (labels->n + 1) * sizeof *clips);
    if (!clips)
        return fault(p, -ENOMEM, err, "out of memory");
    labels->clips = clips;
    clip = &clips[labels->n++];
    *clip = (struct labels_clip){.line = p->line};
    r = parse_name(p, clip, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i + 1 < labels->n; i++)
        if (strcmp(clips[i].name, clip->name) == 0)
            return error_set(err, -EINVAL, "%s:%d: clip %s is given twice, first in line %d", p->name, p->line, clip->name,
                             clips[i].line);
    return parse_labels(p, clip, err);
}

int labels_load_memory(struct labels *ret, const char *text, size_t size, const char *name, struct error *err)
{
    struct parser p = {.name = name, .at = text, .end = text + size, .line_start = text, .line = 1};
    struct labels labels = {0};
    int r;

    for (; p.at < p.end; p.at++, p.line_start = p.at, p.line++) {
        r = parse_line(&p, &labels, err);
        if (r < 0)
            goto fail;
        if (p.at == p.end)
            break;
    }
    if (labels.n == 0) {
        r = error_set(err, -EINVAL, "%s: expected one line per clip: its name, then 0 or 1 per frame; got no labels", name);
        goto fail;
    }
    *ret = labels;
    return 0;
fail:
    labels_clear(&labels);
    return r;
}

int labels_load(struct labels *ret, const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    char *text = NULL, *more;
    size_t size = 0, room = 0, n;
    int r;

    if (!file) {
        r = -errno;
        return error_set(err, r, "%s: %s", path, strerror(-r));
    }
    do {
        if (size == room) {
            room = room ? 2 * room : 65536;
            more = realloc(text, room);
            if (!more) {
                r = error_set(err, -ENOMEM, "%s: out of memory", path);
                goto end;
            }
            text = more;
        }
        errno = 0;
        n = fread(text + size, 1, room - size, file);
        size += n;
    } while (n > 0);
    if (ferror(file)) {
        r = errno ? -errno : -EIO;
        error_set(err, r, "%s: %s", path, strerror(-r));
        goto end;
    }
    r = labels_load_memory(ret, text, size, path, err);
end:
    free(text);
    fclose(file);
    return r;
}

void labels_clear(struct labels *labels)
{
    for (size_t i = 0; i < labels->n; i++) {
        free(labels->clips[i].name);
        free(labels->clips[i].labels);
    }
    free(labels->clips);
    *labels = (struct labels){0};
}

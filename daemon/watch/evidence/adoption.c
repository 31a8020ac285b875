#include "daemon/watch/evidence/adoption.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/watch/evidence/place.h"
#include "io/base/beneath.h"
#include "io/database/alert_rows.h"

/* An alert has one file of each kind; the first that is there. */
static const struct { enum evidence_kind kind; const char *name; } names[] = {
    {EVIDENCE_SNAPSHOT, "snapshot.jpg"},
    {EVIDENCE_WHY, "why.jpg"},
    {EVIDENCE_CLIP, "clip.mp4"},
    {EVIDENCE_CLIP, "clip.mkv"},
    {EVIDENCE_COPY, "copy.mp4"},
};

/* Writes size and time of the file to its row. 1; 0: there is no plain file that can be read; -EBUSY: it is being written. */
static int measure(int state_dir, struct evidence_row *row)
{
    struct stat file;
    int fd = beneath_open(state_dir, row->path, O_RDONLY | O_NONBLOCK);         /* a pipe would block */
    if (fd < 0)
        return 0;
    int r = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK ? -EBUSY : fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
    close(fd);
    if (r == 1) {
        row->bytes = file.st_size;
        row->made_us = file.st_mtim.tv_sec * INT64_C(1000000) + file.st_mtim.tv_nsec / 1000;
    }
    return r;
}

static bool has_kind(const struct evidence_row *rows, size_t n, enum evidence_kind kind)
{
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found |= rows[i].kind == kind;
    return found;
}

/* Reads the rows of the alert into rows [EVIDENCE_KINDS], and appends those that its files lack: they are rows[*n_old] to
 * rows[*n - 1]. 0, also where the database does not know the alert; -EBUSY: a file is being written. */
static int find_rows(const struct adoption_options *options, int state_dir, uint64_t id, struct evidence_row *rows, size_t *n_old,
                     size_t *n, struct error *err)
{
    struct alert_record alert;
    int r = evidence_rows_of(options->database, id, rows, n, err);
    if (r == 0) {
        *n_old = *n;
        r = alert_rows_find(options->database, id, &alert, err);
    }
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    const struct place place = {.camera = alert.camera, .opened_us = alert.opened_us, .alert = id};
    for (size_t i = 0; r >= 0 && i < sizeof names / sizeof names[0]; i++) {
        struct evidence_row row = {.alert = id, .kind = names[i].kind};
        char path[PLACE_PATH_SIZE];
        if (has_kind(rows, *n, row.kind) || place_path(path, &place, names[i].name) < 0)
            continue;
        snprintf(row.path, sizeof row.path, "%s", path);
        r = measure(state_dir, &row);
        if (r == 1)
            rows[(*n)++] = row;
    }
    return r < 0 ? r : 0;
}

int adoption_step(struct adoption *adoption, const struct adoption_options *options, struct error *err)
{
    const struct evidence_tree *tree = options->tree;
    size_t i = tree->n;
    int looked = 0;
    int state_dir = open(options->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = state_dir < 0 ? error_set(err, -errno, "%s: %s", options->state_dir, strerror(errno)) : 0;
    while (r == 0 && i > 0 && looked < ADOPTION_ALERTS) {
        struct evidence_row rows[EVIDENCE_KINDS];
        size_t n_old = 0, n = 0;
        uint64_t id = tree->alerts[--i].id;
        if (id >= adoption->below)
            continue;
        options->step(options->arg);
        r = find_rows(options, state_dir, id, rows, &n_old, &n, err);
        if (r < 0)
            break;
        for (size_t k = n_old; k < n; k++)
            options->add(options->arg, &rows[k]);
        adoption->files += (unsigned)(n - n_old);
        adoption->below = id;
        looked++;
    }
    if (r == 0 && i == 0)
        adoption->below = 0;
    if (state_dir >= 0)
        close(state_dir);
    return r == -EBUSY ? 0 : r;
}

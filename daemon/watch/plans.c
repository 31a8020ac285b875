#include "daemon/watch/plans.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/score/calibration.h"

struct shared {
    struct shared *next;
    struct plan *plan;
    size_t users;
    char *path;
    struct model_identity identity;
    enum precision precision;
};

struct plans {
    struct shared *first;
};

static bool time_equal(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

struct model_identity model_identity_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return (struct model_identity){0};
    return (struct model_identity){.device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .modified = st.st_mtim,
                                   .changed = st.st_ctim};
}

bool model_identity_equal(const struct model_identity *a, const struct model_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && time_equal(a->modified, b->modified) &&
           time_equal(a->changed, b->changed);
}

int plans_open(struct plans **ret)
{
    struct plans *plans = calloc(1, sizeof *plans);
    if (!plans)
        return -ENOMEM;
    *ret = plans;
    return 0;
}

void plans_close(struct plans *plans)
{
    assert(!plans || !plans->first);
    free(plans);
}

int plans_take(struct plans *plans, const struct plan **ret, const char *path, const struct model_identity *identity,
               const struct model_file *file, enum precision wish, struct error *err)
{
    const struct calibration *calibration = file->has_calibration ? &file->calibration : NULL;
    enum precision precision = calibration_precision(calibration, wish);
    for (struct shared *s = plans->first; s; s = s->next)
        if (s->precision == precision && strcmp(s->path, path) == 0 && model_identity_equal(&s->identity, identity)) {
            s->users++;
            *ret = s->plan;
            return 0;
        }
    struct shared *s = calloc(1, sizeof *s);
    char *copy = strdup(path);
    int r = s && copy ? calibration_open_plan(&s->plan, file->model, calibration, wish, err)
                      : error_set(err, -ENOMEM, "%s: out of memory", path);
    if (r < 0) {
        free(copy);
        free(s);
        return r;
    }
    *s = (struct shared){.next = plans->first, .plan = s->plan, .users = 1, .path = copy, .identity = *identity,
                         .precision = precision};
    plans->first = s;
    *ret = s->plan;
    return 0;
}

void plans_give(struct plans *plans, const struct plan *plan)
{
    struct shared **at = &plans->first;
    while (*at && (*at)->plan != plan)
        at = &(*at)->next;
    struct shared *s = *at;
    assert(s);
    if (--s->users > 0)
        return;
    *at = s->next;
    plan_close(s->plan);
    free(s->path);
    free(s);
}

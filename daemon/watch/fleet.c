#include "daemon/watch/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/watch/camera/camera.h"
#include "daemon/watch/camera/zone_alerts.h"
#include "io/base/clock.h"
#include "io/base/lock.h"

enum { PATIENCE_MS = 1000 };

struct member {
    struct camera *camera;
    struct model_identity model;
    struct member *next;            /* among those that left */
};

struct fleet {
    struct fleet_options options;
    struct scheduler *scheduler;
    struct plans *plans;
    uint32_t next_id;
    struct member *left;            /* told to end, but still running after the wait */

    /* The lock guards `members` and `n`. Main's thread alone changes them, and so may read them without it. */
    struct lock lock;
    struct member **members;        /* [n], in the configuration's order */
    size_t n;
};

int fleet_open(struct fleet **ret, const struct fleet_options *options, struct error *err)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (!fleet)
        return error_set(err, -ENOMEM, "out of memory");
    fleet->options = *options;
    lock_init(&fleet->lock, LOCK_FLEET);
    int r = plans_open(&fleet->plans);
    if (r == 0)
        r = scheduler_open(&fleet->scheduler, &(struct scheduler_options){.workers = options->workers,
                                                                          .heartbeats = options->heartbeats});
    if (r < 0) {
        fleet_close(fleet);
        return error_set(err, r, "cannot open %d workers: %s", options->workers, strerror(-r));
    }
    *ret = fleet;
    return 0;
}

int fleet_start(struct fleet *fleet, struct error *err)
{
    int r = scheduler_start(fleet->scheduler);
    if (r < 0)
        return error_set(err, r, "cannot start the workers: %s", strerror(-r));
    fleet_go(fleet);
    return 0;
}

void fleet_go(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->n; i++)
        camera_go(fleet->members[i]->camera);
}

/* ---- models --------------------------------------------------------------------------------------------------------- */

int fleet_models_load(struct fleet_models *ret, const struct config *config, const struct check_report *report)
{
    struct model_identity *of_camera = calloc(config->n_cameras + 1, sizeof *of_camera);
    struct model_identity *identities = calloc(config->n_cameras + 1, sizeof *identities);
    int r = of_camera && identities ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < config->n_cameras; i++)
        of_camera[i] = model_identity_of(config->cameras[i].model);
    struct check_models models;
    if (r == 0)
        r = check_models(&models, config, report);
    if (r == 0) {
        for (size_t i = 0; i < config->n_cameras; i++)
            identities[models.file_of[i]] = of_camera[i];
        *ret = (struct fleet_models){.models = models, .identities = identities};
    } else {
        free(identities);
    }
    free(of_camera);
    return r;
}

void fleet_models_clear(struct fleet_models *models)
{
    check_models_clear(&models->models);
    free(models->identities);
    *models = (struct fleet_models){0};
}

/* ---- members -------------------------------------------------------------------------------------------------------- */

static void member_close(struct fleet *fleet, struct member *member)
{
    const struct plan *plan = camera_plan(member->camera);
    camera_close(member->camera);
    plans_give(fleet->plans, plan);
    free(member);
}

/* Opens a camera whose thread waits for camera_go(). */
static int member_open(struct fleet *fleet, struct member **ret, struct config *config, size_t i,
                       const struct model_file *file, const struct model_identity *identity, struct error *err)
{
    const struct config_camera *camera = &config->cameras[i];
    const struct plan *plan;
    struct alert_rule rule;
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return error_set(err, -ENOMEM, "%s: out of memory", camera->name);
    int r = plans_take(fleet->plans, &plan, camera->model, identity, file, camera->precision, err);
    if (r < 0) {
        free(member);
        return r;
    }
    float shifts[ZONES_MOST];
    bool has_rule = check_alert_rule(&rule, camera, file);
    bool has_shifts = has_rule && zone_alerts_shifts(shifts, &rule, camera, file);
    member->model = *identity;
    r = camera_open(&member->camera,
                    &(struct camera_options){.id = fleet->next_id,
                                             .owner = config,
                                             .config = camera,
                                             .calibration = file->has_calibration ? &file->calibration : NULL,
                                             .still = file->still,
                                             .plan = plan,
                                             .fps = check_fps(camera, file),
                                             .rule = has_rule ? &rule : NULL,
                                             .zone_shifts = has_shifts ? shifts : NULL,
                                             .readers = fleet->options.workers,
                                             .host = fleet->options.host,
                                             .scheduler = fleet->scheduler,
                                             .alerts = fleet->options.alerts,
                                             .events = fleet->options.events,
                                             .arming = fleet->options.arming,
                                             .evidence = fleet->options.evidence,
                                             .baselines = fleet->options.baselines,
                                             .heartbeats = fleet->options.heartbeats,
                                             .changed_fd = fleet->options.changed_fd},
                    err);
    if (r < 0) {
        plans_give(fleet->plans, plan);
        free(member);
        return r;
    }
    fleet->next_id++;
    r = camera_start(member->camera);
    if (r < 0) {
        member_close(fleet, member);
        return error_set(err, r, "%s: cannot start the camera's thread: %s", camera->name, strerror(-r));
    }
    *ret = member;
    return 0;
}

static struct member *find(const struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->n; i++)
        if (strcmp(camera_name(fleet->members[i]->camera), name) == 0)
            return fleet->members[i];
    return NULL;
}

static bool contains(struct member *const *members, size_t n, const struct member *member)
{
    for (size_t i = 0; i < n; i++)
        if (members[i] == member)
            return true;
    return false;
}

/* ---- applying a configuration --------------------------------------------------------------------------------------- */

/* Takes back what fleet_apply() opened: the threads still wait for camera_go(), so they end at once. */
static void undo(struct fleet *fleet, struct member **members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (contains(fleet->members, fleet->n, members[i]))
            continue;
        camera_stop(members[i]->camera);
        camera_join(members[i]->camera, INT64_MAX);
        member_close(fleet, members[i]);
    }
}

/* false: the camera's thread, or a window of it, still runs at deadline_us. */
static bool finish(struct fleet *fleet, struct member *member, int64_t deadline_us)
{
    if (!camera_join(member->camera, deadline_us) || !camera_leave(member->camera, deadline_us))
        return false;
    camera_end(member->camera);
    member_close(fleet, member);
    return true;
}

/* Ends the members of before [n] that are not among those of the fleet now. */
static void dismiss(struct fleet *fleet, struct member **before, size_t n)
{
    int patience_ms = fleet->options.patience_ms ? fleet->options.patience_ms : PATIENCE_MS;
    int64_t deadline_us = monotonic_us() + patience_ms * INT64_C(1000);
    for (size_t i = 0; i < n; i++)
        if (!contains(fleet->members, fleet->n, before[i]))
            camera_stop(before[i]->camera);
    for (size_t i = 0; i < n; i++) {
        if (contains(fleet->members, fleet->n, before[i]) || finish(fleet, before[i], deadline_us))
            continue;
        log_event(LOG_WARNING, "camera_ends_late", "camera", camera_name(before[i]->camera), NULL);
        before[i]->next = fleet->left;
        fleet->left = before[i];
    }
}

int fleet_apply(struct fleet *fleet, struct config *config, const struct fleet_models *models, struct fleet_changes *ret,
                struct error *err)
{
    struct fleet_changes changes = {0};
    struct member **members = calloc(config->n_cameras + 1, sizeof(struct member *));
    if (!members)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < config->n_cameras; i++) {
        size_t file = models->models.file_of[i];
        const struct model_identity *identity = &models->identities[file];
        struct member *known = find(fleet, config->cameras[i].name);
        if (known && config_camera_equal(camera_config(known->camera), &config->cameras[i]) &&
            model_identity_equal(&known->model, identity)) {
            members[i] = known;
            changes.unchanged++;
            continue;
        }
        bool stop = fleet->options.stop && fleet->options.stop();
        int r = stop ? error_set(err, -ECANCELED, "memaed is stopping")
                     : member_open(fleet, &members[i], config, i, &models->models.files[file], identity, err);
        if (r < 0) {
            undo(fleet, members, i);
            free(members);
            return r;
        }
        changes.changed += known != NULL;
        changes.added += known == NULL;
    }
    changes.removed = fleet->n - changes.unchanged - changes.changed;

    struct member **before = fleet->members;
    size_t n_before = fleet->n;
    lock_take(&fleet->lock);
    fleet->members = members;
    fleet->n = config->n_cameras;
    lock_give(&fleet->lock);
    dismiss(fleet, before, n_before);
    free(before);
    *ret = changes;
    return 0;
}

void fleet_reap(struct fleet *fleet)
{
    struct member **at = &fleet->left;
    while (*at) {
        struct member *member = *at, *next = member->next;
        if (finish(fleet, member, 0))
            *at = next;
        else
            at = &member->next;
    }
}

/* ---- the end -------------------------------------------------------------------------------------------------------- */

static bool join(struct camera *camera, int64_t deadline_us)
{
    if (camera_join(camera, deadline_us))
        return true;
    log_event(LOG_WARNING, "thread_abandoned", "thread", "camera", "camera", camera_name(camera), NULL);
    return false;
}

bool fleet_stop(struct fleet *fleet, int64_t decoders_us, int64_t workers_us)
{
    bool all = true;
    for (size_t i = 0; i < fleet->n; i++)
        camera_stop(fleet->members[i]->camera);
    scheduler_stop(fleet->scheduler);
    for (size_t i = 0; i < fleet->n; i++)
        all &= join(fleet->members[i]->camera, decoders_us);
    for (struct member *member = fleet->left; member; member = member->next)
        all &= join(member->camera, decoders_us);
    if (scheduler_join(fleet->scheduler, workers_us) > 0) {
        log_event(LOG_WARNING, "thread_abandoned", "thread", "worker", NULL);
        all = false;
    }
    for (size_t i = 0; i < fleet->n; i++)
        camera_end(fleet->members[i]->camera);
    for (struct member *member = fleet->left; member; member = member->next)
        camera_end(member->camera);
    return all;
}

void fleet_close(struct fleet *fleet)
{
    if (!fleet)
        return;
    for (size_t i = 0; i < fleet->n; i++)
        member_close(fleet, fleet->members[i]);
    while (fleet->left) {
        struct member *member = fleet->left;
        fleet->left = member->next;
        member_close(fleet, member);
    }
    scheduler_close(fleet->scheduler);
    plans_close(fleet->plans);
    lock_destroy(&fleet->lock);
    free(fleet->members);
    free(fleet);
}

/* ---- for the web, any thread ---------------------------------------------------------------------------------------- */

int fleet_view_cameras(struct fleet *fleet, struct view_camera **ret, size_t *n)
{
    lock_take(&fleet->lock);
    size_t count = fleet->n;
    struct view_camera *list = malloc((count + 1) * sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        camera_view(fleet->members[i]->camera, &list[i]);
    lock_give(&fleet->lock);
    if (!list)
        return -ENOMEM;
    *ret = list;
    *n = count;
    return 0;
}

bool fleet_view_camera(struct fleet *fleet, const char *name, struct view_camera *ret)
{
    lock_take(&fleet->lock);
    struct member *member = find(fleet, name);
    if (member)
        camera_view(member->camera, ret);
    lock_give(&fleet->lock);
    return member != NULL;
}

bool fleet_scores(struct fleet *fleet, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                  struct record_range *range, size_t *n)
{
    bool found = false;
    lock_take(&fleet->lock);
    for (size_t i = 0; i < fleet->n && !found; i++)
        if ((found = camera_id(fleet->members[i]->camera) == id))
            *n = camera_scores(fleet->members[i]->camera, from, ret, max, range);
    lock_give(&fleet->lock);
    return found;
}

int fleet_relearn(struct fleet *fleet, const char *name)
{
    lock_take(&fleet->lock);
    const struct member *member = find(fleet, name);
    int r = !member ? -ENOENT : camera_relearn(member->camera) ? 0 : -ENOTSUP;
    lock_give(&fleet->lock);
    return r;
}

void fleet_count(struct fleet *fleet, size_t ret[VIEW_STOPPED + 1])
{
    memset(ret, 0, (VIEW_STOPPED + 1) * sizeof ret[0]);
    for (size_t i = 0; i < fleet->n; i++) {
        struct view_camera view;
        camera_view(fleet->members[i]->camera, &view);
        ret[view.state]++;
    }
}

void fleet_stats(struct fleet *fleet, struct scheduler_stats *ret)
{
    scheduler_stats(fleet->scheduler, ret);
}

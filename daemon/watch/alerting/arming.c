#include "daemon/watch/alerting/arming.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utc.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/zone.h"

/* One camera. */
struct post {
    char camera[RECORD_NAME_SIZE];
    struct schedule schedule;
    struct zone *zone;          /* owned */
    struct arming_orders orders;
    /* The state that was found at found_us holds until until_us. until_us 0: it is to be found anew. */
    enum arming state;
    int64_t found_us, until_us;
    enum arming told;           /* the state at the last tick; ARMING_ARMED before the first */
};

struct arming_change {
    size_t n;
    struct post posts[];
};

struct arming_desk {
    struct arming_options options;
    struct lock lock;           /* guards what change holds, and: */
    struct arming_change *change;       /* adopted last; NULL: none yet */
};

int arming_open(struct arming_desk **ret, const struct arming_options *options)
{
    struct arming_desk *desk = calloc(1, sizeof *desk);
    if (!desk)
        return -ENOMEM;
    desk->options = *options;
    lock_init(&desk->lock, LOCK_VIEW);
    *ret = desk;
    return 0;
}

void arming_close(struct arming_desk *desk)
{
    if (!desk)
        return;
    arming_forget(desk->change);
    lock_destroy(&desk->lock);
    free(desk);
}

void arming_forget(struct arming_change *change)
{
    if (!change)
        return;
    for (size_t i = 0; i < change->n; i++)
        zone_close(change->posts[i].zone);
    free(change);
}

int arming_prepare(struct arming_change **ret, const struct config *config, struct error *err)
{
    struct arming_change *change = calloc(1, sizeof *change + config->n_cameras * sizeof change->posts[0]);
    if (!change)
        return error_set(err, -ENOMEM, "out of memory");
    for (; change->n < config->n_cameras; change->n++) {
        const struct config_camera *camera = &config->cameras[change->n];
        struct post *post = &change->posts[change->n];
        snprintf(post->camera, sizeof post->camera, "%s", camera->name);
        post->schedule = camera->armed;
        int r = zone_open(&post->zone, camera->time_zone ? camera->time_zone : config->time_zone, err);
        if (r < 0) {
            arming_forget(change);
            return error_prefix(err, r, "cameras.%s", camera->name);
        }
    }
    *ret = change;
    return 0;
}

static struct post *find_locked(struct arming_desk *desk, const char *camera)
{
    for (size_t i = 0; desk->change && i < desk->change->n; i++)
        if (strcmp(desk->change->posts[i].camera, camera) == 0)
            return &desk->change->posts[i];
    return NULL;
}

static bool has_orders(const struct post *post)
{
    return post->orders.disarm.since_us != 0 || post->orders.snooze.since_us != 0;
}

/* The camera is not configured (any more), so its orders end, also in what is kept for the next start. */
static void drop_orders_locked(const struct arming_desk *desk, const char *camera)
{
    static const struct arming_orders none;
    if (desk->options.keep)
        desk->options.keep(desk->options.arg, camera, &none);
}

void arming_adopt(struct arming_desk *desk, struct arming_change *change)
{
    lock_take(&desk->lock);
    for (size_t i = 0; i < change->n; i++) {
        struct post *post = &change->posts[i];
        const struct post *before = find_locked(desk, post->camera);
        if (before) {
            post->orders = before->orders;
            post->told = before->told;
        }
    }
    struct arming_change *old = desk->change;
    desk->change = change;
    for (size_t i = 0; old && i < old->n; i++)
        if (has_orders(&old->posts[i]) && !find_locked(desk, old->posts[i].camera))
            drop_orders_locked(desk, old->posts[i].camera);
    lock_give(&desk->lock);
    arming_forget(old);
}

void arming_restore(struct arming_desk *desk, const char *camera, const struct arming_orders *orders)
{
    lock_take(&desk->lock);
    struct post *post = find_locked(desk, camera);
    if (post) {
        post->orders = *orders;
        post->until_us = 0;
    } else {
        drop_orders_locked(desk, camera);
    }
    lock_give(&desk->lock);
}

/* Finds the state once for as long as it holds, and again if the clock was set back. */
static enum arming state_locked(struct post *post, int64_t now_us)
{
    if (now_us >= post->until_us || now_us < post->found_us) {
        struct schedule_place place = {zone_offset_s, post->zone};
        post->state = arming_at(&post->orders, &post->schedule, &place, now_us, &post->until_us);
        post->found_us = now_us;
    }
    return post->state;
}

enum arming arming_state(struct arming_desk *desk, const char *camera, int64_t now_us)
{
    lock_take(&desk->lock);
    struct post *post = find_locked(desk, camera);
    enum arming state = post ? state_locked(post, now_us) : ARMING_ARMED;
    lock_give(&desk->lock);
    return state;
}

static void status_locked(struct post *post, int64_t now_us, struct arming_status *ret)
{
    *ret = (struct arming_status){.state = state_locked(post, now_us)};
    ret->until_us = post->until_us;
    if (ret->state == ARMING_DISARMED)
        ret->order = post->orders.disarm;
    else if (ret->state == ARMING_SNOOZED)
        ret->order = post->orders.snooze;
}

bool arming_status(struct arming_desk *desk, const char *camera, int64_t now_us, struct arming_status *ret)
{
    lock_take(&desk->lock);
    struct post *post = find_locked(desk, camera);
    if (post)
        status_locked(post, now_us, ret);
    lock_give(&desk->lock);
    return post != NULL;
}

int arming_order(struct arming_desk *desk, const char *camera, enum arming_action action, int minutes, const char *by)
{
    int64_t now_us = utc_us();
    struct arming_order order = {now_us, minutes ? now_us + minutes * INT64_C(60000000) : INT64_MAX, ""};
    snprintf(order.by, sizeof order.by, "%s", by);
    if (minutes < 0 || (action == ARMING_SNOOZE && minutes == 0) || (action == ARMING_ARM && minutes != 0))
        return -EINVAL;
    lock_take(&desk->lock);
    struct post *post = find_locked(desk, camera);
    if (post) {
        if (action == ARMING_ARM)
            post->orders = (struct arming_orders){0};
        else if (action == ARMING_DISARM)
            post->orders.disarm = order;
        else
            post->orders.snooze = order;
        post->until_us = 0;
        if (desk->options.keep)
            desk->options.keep(desk->options.arg, post->camera, &post->orders);
    }
    lock_give(&desk->lock);
    return post ? 0 : -ENOENT;
}

static void describe(const struct arming_status *status, char *ret, size_t size)
{
    static const char *const words[ARMING_STATES] = {
        [ARMING_ARMED] = "alerts are sent", [ARMING_DISARMED] = "disarmed", [ARMING_SNOOZED] = "snoozed",
        [ARMING_OFF_SCHEDULE] = "outside its schedule",
    };
    char until[UTC_SIZE] = "";
    if (status->until_us != INT64_MAX)
        utc_format(until, status->until_us);
    snprintf(ret, size, "%s%s%s%s%s", words[status->state], *status->order.by ? " by " : "", status->order.by,
             *until ? " until " : "", until);
}

/* Takes the next camera, from *i on, whose state has changed. */
static bool next_change_locked(struct arming_desk *desk, size_t *i, int64_t now_us, char camera[RECORD_NAME_SIZE],
                               struct arming_status *ret)
{
    for (; desk->change && *i < desk->change->n; ++*i) {
        struct post *post = &desk->change->posts[*i];
        enum arming before = post->told;
        post->told = state_locked(post, now_us);
        if (post->told == before)
            continue;
        memcpy(camera, post->camera, RECORD_NAME_SIZE);
        status_locked(post, now_us, ret);
        ++*i;
        return true;
    }
    return false;
}

void arming_tick(struct arming_desk *desk)
{
    int64_t now_us = utc_us();
    for (size_t i = 0;;) {
        char camera[RECORD_NAME_SIZE], reason[256];
        struct arming_status status;
        lock_take(&desk->lock);
        bool found = next_change_locked(desk, &i, now_us, camera, &status);
        lock_give(&desk->lock);
        if (!found)
            return;
        describe(&status, reason, sizeof reason);
        enum event_type type = status.state == ARMING_ARMED ? EVENT_CAMERA_ARMED : EVENT_CAMERA_DISARMED;
        events_post(desk->options.events, &(struct event){.type = type, .camera = camera, .reason = reason});
    }
}

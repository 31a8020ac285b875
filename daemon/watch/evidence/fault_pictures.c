#include "daemon/watch/evidence/fault_pictures.h"

#include <unistd.h>

#include "daemon/base/log.h"

static int decode(struct picture *ret, const struct fault_pictures *fault, const struct sight *sight, struct error *err)
{
    struct snapshot_options options = fault->decoding;
    options.arrival_us = sight->arrival_us;
    options.is_exact = true;
    return sight->key ? snapshot_decode_key(ret, sight->key, &options, err) : snapshot_decode(ret, fault->ring, &options, err);
}

static void tell(int priority, const char *event, const struct fault_pictures *fault, const char *kind, const char *reason)
{
    struct log_number id;
    log_event(priority, event, "camera", fault->place.camera, "fault", log_int(&id, (long long)fault->place.alert), "kind", kind,
              "reason", reason, NULL);
}

static int show(struct picture *ret, const struct fault_pictures *fault, const char *kind, const struct sight *sight,
                struct error *err)
{
    struct error cause = {""};
    if (decode(ret, fault, sight, &cause) == 0)
        return 0;
    int r = picture_from_gray(ret, sight->pixels, sight->width, sight->height);
    if (r < 0)
        return error_set(err, r, "out of memory");
    tell(LOG_WARNING, "snapshot_is_gray", fault, kind, cause.text);
    return 0;
}

static void make(const struct fault_pictures *fault, const char *kind, const struct sight *sight)
{
    struct picture picture;
    struct error err = {""};
    if (!sight)
        return;
    int r = show(&picture, fault, kind, sight, &err);
    if (r == 0) {
        snapshot_hide(&picture, fault->zones);
        r = fault->put(fault->arg, kind, &picture, sight->time_us, &err);
        picture_close(&picture);
    }
    if (r < 0)
        tell(LOG_ERR, "evidence_failed", fault, kind, err.text);
}

void fault_pictures_make(const struct fault_pictures *fault)
{
    int kept = fault->closed ? place_read(fault->state_dir, &fault->place, "fault.jpg") : -1;
    if (!fault->closed) {
        make(fault, "before", fault->before);
        make(fault, "fault", fault->now);
    } else if (kept >= 0) {
        make(fault, "after", fault->now);
        close(kept);
    }
}

#include "daemon/watch/events.h"

#include <jansson.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "io/base/clock.h"
#include "io/base/redact.h"
#include "web/server.h"

/* Takes over json, by malloc(); NULL: there was no memory for it. */
static void post(struct webhooks *webhooks, enum config_event event, int64_t time_us, char *json)
{
    if (!json || webhook_post(webhooks, event, time_us, json) < 0)
        log_event(LOG_ERR, "webhook_not_queued", NULL);
    free(json);
}

void event_alert(struct webhooks *webhooks, const struct view_alert *alert)
{
    struct log_number id, peak;
    bool closed = alert->closed_us != 0;
    log_event(LOG_WARNING, closed ? "alert_closed" : "alert_opened", "camera", alert->camera, "id",
              log_int(&id, (long long)alert->id), "peak_score", log_real(&peak, alert->peak_score), NULL);
    if (webhooks)
        post(webhooks, closed ? CONFIG_ALERT_CLOSED : CONFIG_ALERT_OPENED, utc_us(), web_alert_json(alert));
}

void event_camera(struct webhooks *webhooks, enum config_event event, const char *camera, const char *reason)
{
    bool lost = event == CONFIG_CAMERA_LOST;
    log_event(lost ? LOG_WARNING : LOG_NOTICE, lost ? "camera_lost" : "camera_restored", "camera", camera, "reason", reason,
              NULL);
    if (!webhooks)
        return;
    char safe[256];
    redact(safe, sizeof safe, reason);
    /* "s%" would cut a character in two where redact() did; such text is not JSON, so the reason is left out then. */
    json_t *data = json_pack("{s:s, s:s}", "camera", camera, "reason", safe);
    if (!data)
        data = json_pack("{s:s, s:s}", "camera", camera, "reason", "");
    post(webhooks, event, utc_us(), data ? json_dumps(data, JSON_COMPACT) : NULL);
    json_decref(data);
}

void event_drift(const char *camera, bool holds_no_more, double distance)
{
    struct log_number number;
    log_event(holds_no_more ? LOG_WARNING : LOG_NOTICE, holds_no_more ? "drift_began" : "drift_ended", "camera", camera,
              "distance", log_real(&number, distance), "reason",
              holds_no_more ? "the last day's scores are not those that the model was calibrated on: thresholds may not hold"
                            : "the last day's scores are again those that the model was calibrated on", NULL);
}

void event_frozen(const char *camera, bool frozen, double seconds)
{
    struct log_number number;
    log_event(frozen ? LOG_WARNING : LOG_NOTICE, frozen ? "camera_frozen" : "camera_unfrozen", "camera", camera, "seconds",
              log_real(&number, seconds), "reason",
              frozen ? "pictures flow, but each is the same as the one before, for longer than ever in the model's footage"
                     : "pictures differ again, or the sequence has ended", NULL);
}

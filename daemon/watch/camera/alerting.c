#include "daemon/watch/camera/alerting.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/health/kind.h"
#include "daemon/base/log.h"

#define LONGEST_LAG_US INT64_C(600000000)       /* of windows behind their pictures */

void alerting_init(struct alerting *alerting, const struct alerting_options *options)
{
    *alerting = (struct alerting){.options = *options, .alerts = true, .record.kind = options->kind};
    snprintf(alerting->record.camera, sizeof alerting->record.camera, "%s", options->camera);
    alert_init(&alerting->state, &options->rule);
    policy_init(&alerting->policy, &options->policy);
    light_hold_init(&alerting->light, options->policy.margin);
}

bool alerting_is_open(const struct alerting *alerting)
{
    return alerting->state.open && !alerting->record.suppressed;
}

static void show_peak(struct alerting *alerting, const struct voices *voices, const struct boxes *boxes, int64_t pts_us)
{
    struct alert_record *alert = &alerting->record;
    alert->peak_score = (double)alerting->state.peak;
    alert->peak_us = alerting->state.peak_us;
    alert->peak_pts_us = pts_us;
    for (int v = 0; v < VOICES; v++)
        alert->voices.score[v] = (v == VOICE_STILL) == (alert->kind == ALERT_STILL) ? voices->score[v] : NAN;
    alert->boxes = *boxes;
}

/* If the cause begins or peaks in this window, writes that to the record. */
static void note_window(struct alerting *alerting, const struct alerting_window *window)
{
    uint64_t number = alerting->state.windows - 1;
    if (alerting->state.opened_number == number)
        alerting->record.opened_pts_us = window->pts_us;
    if (alerting->state.peak_number == number)
        show_peak(alerting, &window->voices, &window->boxes, window->pts_us);
}

static bool find(const struct alerting *alerting, uint64_t number, struct score_record *ret)
{
    struct record_range range;
    return scorelog_read(alerting->options.scores, number, ret, 1, &range) == 1 && range.oldest <= number;
}

/* Writes beginning and peak from the log of scores, which keeps far more windows than the rule looks back. */
static void note_logged(struct alerting *alerting)
{
    struct score_record found;
    if (find(alerting, alerting->state.opened_number, &found))
        alerting->record.opened_pts_us = found.pts_us;
    if (find(alerting, alerting->state.peak_number, &found))
        show_peak(alerting, &found.voices, &found.boxes, found.pts_us);
}

/* time_us is the time of the picture, so the delay of an event includes the time that its window took. */
static void post(const struct alerting *alerting, enum event_type type, int64_t time_us)
{
    events_post(alerting->options.events, &(struct event){.type = type, .time_us = time_us, .camera = alerting->options.camera,
                                                          .alert = &alerting->record});
}

static void tell(struct alerting *alerting, int64_t time_us)
{
    alerting->told++;
    post(alerting, EVENT_ALERT_OPENED, time_us);
}

static void suppress(struct alerting *alerting)
{
    const struct alert_record *alert = &alerting->record;
    struct log_number id, peak;
    alerting->suppressed[alert->suppressed]++;
    alertlog_append_untold(alerting->options.alerts, alert);
    log_event(LOG_INFO, "alert_suppressed", "camera", alerting->options.camera, "id", log_int(&id, (long long)alert->id), "kind",
              alert_kind_name(alert->kind), "peak_score", log_real(&peak, alert->peak_score), "reason",
              alert_suppressed_name(alert->suppressed), NULL);
}

/* Adds the zones that the boxes touch to those of the alert. Returns true if there are more now. */
static bool touch(struct alerting *alerting, const struct boxes *boxes)
{
    const struct zones *zones = alerting->options.zones;
    unsigned touched = alerting->touched | zones_touched(zones, boxes);
    if (touched == alerting->touched)
        return false;
    struct zone_names *names = &alerting->record.zones;
    alerting->touched = touched;
    names->n = 0;
    for (int z = 0; z < zones->n; z++)
        if (touched >> z & 1)
            memcpy(names->name[names->n++], zones->zone[z].name, ZONE_NAME_SIZE);
    return true;
}

/* Names the zone whose budget opens the alert, and those that its boxes have touched since its first window. */
static void name_zones(struct alerting *alerting, int zone)
{
    struct alert_record *alert = &alerting->record;
    const struct zones *zones = alerting->options.zones;
    alerting->touched = 0;
    alert->zones.n = 0;
    alert->opened_by[0] = '\0';
    if (!zones)
        return;
    if (zone >= 0)
        memcpy(alert->opened_by, zones->zone[zone].name, ZONE_NAME_SIZE);
    touch(alerting, &alert->boxes);
    struct score_record window;
    for (uint64_t number = alerting->state.opened_number; alerting->options.scores && find(alerting, number, &window); number++)
        touch(alerting, &window.boxes);
}

/* The alert opens, or lasts. Returns true if a fault of the picture holds it back, or the light that has changed. Notes that. */
static bool is_held(struct alerting *alerting)
{
    if (!light_hold_holds(&alerting->light))
        return alerting->faults & alerting->options.hold;
    alerting->record.health |= health_bit(HEALTH_LIGHT);
    return true;
}

/* Returns why the alert may not be told now, or SUPPRESSED_NOT. A camera that is not armed comes first, then a fault of the
 * picture that holds alerts back, or the light. Neither uses up cooldown or cap, and no alert is bad enough to get through. */
static enum alert_suppressed ask(struct alerting *alerting, int64_t time_us)
{
    static const enum alert_suppressed reasons[ARMING_STATES] = {
        [ARMING_ARMED] = SUPPRESSED_NOT, [ARMING_DISARMED] = SUPPRESSED_DISARMED, [ARMING_SNOOZED] = SUPPRESSED_SNOOZED,
        [ARMING_OFF_SCHEDULE] = SUPPRESSED_SCHEDULE,
    };
    const struct alerting_options *options = &alerting->options;
    enum arming state = options->arming ? arming_state(options->arming, options->camera, time_us) : ARMING_ARMED;
    enum alert_suppressed held = reasons[state];
    if (is_held(alerting) && !held)
        held = SUPPRESSED_HEALTH;
    return held ? held : policy_ask(&alerting->policy, alerting->record.peak_score, time_us);
}

static void open_alert(struct alerting *alerting, int64_t time_us, int zone)
{
    struct alert_record *alert = &alerting->record;
    alert->opened_us = alerting->state.opened_us;
    alert->closed_us = alert->closed_pts_us = 0;
    alert->health = alerting->faults & (alerting->options.hold | alerting->options.mark);
    name_zones(alerting, zone);
    alert->suppressed = ask(alerting, time_us);
    alerting->told_lasting = false;
    alertlog_append(alerting->options.alerts, alert);
    if (alert->suppressed)
        suppress(alerting);
    else
        tell(alerting, time_us);
}

/* The open alert is suppressed, and its cause lasts: tells it if nothing holds it back any more. */
static void ask_again(struct alerting *alerting, int64_t time_us)
{
    struct alert_record *alert = &alerting->record;
    enum alert_suppressed now = ask(alerting, time_us);
    if (now == alert->suppressed)
        return;
    alert->suppressed = now;
    if (now)
        alertlog_append_untold(alerting->options.alerts, alert);
    else
        tell(alerting, time_us);
}

static void close_alert(struct alerting *alerting, int64_t time_us)
{
    struct alert_record *alert = &alerting->record;
    alert->closed_us = alerting->state.closed_us;
    alert->closed_pts_us = alerting->end_pts_us;
    if (alert->suppressed) {
        alertlog_append_untold(alerting->options.alerts, alert);
        return;
    }
    policy_closed(&alerting->policy, alert->closed_us);
    post(alerting, EVENT_ALERT_CLOSED, time_us);
}

/* zone is that of the window. */
static void take_event(struct alerting *alerting, enum alert_event event, int64_t time_us, int zone)
{
    switch (event) {
    case ALERT_NOTHING:
        return;
    case ALERT_OPENED:
        open_alert(alerting, time_us, zone);
        return;
    case ALERT_PEAK:
        if (!alerting->record.suppressed)
            policy_rose(&alerting->policy, alerting->record.peak_score);
        alertlog_update(alerting->options.alerts, &alerting->record);
        return;
    case ALERT_CLOSED:
        close_alert(alerting, time_us);
        return;
    }
}

/* Posts an event once if the alert has been open for lasting_us at time_us. It was told, or is held back for a light that
 * stays. */
static void tell_lasting(struct alerting *alerting, int64_t time_us)
{
    const struct alerting_options *options = &alerting->options;
    int64_t open_us = time_us - alerting->state.opened_us;
    bool open = alerting_is_open(alerting) || (alerting->state.open && light_hold_holds(&alerting->light));
    if (!open || alerting->told_lasting || open_us < options->lasting_us)
        return;
    alerting->told_lasting = true;
    double hours = (double)open_us / 3600e6;
    char reason[1024];
    snprintf(reason, sizeof reason, "alert %llu (%s) has been open for %.3g hours; if what it shows is normal now, run memaed "
             "calibrate --model %s --input FOOTAGE --output %s", (unsigned long long)alerting->record.id,
             alert_kind_name(options->kind), hours, options->model, options->model);
    events_post(options->events, &(struct event){.type = EVENT_NORMAL_CHANGED, .time_us = time_us, .camera = options->camera,
                                                 .quantity = hours, .reason = reason});
}

/* The light has changed, for a window at time_us and the ones after. A clock may have been set back meanwhile. */
static void end_light(struct alerting *alerting, int64_t time_us)
{
    if (!alerting->light_ends || (time_us <= alerting->lit_us && time_us > alerting->lit_us - LONGEST_LAG_US))
        return;
    alerting->light_ends = false;
    alerting->faults &= ~health_bit(HEALTH_LIGHT);
    light_hold_light(&alerting->light, false, alerting->light_alone);
}

void alerting_take(struct alerting *alerting, const struct alerting_window *window)
{
    struct alert_state *state = &alerting->state;
    if (!alerting->alerts)
        return;
    end_light(alerting, window->time_us);
    take_event(alerting, alert_wait(state, window->time_us), window->time_us, window->zone);
    bool lasted = state->lasts;
    enum alert_event event = alert_score(state, window->score, window->time_us);
    light_hold_score(&alerting->light, (double)window->score, window->time_us);
    if (lasted || state->lasts) {
        alerting->end_pts_us = window->pts_us;
        note_window(alerting, window);
    }
    if (alerting->options.scores && (event == ALERT_OPENED || event == ALERT_PEAK))
        note_logged(alerting);
    take_event(alerting, event, window->time_us, window->zone);
    if (state->open && state->lasts && touch(alerting, &window->boxes))
        alertlog_update(alerting->options.alerts, &alerting->record);
    if (state->open && state->lasts && alerting->record.suppressed)
        ask_again(alerting, window->time_us);
    tell_lasting(alerting, window->time_us);
}

void alerting_faults(struct alerting *alerting, unsigned faults, bool light_alone, int64_t time_us)
{
    const unsigned light = health_bit(HEALTH_LIGHT);
    const bool ends = !(faults & light) && (alerting->faults & light);
    unsigned noted = alerting->record.health | (faults & (alerting->options.hold | alerting->options.mark));
    alerting->lit_us = ends && !alerting->light_ends ? time_us : alerting->lit_us;
    alerting->light_alone = light_alone && (!alerting->light_ends || alerting->light_alone);
    alerting->light_ends = ends;
    alerting->faults = faults | (ends ? light : 0);
    if (!ends && alerting->options.kind == ALERT_ANOMALY)
        light_hold_light(&alerting->light, faults & alerting->options.hold & light, light_alone);
    if (!alerting->alerts || !alerting->state.open || noted == alerting->record.health)
        return;
    alerting->record.health = noted;
    alertlog_update(alerting->options.alerts, &alerting->record);
}

void alerting_gap(struct alerting *alerting, int64_t time_us)
{
    if (alerting->alerts)
        take_event(alerting, alert_gap(&alerting->state, time_us), time_us, -1);
}

void alerting_break(struct alerting *alerting, int64_t time_us)
{
    if (alerting->alerts)
        take_event(alerting, alert_break(&alerting->state, time_us), time_us, -1);
}

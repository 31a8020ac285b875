#include <string.h>

#include "io/base/record_json.h"
#include "web/handlers.h"

enum { ALERTS_AT_ONCE = 64 };

/* Returns true if a kept alert is of the camera. The alerts of a camera that was removed stay. */
static bool has_alert(const struct view *view, const char *camera)
{
    struct alert_record alerts[ALERTS_AT_ONCE];
    struct record_range range;
    uint64_t from = 0;
    for (size_t n; (n = view->alerts(view->context, from, alerts, ALERTS_AT_ONCE, &range)) > 0;) {
        for (size_t i = 0; i < n; i++)
            if (strcmp(alerts[i].camera, camera) == 0)
                return true;
        from = (from < range.oldest ? range.oldest : from) + n;
    }
    return false;
}

/* Returns true if the entry is listed: it has its alert's present state, and the filter takes it. */
static bool is_listed(const struct alert_record *alert, const struct alert_filter *filter)
{
    return !alert->superseded && alert_filter_takes(filter, alert);
}

/* The alert as webhooks have it, and its evidence where there is any; NULL: out of memory. */
static json_t *alert_whole_json(const struct view *view, const struct alert_record *alert)
{
    json_t *object = alert_json(alert), *evidence = web_evidence_json(view, alert);
    bool failed = !object || !evidence || (json_object_size(evidence) > 0 && json_object_set(object, "evidence", evidence) < 0);
    json_decref(evidence);
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

/* The entry at which the latest `limit` alerts that the filter takes begin. */
static uint64_t latest(const struct view *view, const struct alert_filter *filter, size_t limit)
{
    struct alert_record alerts[ALERTS_AT_ONCE];
    struct record_range range;
    uint64_t from = 0, entries[WEB_LIMIT_MAX];
    size_t found = 0;
    for (size_t n; (n = view->alerts(view->context, from, alerts, ALERTS_AT_ONCE, &range)) > 0;) {
        from = from < range.oldest ? range.oldest : from;
        for (size_t i = 0; i < n; i++, from++)
            if (is_listed(&alerts[i], filter))
                entries[found++ % limit] = from;
    }
    return found == 0 ? from : entries[found < limit ? 0 : found % limit];
}

void web_handle_alerts(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_camera camera;
    const char *name = request->alerts.camera;
    if (*name && !view->camera(view->context, name, &camera) && !has_alert(view, name)) {
        web_answer_problem_with(404, "no camera and no alert that is still kept has that name", "parameter", json_string("camera"), ret);
        return;
    }
    uint64_t from = request->has_since ? request->since.entry : 0;
    if (request->latest)
        from = latest(view, &request->alerts, request->limit);
    json_t *list = json_array();
    size_t found = 0;
    bool first = true;
    while (list && found < request->limit) {
        struct alert_record alerts[ALERTS_AT_ONCE];
        struct record_range range;
        size_t n = view->alerts(view->context, from, alerts, ALERTS_AT_ONCE, &range);
        if (first && request->has_since && !web_cursor_holds(view, &request->since, WEB_LOG_ALERTS, &range)) {
            json_decref(list);
            web_answer_gone(view, WEB_LOG_ALERTS, range.oldest, ret);
            return;
        }
        first = false;
        if (from < range.oldest)
            from = range.oldest;
        if (n == 0)
            break;
        for (size_t i = 0; i < n && found < request->limit && list; i++, from++) {
            if (!is_listed(&alerts[i], &request->alerts))
                continue;
            found++;
            if (json_array_append_new(list, alert_whole_json(view, &alerts[i])) < 0) {
                json_decref(list);
                list = NULL;
            }
        }
    }
    web_answer_json(json_pack("{s:o, s:o}", "alerts", list, "next", web_cursor_json(view, WEB_LOG_ALERTS, from)), ret);
}

bool web_find_alert(const struct view *view, uint64_t id, struct alert_record *ret)
{
    struct alert_record alerts[ALERTS_AT_ONCE];
    struct record_range range;
    uint64_t from = 0;
    for (size_t n; (n = view->alerts(view->context, from, alerts, ALERTS_AT_ONCE, &range)) > 0;) {
        for (size_t i = 0; i < n; i++)
            if (alerts[i].id == id && !alerts[i].superseded) {
                *ret = alerts[i];
                return true;
            }
        from = (from < range.oldest ? range.oldest : from) + n;
    }
    return false;
}

void web_answer_no_alert(struct web_answer *ret)
{
    web_answer_problem(404, "no alert that this run still keeps has that id", ret);
}

void web_handle_alert(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct alert_record alert;
    if (web_find_alert(view, request->alert, &alert))
        web_answer_json(alert_whole_json(view, &alert), ret);
    else
        web_answer_no_alert(ret);
}

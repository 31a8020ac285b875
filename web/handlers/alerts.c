#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/base/record_json.h"
#include "web/handlers.h"

static json_t *when_and_who(int64_t us, const char *who)
{
    return us ? json_pack("{s:o, s:o}", "time", record_json_time(us), "by", record_json_text(who)) : json_null();
}

json_t *web_labels_json(const struct alert_labels *labels)
{
    return json_pack("{s:o, s:b, s:o, s:o}", "acknowledged", when_and_who(labels->acknowledged_us, labels->acknowledged_by),
                     "marked", labels->marked, "note", record_json_text(labels->note),
                     "normal", when_and_who(labels->normal_us, labels->normal_by));
}

json_t *web_alert_json(const struct view *view, const struct alert_record *alert, const struct alert_labels *labels)
{
    unsigned kept = view->evidence_kept(view->context, alert);
    json_t *object = alert_json(alert), *evidence = web_evidence_json(alert->id, kept);
    json_t *videos = web_videos_json(view, alert->id, kept), *more = web_labels_json(labels);
    bool failed = !object || !evidence || !videos || !more || json_object_update(object, more) < 0 ||
                  (json_object_size(evidence) > 0 && json_object_set(object, "evidence", evidence) < 0) ||
                  (json_object_size(videos) > 0 && json_object_set(object, "videos", videos) < 0);
    json_decref(evidence);
    json_decref(videos);
    json_decref(more);
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

/* NULL: out of memory. */
static json_t *list_of(const struct view *view, const struct alert_record *alerts, const struct alert_labels *labels, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++)
        if (json_array_append_new(list, web_alert_json(view, &alerts[i], &labels[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

/* 0: a camera has that name, or the database has an alert of a removed camera with it; -ENOENT: neither; or another -errno. */
static int find_camera(const struct view *view, const char *name)
{
    struct view_camera camera;
    struct alert_record alert;
    struct view_alerts found;
    struct view_alerts_wanted wanted = {.filter.suppressed = ALERT_TOLD_OR_NOT, .limit = 1};
    if (view->camera(view->context, name, &camera))
        return 0;
    snprintf(wanted.filter.camera, sizeof wanted.filter.camera, "%s", name);
    int r = view->alerts(view->context, &wanted, &alert, NULL, &found);
    return r < 0 || found.n == 1 ? r : -ENOENT;
}

static void answer_alerts(const struct view *view, const struct web_request *request, struct alert_record *alerts,
                          struct alert_labels *labels, struct web_answer *ret)
{
    struct view_alerts found;
    struct view_alerts_wanted wanted = {.from = request->has_since ? request->since.entry : 0, .latest = request->latest,
                                        .filter = request->alerts, .limit = request->limit};
    wanted.filter.has_from = request->has_from;
    wanted.filter.has_to = request->has_to;
    wanted.filter.from_us = request->from_us;
    wanted.filter.to_us = request->to_us;
    const char *name = wanted.filter.camera;
    int r = view->alerts(view->context, &wanted, alerts, labels, &found);
    if (r == 0 && *name && found.n == 0)
        r = find_camera(view, name);
    if (r == -ENOENT)
        web_answer_problem_with(404, "no camera has that name, and no alert of such a camera is kept", "parameter",
                                json_string("camera"), ret);
    else if (r < 0)
        web_answer_unread(ret);
    else if (request->has_since && !web_cursor_holds(found.store, &request->since, WEB_LOG_ALERTS, &found.range))
        web_answer_gone(found.store, WEB_LOG_ALERTS, found.range.oldest, ret);
    else
        web_answer_json(json_pack("{s:o, s:o}", "alerts", list_of(view, alerts, labels, found.n), "next",
                                  web_cursor_json(found.store, WEB_LOG_ALERTS, found.next)), ret);
}

void web_handle_alerts(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct alert_record *alerts = malloc(request->limit * sizeof *alerts);
    struct alert_labels *labels = malloc(request->limit * sizeof *labels);
    if (alerts && labels)
        answer_alerts(view, request, alerts, labels, ret);
    else
        web_answer_no_memory(ret);
    free(alerts);
    free(labels);
}

void web_answer_no_alert(int r, struct web_answer *ret)
{
    if (r == -ENOENT)
        web_answer_problem(404, "no alert that is still kept has that id; GET /api/v1/alerts lists them", ret);
    else
        web_answer_unread(ret);
}

void web_handle_alert(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct alert_record alert;
    struct alert_labels labels;
    int r = view->alert(view->context, request->alert, &alert, &labels);
    if (r < 0)
        web_answer_no_alert(r, ret);
    else
        web_answer_json(web_alert_json(view, &alert, &labels), ret);
}

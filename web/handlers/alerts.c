#include <errno.h>
#include <stdlib.h>

#include "io/base/record_json.h"
#include "web/handlers.h"

/* NULL: out of memory. */
static json_t *list_of(const struct alert_record *alerts, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++)
        if (json_array_append_new(list, alert_json(&alerts[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

/* Returns true if the database has an alert of the camera; those of a camera that was removed stay. */
static bool has_alert(const struct view *view, const char *camera)
{
    struct alert_record alert;
    struct view_alerts found;
    return view->alerts(view->context, &(struct view_alerts_wanted){.camera = camera, .suppressed = VIEW_ALL, .limit = 1}, &alert, &found) == 0 && found.n == 1;
}

void web_handle_alerts(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_alerts found;
    struct view_camera camera;
    struct alert_record *alerts = malloc(request->limit * sizeof *alerts);
    if (!alerts) {
        web_answer_no_memory(ret);
        return;
    }
    int r = view->alerts(view->context, &(struct view_alerts_wanted){.from = request->has_since ? request->since.entry : 0,
                                                                     .latest = request->latest, .camera = request->camera,
                                                                     .suppressed = request->suppressed,
                                                                     .limit = request->limit}, alerts, &found);
    if (r < 0)
        web_answer_unread(ret);
    else if (*request->camera && found.n == 0 && !view->camera(view->context, request->camera, &camera) &&
             !has_alert(view, request->camera))
        web_answer_problem_with(404, "no camera and no alert that is still kept has that name", "parameter", json_string("camera"), ret);
    else if (request->has_since && !web_cursor_holds(found.store, &request->since, WEB_LOG_ALERTS, &found.range))
        web_answer_gone(found.store, WEB_LOG_ALERTS, found.range.oldest, ret);
    else
        web_answer_json(json_pack("{s:o, s:o}", "alerts", list_of(alerts, found.n), "next",
                                  web_cursor_json(found.store, WEB_LOG_ALERTS, found.next)), ret);
    free(alerts);
}

void web_handle_alert(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct alert_record alert;
    int r = view->alert(view->context, request->alert, &alert);
    if (r == -ENOENT)
        web_answer_problem(404, "no alert that is still kept has that id", ret);
    else if (r < 0)
        web_answer_unread(ret);
    else
        web_answer_json(alert_json(&alert), ret);
}

/* Webhooks: the state of their endpoints, dead letters, and an alert that tests them. */
#include <errno.h>
#include <stdlib.h>

#include "core/event.h"
#include "io/base/clock.h"
#include "io/base/record_json.h"
#include "web/handlers.h"

static json_t *time_or_null(int64_t utc_us)
{
    return utc_us ? record_json_time(utc_us) : json_null();
}

static json_t *failure_json(const struct view_endpoint *e)
{
    if (!e->failed_us)
        return json_null();
    return json_pack("{s:o, s:o}", "time", record_json_time(e->failed_us), "cause", record_json_text(e->cause));
}

static json_t *disabled_json(const struct view_endpoint *e)
{
    if (!e->disabled_us)
        return json_null();
    return json_pack("{s:o, s:o}", "since", record_json_time(e->disabled_us), "reason", record_json_text(e->disabled_reason));
}

/* The names of the types; json_array_append_new() passes the NULL of a failure on. */
static json_t *events_json(unsigned events)
{
    json_t *list = json_array();
    for (int type = 0; type < EVENT_TYPES && list; type++)
        if ((events & event_bit((enum event_type)type)) &&
            json_array_append_new(list, json_string(event_type_name((enum event_type)type))) < 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static json_t *endpoint_json(const struct view_endpoint *e, int64_t now_us)
{
    double age_s = (double)(now_us - e->oldest_us) / 1e6;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", e->id, "name",
                     record_json_text(e->name), "disabled", disabled_json(e), "queued", record_json_count(e->queued), "oldest",
                     time_or_null(e->oldest_us), "oldest_age_s",
                     e->oldest_us ? record_json_number(age_s > 0 ? age_s : 0) : json_null(), "attempts",
                     record_json_count(e->attempts), "next_attempt", time_or_null(e->next_us), "last_failure", failure_json(e),
                     "delivered", record_json_count(e->delivered), "newest_delivered", time_or_null(e->newest_us), "dead_letters",
                     record_json_count(e->dead_letters), "events", events_json(e->events));
}

void web_handle_webhooks(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    (void)request;
    struct view_endpoint *endpoints;
    size_t n;
    if (view->endpoints(view->context, &endpoints, &n) < 0) {
        web_answer_no_memory(ret);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++) {
        if (json_array_append_new(list, endpoint_json(&endpoints[i], utc_us())) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(endpoints);
    web_answer_json(json_pack("{s:o}", "webhooks", list), ret);
}

static void answer_no_webhook(struct web_answer *ret)
{
    web_answer_problem(404, "no webhook has that id; GET /api/v1/webhooks lists them", ret);
}

static json_t *dead_letter_json(const struct view_dead_letter *d)
{
    json_t *event = json_loads(d->body, JSON_DECODE_ANY, NULL);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "id", d->id, "time", record_json_time(d->time_us), "died",
                     record_json_time(d->died_us), "attempts", record_json_count(d->attempts), "reason",
                     record_json_text(d->reason), "event", event ? event : json_null());
}

void web_handle_dead_letters(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_dead_letter *letters;
    size_t n;
    int r = view->dead_letters(view->context, request->camera, request->limit, &letters, &n);
    if (r == -ENOENT) {
        answer_no_webhook(ret);
        return;
    }
    if (r < 0) {
        web_answer_problem(500, "the dead letters cannot be read now; try again later", ret);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (list && json_array_append_new(list, dead_letter_json(&letters[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
        free(letters[i].body);
    }
    free(letters);
    web_answer_json(json_pack("{s:o}", "dead", list), ret);
}

static void act(const struct view *view, const char *id, enum view_webhook_action action, const char *status,
                struct web_answer *ret)
{
    if (view->act_on_webhook(view->context, id, action) < 0)
        answer_no_webhook(ret);
    else
        web_answer_json(json_pack("{s:s, s:s}", "id", id, "status", status), ret);
}

void web_handle_webhook_enable(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    act(view, request->camera, VIEW_WEBHOOK_ENABLE, "enabled", ret);
}

void web_handle_webhook_retry(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    act(view, request->camera, VIEW_WEBHOOK_RETRY, "retrying", ret);
}

void web_handle_test_alert(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_test_alert test;
    if (!*request->alerts.camera) {
        web_answer_problem_with(400, "camera: missing; expected a camera's name, 1 to 64 of a-z, 0-9, _ and -", "parameter",
                                json_string("camera"), ret);
        return;
    }
    int r = view->test_alert(view->context, request->alerts.camera, &test);
    if (r == -ENOENT) {
        web_answer_problem(404, WEB_NO_CAMERA, ret);
        return;
    }
    if (r < 0) {
        web_answer_no_memory(ret);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < test.n && list; i++) {
        if (json_array_append_new(list, json_string(test.endpoints[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    web_answer_json(json_pack("{s:o, s:o}", "alert", alert_json(&test.alert), "webhooks", list), ret);
}

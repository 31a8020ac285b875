#include "web/api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "io/base/record_json.h"
#include "web/metrics.h"
#include "web/server.h"

enum { ALERTS_AT_ONCE = 64 };

static json_t *rounded(double x)
{
    return record_json_number(isfinite(x) ? round(x * 1000) / 1000 : x);
}

static json_t *cursor_of(const struct view *view, uint32_t log, uint64_t entry)
{
    char text[WEB_CURSOR_SIZE];
    const struct web_cursor cursor = {.store = view->store, .log = log, .entry = entry};
    web_format_cursor(text, &cursor);
    return json_string(text);
}

/* ---- answers -------------------------------------------------------------------------------------------------------- */

/* Takes root. */
static void answer(int status, const char *type, json_t *root, struct web_answer *ret)
{
    *ret = (struct web_answer){.status = status, .type = type};
    ret->body = record_json_dump(root);
    if (ret->body)
        ret->size = strlen(ret->body);
    else
        ret->status = 500;
}

static void answer_json(json_t *root, struct web_answer *ret)
{
    answer(200, "application/json", root, ret);
}

static const char *title_of(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
    }
}

/* Takes value, a member of its own beside RFC 9457's; name NULL: none. */
static void answer_problem(int status, const char *detail, const char *name, json_t *value, struct web_answer *ret)
{
    json_t *root = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title_of(status), "status", status,
                             "detail", detail);
    if (name && json_object_set_new(root, name, value) < 0) {
        json_decref(root);
        root = NULL;
    }
    answer(status, "application/problem+json", root, ret);
}

void web_answer_problem(int status, const char *detail, const char *parameter, struct web_answer *ret)
{
    answer_problem(status, detail, parameter ? "parameter" : NULL, parameter ? json_string(parameter) : NULL, ret);
}

static void answer_no_memory(struct web_answer *ret)
{
    answer(500, "application/problem+json", NULL, ret);
}

static void answer_gone(const struct view *view, uint32_t log, uint64_t oldest, struct web_answer *ret)
{
    answer_problem(410, "what the cursor points at is not kept any more, or is of another run or another log; "
                   "oldest is a cursor to the oldest entry kept", "oldest", cursor_of(view, log, oldest), ret);
}

/* ---- cameras -------------------------------------------------------------------------------------------------------- */

static const char *const states[] = {
    [VIEW_STARTING] = "starting", [VIEW_WARMING] = "warming", [VIEW_WATCHING] = "watching", [VIEW_LOST] = "lost",
    [VIEW_STOPPED] = "stopped",
};

static json_t *camera_json(const struct view_camera *c)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
                     "s:s, s:b, s:b}",
                     "name", c->name, "state", states[c->state], "reason", record_json_text(c->reason),
                     "fps_in", rounded(c->fps_in), "fps_analysed", rounded(c->fps_analysed),
                     "frames", record_json_count(c->frames), "frames_corrupt", record_json_count(c->frames_corrupt),
                     "frames_dropped", record_json_count(c->frames_dropped), "windows_due", record_json_count(c->windows_due),
                     "windows_scored", record_json_count(c->windows_scored), "windows_skipped", record_json_count(c->windows_skipped),
                     "windows_static", record_json_count(c->windows_static),
                     "windows_pending", record_json_count(c->windows_pending), "reconnects", record_json_count(c->reconnects),
                     "latency_ms", c->has_score ? rounded(c->latency_ms) : json_null(),
                     "last_score", c->has_score ? record_json_number(c->last_score) : json_null(),
                     "threshold", record_json_number(c->threshold), "drift", rounded(c->drift), "model", record_json_text(c->model),
                     "precision", precision_name(c->precision), "alert_open", c->alert_open, "frozen", c->frozen);
}

static void answer_cameras(const struct view *view, struct web_answer *ret)
{
    struct view_camera *cameras;
    size_t n;
    json_t *list = view->cameras(view->context, &cameras, &n) == 0 ? json_array() : NULL;
    if (!list) {
        answer_no_memory(ret);
        return;
    }
    for (size_t i = 0; i < n && list; i++) {
        if (json_array_append_new(list, camera_json(&cameras[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(cameras);
    answer_json(json_pack("{s:o}", "cameras", list), ret);
}

static void answer_camera(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_camera camera;
    if (!view->camera(view->context, request->camera, &camera))
        web_answer_problem(404, "no camera has that name", NULL, ret);
    else
        answer_json(camera_json(&camera), ret);
}

/* ---- logs ----------------------------------------------------------------------------------------------------------- */

/* Whether a cursor of this run and this log points at something that may be read on from. */
static bool holds(const struct view *view, const struct web_cursor *cursor, uint32_t log, const struct record_range *range)
{
    return cursor->store == view->store && cursor->log == log && cursor->entry >= range->oldest &&
           cursor->entry <= range->next;
}

static void answer_scores(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_camera camera;
    if (!view->camera(view->context, request->camera, &camera)) {
        web_answer_problem(404, "no camera has that name", NULL, ret);
        return;
    }
    struct score_record *scores = malloc(request->limit * sizeof *scores);
    if (!scores) {
        answer_no_memory(ret);
        return;
    }

    uint32_t log = WEB_LOG_CAMERA + camera.id;
    uint64_t from = request->has_since ? request->since.entry : 0;
    struct record_range range;
    size_t n;
    if (!view->scores(view->context, camera.id, from, scores, request->limit, &range, &n)) {
        free(scores);
        web_answer_problem(404, "no camera has that name", NULL, ret);
        return;
    }
    if (request->has_since && !holds(view, &request->since, log, &range)) {
        answer_gone(view, log, range.oldest, ret);
        free(scores);
        return;
    }
    if (from < range.oldest)
        from = range.oldest;

    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++) {
        if (json_array_append_new(list, score_json(&scores[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(scores);
    answer_json(json_pack("{s:o, s:o}", "scores", list, "next", cursor_of(view, log, from + n)), ret);
}

static void answer_alerts(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_camera state;
    if (*request->camera && !view->camera(view->context, request->camera, &state)) {
        web_answer_problem(404, "no camera has that name", "camera", ret);
        return;
    }
    uint64_t from = request->has_since ? request->since.entry : 0;
    json_t *list = json_array();
    size_t found = 0;
    bool first = true;
    while (list && found < request->limit) {
        struct alert_record alerts[ALERTS_AT_ONCE];
        struct record_range range;
        size_t n = view->alerts(view->context, from, alerts, ALERTS_AT_ONCE, &range);
        if (first && request->has_since && !holds(view, &request->since, WEB_LOG_ALERTS, &range)) {
            json_decref(list);
            answer_gone(view, WEB_LOG_ALERTS, range.oldest, ret);
            return;
        }
        first = false;
        if (from < range.oldest)
            from = range.oldest;
        if (n == 0)
            break;
        for (size_t i = 0; i < n && found < request->limit && list; i++, from++) {
            if (*request->camera && strcmp(alerts[i].camera, request->camera) != 0)
                continue;
            found++;
            if (json_array_append_new(list, alert_json(&alerts[i])) < 0) {
                json_decref(list);
                list = NULL;
            }
        }
    }
    answer_json(json_pack("{s:o, s:o}", "alerts", list, "next", cursor_of(view, WEB_LOG_ALERTS, from)), ret);
}

static void answer_alert(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct alert_record alerts[ALERTS_AT_ONCE];
    struct record_range range;
    uint64_t from = 0;
    for (;;) {
        size_t n = view->alerts(view->context, from, alerts, ALERTS_AT_ONCE, &range);
        if (n == 0)
            break;
        if (from < range.oldest)
            from = range.oldest;
        for (size_t i = 0; i < n; i++) {
            if (alerts[i].id == request->alert) {
                answer_json(alert_json(&alerts[i]), ret);
                return;
            }
        }
        from += n;
    }
    web_answer_problem(404, "no alert of this run that is still kept has that id", NULL, ret);
}

/* ---- health --------------------------------------------------------------------------------------------------------- */

static void answer_healthz(const struct view *view, struct web_answer *ret)
{
    struct view_process process;
    view->process(view->context, &process);
    if (process.healthy)
        answer_json(json_pack("{s:s, s:s, s:o}", "status", "healthy", "version", MEMAED_VERSION,
                              "started", record_json_time(process.started_us)), ret);
    else
        answer_problem(503, "a part of the process makes no progress", "reason", record_json_text(process.unhealthy), ret);
}

static void answer_readyz(const struct view *view, struct web_answer *ret)
{
    struct view_camera *cameras;
    size_t n, watching = 0;
    json_t *missing = view->cameras(view->context, &cameras, &n) == 0 ? json_array() : NULL;
    if (!missing) {
        answer_no_memory(ret);
        return;
    }
    for (size_t i = 0; i < n && missing; i++) {
        const struct view_camera c = cameras[i];
        if (c.state == VIEW_WATCHING)
            watching++;
        if (c.state == VIEW_WATCHING || c.state == VIEW_STOPPED)
            continue;
        if (json_array_append_new(missing, json_pack("{s:s, s:s, s:o}", "name", c.name, "state", states[c.state],
                                                     "reason", record_json_text(c.reason))) < 0) {
            json_decref(missing);
            missing = NULL;
        }
    }
    free(cameras);
    if (missing && json_array_size(missing) == 0) {
        json_decref(missing);
        answer_json(json_pack("{s:s, s:o}", "status", "ready", "watching", record_json_count(watching)), ret);
    } else
        answer_problem(503, "cameras that have not ended don't watch", "cameras", missing, ret);
}

void web_answer_request(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    switch (request->route) {
    case WEB_CAMERAS: answer_cameras(view, ret); return;
    case WEB_CAMERA: answer_camera(view, request, ret); return;
    case WEB_SCORES: answer_scores(view, request, ret); return;
    case WEB_ALERTS: answer_alerts(view, request, ret); return;
    case WEB_ALERT: answer_alert(view, request, ret); return;
    case WEB_HEALTHZ: answer_healthz(view, ret); return;
    case WEB_READYZ: answer_readyz(view, ret); return;
    case WEB_METRICS:
        *ret = (struct web_answer){.status = 200, .type = "text/plain; version=0.0.4; charset=utf-8"};
        ret->body = web_metrics_text(view, &ret->size);
        if (!ret->body)
            answer_no_memory(ret);
        return;
    }
    answer_no_memory(ret);
}

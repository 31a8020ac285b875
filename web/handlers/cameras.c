#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "io/base/record_json.h"
#include "web/handlers.h"

const char *const web_camera_states[] = {
    [VIEW_STARTING] = "starting", [VIEW_WARMING] = "warming", [VIEW_WATCHING] = "watching", [VIEW_LOST] = "lost",
    [VIEW_STOPPED] = "stopped",
};

/* A number with three decimals. */
static json_t *rounded(double x)
{
    return record_json_number(isfinite(x) ? round(x * 1000) / 1000 : x);
}

static json_t *drift_by_voice(const struct voices *drift)
{
    json_t *object = json_object();
    for (int v = 0; v < SCORE_VOICES; v++)
        json_object_set_new(object, voice_name((enum voice)v), rounded((double)drift->score[v]));
    return object;
}

static json_t *breaks(const struct view_camera *c)
{
    json_t *object = json_object();
    for (int i = 0; i < VIEW_BREAKS; i++)
        json_object_set_new(object, view_break_names[i], record_json_count(c->breaks[i]));
    return object;
}

/* The kinds that are diagnosed, by name; null where none is. */
static json_t *health_json(const struct view_camera *c)
{
    json_t *object = json_object();
    for (int kind = 0; kind < HEALTH_KINDS; kind++) {
        const struct view_health *h = &c->health[kind];
        const struct health_kind_info *info = health_kind_info((enum health_kind)kind);
        if (!h->on)
            continue;
        json_object_set_new(object, info->name,
                            json_pack("{s:b, s:o, s:s, s:o, s:o, s:b, s:o}", "known", h->known, "quantity",
                                      h->known ? rounded(h->quantity) : json_null(), "unit", info->unit, "baseline",
                                      h->known ? rounded(h->baseline) : json_null(), "opens_at",
                                      h->known ? rounded(h->opens_at) : json_null(), "open", h->open, "since",
                                      h->open ? record_json_time(h->since_us) : json_null()));
    }
    if (json_object_size(object) > 0)
        return object;
    json_decref(object);
    return json_null();
}

static json_t *camera_json(const struct view_camera *c)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
                     "s:o, s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:b, s:b, s:o, s:b, s:b, s:o, s:s}",
                     "name", c->name, "state", web_camera_states[c->state], "reason", record_json_text(c->reason),
                     "fps_in", rounded(c->fps_in), "time_source", record_json_text(view_time_names[c->time]),
                     "fps_analysed", rounded(c->fps_analysed),
                     "frames", record_json_count(c->frames), "frames_corrupt", record_json_count(c->frames_corrupt),
                     "frames_dropped", record_json_count(c->frames_dropped), "breaks", breaks(c),
                     "windows_due", record_json_count(c->windows_due), "windows_scored", record_json_count(c->windows_scored),
                     "windows_skipped", record_json_count(c->windows_skipped),
                     "windows_static", record_json_count(c->windows_static),
                     "windows_slow", record_json_count(c->windows_slow),
                     "windows_pending", record_json_count(c->windows_pending),
                     "alerts", record_json_count(c->alerts), "reconnects", record_json_count(c->reconnects),
                     "latency_ms", c->has_score ? rounded(c->latency_ms) : json_null(),
                     "last_score", c->has_score ? record_json_number(c->last_score) : json_null(),
                     "threshold", record_json_number(c->threshold), "drift", rounded(c->drift),
                     "drift_by_voice", drift_by_voice(&c->drift_by_voice),
                     "model", record_json_text(c->model),
                     "precision", precision_name(c->precision), "alert_open", c->alert_open, "arming", web_arming_json(c),
                     "frozen", c->frozen, "slow", c->slow, "health", health_json(c),
                     "health_learning", c->health_learning, "provisional", c->provisional,
                     "tls_verified", c->is_tls ? json_boolean(c->tls_verified) : json_null(),
                     "isolation", c->isolated ? "process" : "thread");
}

static void answer_no_camera(struct web_answer *ret)
{
    web_answer_problem(404, WEB_NO_CAMERA, ret);
}

void web_handle_cameras(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    (void)request;
    struct view_camera *cameras;
    size_t n;
    if (view->cameras(view->context, &cameras, &n) < 0) {
        web_answer_no_memory(ret);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++) {
        if (json_array_append_new(list, camera_json(&cameras[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(cameras);
    web_answer_json(json_pack("{s:o}", "cameras", list), ret);
}

void web_handle_camera(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_camera camera;
    if (view->camera(view->context, request->camera, &camera))
        web_answer_json(camera_json(&camera), ret);
    else
        answer_no_camera(ret);
}

void web_handle_health_learn(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    int r = view->relearn(view->context, request->camera);
    if (r == -ENOENT)
        answer_no_camera(ret);
    else if (r < 0)
        web_answer_problem(409, "the camera's pictures are not diagnosed: health.enabled is false, all kinds are off, or the "
                           "model's pictures are too small", ret);
    else
        web_answer_json(json_pack("{s:s, s:b}", "name", request->camera, "health_learning", 1), ret);
}

void web_handle_scores(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct score_record *scores = malloc(request->limit * sizeof *scores);
    if (!scores) {
        web_answer_no_memory(ret);
        return;
    }
    uint64_t from = request->has_since ? request->since.entry : 0;
    struct view_camera camera;
    struct record_range range;
    size_t n;
    /* The camera may be replaced between the two calls; its name then leads to the new one. */
    do {
        if (!view->camera(view->context, request->camera, &camera)) {
            free(scores);
            answer_no_camera(ret);
            return;
        }
        if (request->latest && view->scores(view->context, camera.id, 0, scores, 0, &range, &n))
            from = range.next - range.oldest > request->limit ? range.next - request->limit : range.oldest;
    } while (!view->scores(view->context, camera.id, from, scores, request->limit, &range, &n));

    uint32_t log = WEB_LOG_CAMERA + camera.id;
    if (request->has_since && !web_cursor_holds(view->store, &request->since, log, &range)) {
        free(scores);
        web_answer_gone(view->store, log, range.oldest, ret);
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
    web_answer_json(json_pack("{s:o, s:o}", "scores", list, "next", web_cursor_json(view->store, log, from + n)), ret);
}

#include <stdio.h>
#include <stdlib.h>

#include "io/base/record_json.h"
#include "web/handlers.h"

void web_handle_healthz(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    (void)request;
    struct view_process process;
    view->process(view->context, &process);
    if (process.healthy)
        web_answer_json(json_pack("{s:s, s:s, s:o}", "status", "healthy", "version", MEMAED_VERSION,
                                  "started", record_json_time(process.started_us)), ret);
    else
        web_answer_problem_with(503, "a thread makes no progress; reason names it", "reason",
                                record_json_text(process.unhealthy), ret);
}

/* Writes the names of the open faults that blind the camera, with ", " between them; "" if there is none. */
static void blinding_faults(const struct view_camera *c, char *ret, size_t size)
{
    size_t n = 0;
    *ret = '\0';
    for (int kind = 0; kind < HEALTH_KINDS; kind++)
        if (c->health[kind].open && health_kind_blinds((enum health_kind)kind) && n < size)
            n += (size_t)snprintf(ret + n, size - n, "%s%s", n ? ", " : "", health_kind_info((enum health_kind)kind)->name);
}

void web_handle_readyz(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    (void)request;
    struct view_camera *cameras;
    size_t n, watching = 0;
    if (view->cameras(view->context, &cameras, &n) < 0) {
        web_answer_no_memory(ret);
        return;
    }
    json_t *missing = json_array();
    for (size_t i = 0; i < n && missing; i++) {
        const struct view_camera *c = &cameras[i];
        char faults[64] = "", reason[96];
        if (c->state == VIEW_WATCHING)
            blinding_faults(c, faults, sizeof faults);
        bool watches = c->state == VIEW_WATCHING && !*faults;
        watching += watches;
        if (watches || c->state == VIEW_STOPPED)
            continue;
        snprintf(reason, sizeof reason, "faults of the picture: %s", faults);
        json_t *camera = json_pack("{s:s, s:s, s:o}", "name", c->name, "state", web_camera_states[c->state],
                                   "reason", record_json_text(*faults ? reason : c->reason));
        if (json_array_append_new(missing, camera) < 0) {
            json_decref(missing);
            missing = NULL;
        }
    }
    free(cameras);
    if (missing && json_array_size(missing) == 0) {
        json_decref(missing);
        web_answer_json(json_pack("{s:s, s:o}", "status", "ready", "watching", record_json_count(watching)), ret);
    } else
        web_answer_problem_with(503, "some cameras do not watch, or are blind; cameras lists them", "cameras", missing, ret);
}

/* Lists the calls that the table of routes has. */
void web_handle_index(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    (void)view;
    (void)request;
    json_t *calls = json_array();
    for (size_t i = 0; i < web_routes.n; i++) {
        const struct web_route *route = &web_routes.routes[i];
        if (route->handler != web_handle_index)
            json_array_append_new(calls, json_sprintf("%s %s", route->method & WEB_GET ? "GET" : "POST", route->pattern));
    }
    web_answer_json(json_pack("{s:s, s:s, s:o}", "program", "memaed", "version", MEMAED_VERSION, "calls", calls), ret);
}

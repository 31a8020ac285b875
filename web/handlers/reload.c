#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/base/record_json.h"
#include "web/handlers.h"
#include "web/waiters.h"

enum { RETRY_AFTER_S = 1 };

static json_t *texts_json(const char *const *texts, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++) {
        if (json_array_append_new(list, record_json_text(texts[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* Runs on the thread that reloaded. */
static void done(void *waiter, const struct view_reload *result)
{
    struct web_answer answer;
    if (result->status == 0) {
        web_answer_json(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "status", "reloaded",
                                  "added", record_json_count(result->added), "removed", record_json_count(result->removed),
                                  "changed", record_json_count(result->changed),
                                  "unchanged", record_json_count(result->unchanged),
                                  "needs_restart", texts_json(result->needs_restart, result->n_needs_restart)), &answer);
    } else if (result->n_faults > 0 && result->status != -ENOMEM) {
        web_answer_problem_with(422, "the configuration has faults, so nothing changed; faults lists them", "faults",
                                texts_json(result->faults, result->n_faults), &answer);
    } else if (result->status == -ECANCELED) {
        web_answer_problem(503, "memaed is stopping, so nothing was reloaded", &answer);
    } else {
        char detail[640];
        snprintf(detail, sizeof detail, "the reload failed, so nothing changed: %s", result->detail);
        web_answer_problem_with(500, detail, "faults", texts_json(result->faults, result->n_faults), &answer);
    }
    web_waiter_answer(waiter, &answer);
}

bool web_begin_reload(const struct view *view, const struct web_request *request, struct web_waiter *waiter,
                      struct web_answer *ret)
{
    (void)request;
    int r = view->reload(view->context, done, waiter);
    if (r == 0)
        return true;
    if (r == -EBUSY) {
        web_answer_problem(503, "too many reloads wait; try again later", ret);
        ret->retry_after_s = RETRY_AFTER_S;
    } else {
        char detail[256];
        snprintf(detail, sizeof detail, "the reload did not begin: %s", strerror(-r));
        web_answer_problem(500, detail, ret);
    }
    return false;
}

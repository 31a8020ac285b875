#include <stdlib.h>

#include "io/base/clock.h"
#include "io/base/record_json.h"
#include "web/handlers.h"

#define DAY_US (INT64_C(24) * 3600 * 1000000)

static json_t *row_json(const struct view_history *row, bool by_minute)
{
    if (!by_minute)
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "time", record_json_time(row->time_us), "window",
                         record_json_count(row->window), "score", record_json_number((double)row->score), "reference",
                         record_json_number((double)row->reference), "p_value", record_json_number(row->p), "slow", row->slow);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time", record_json_time(row->time_us),
                     "windows", record_json_count(row->n), "slow", record_json_count(row->n_slow),
                     "minimum", record_json_number(row->minimum), "mean", record_json_number(row->mean),
                     "maximum", record_json_number(row->maximum), "p_least", record_json_number(row->p));
}

/* Returns how many of more than `limit` rows are listed: limit at most, one at least. Times in the answer have milliseconds. A
 * client goes on with the time of the first row that is left out, so no row before it may have the same time. */
static size_t end_of(const struct view_history *rows, size_t limit)
{
    size_t n = limit;
    while (n > 0 && rows[n - 1].time_us / 1000 == rows[limit].time_us / 1000)
        n--;
    return n ? n : limit;
}

static void answer(const struct web_request *request, const struct view_history *rows, size_t n, struct web_answer *ret)
{
    bool more = n > request->limit;
    size_t listed = more ? end_of(rows, request->limit) : n;
    json_t *list = json_array();
    for (size_t i = 0; i < listed && list; i++)
        if (json_array_append_new(list, row_json(&rows[i], request->by_minute)) < 0) {
            json_decref(list);
            list = NULL;
        }
    web_answer_json(json_pack("{s:s, s:o, s:o}", "step", request->by_minute ? "minute" : "raw", "scores", list, "next",
                              more ? record_json_time(rows[listed].time_us) : json_null()), ret);
}

void web_handle_history(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_camera camera;
    struct view_history_wanted wanted = {.camera = request->camera, .by_minute = request->by_minute, .limit = request->limit + 1,
                                         .to_us = request->has_to ? request->to_us : utc_us()};
    wanted.from_us = request->has_from ? request->from_us : wanted.to_us - DAY_US;
    if (wanted.from_us > wanted.to_us) {
        web_answer_problem_with(400, "from: expected a time that is not after to, which is now if it is not given", "parameter",
                                json_string("from"), ret);
        return;
    }
    struct view_history *rows = malloc(wanted.limit * sizeof *rows);
    if (!rows) {
        web_answer_no_memory(ret);
        return;
    }
    size_t n;
    if (view->history(view->context, &wanted, rows, &n) < 0)
        web_answer_unread(ret);
    else if (n == 0 && !view->camera(view->context, request->camera, &camera))
        web_answer_problem(404, "no camera has that name, and no score of such a camera is kept from that time", ret);
    else
        answer(request, rows, n, ret);
    free(rows);
}

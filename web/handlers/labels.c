/* The labels of an alert: POST under /api/v1/alerts/ID changes them. The answer comes once the change is committed. */
#include <errno.h>
#include <stdio.h>

#include "io/base/clock.h"
#include "web/handlers.h"
#include "web/waiters.h"

enum { RETRY_AFTER_S = 5 };

/* Runs on the thread that wrote. */
static void done(void *waiter, int status, const struct alert_labels *labels)
{
    struct web_answer answer;
    if (status == 0)
        web_answer_json(web_labels_json(labels), &answer);
    else if (status == -ENOENT)
        web_answer_no_alert(status, &answer);
    else {
        web_answer_problem(503, "the database cannot be written now, so nothing changed; try again later", &answer);
        answer.retry_after_s = RETRY_AFTER_S;
    }
    web_waiter_answer(waiter, &answer);
}

static bool begin(const struct view *view, const struct web_request *request, enum alert_action action, struct web_waiter *waiter,
                  struct web_answer *ret)
{
    struct alert_order order = {.alert = request->alert, .action = action, .time_us = utc_us()};
    _Static_assert(sizeof order.by == sizeof request->by && (int)WEB_NOTE_SIZE <= (int)ALERT_NOTE_SIZE, "texts fit");
    if (action == ALERT_NOTE && !request->has_note) {
        web_answer_problem_with(400, "note: missing; expected a text, or an empty one to remove the note", "parameter",
                                json_string("note"), ret);
        return false;
    }
    snprintf(order.by, sizeof order.by, "%s", request->by);
    snprintf(order.note, sizeof order.note, "%s", request->note);
    if (view->label(view->context, &order, done, waiter) == 0)
        return true;
    web_answer_no_memory(ret);
    return false;
}

#define BEGIN(name, action) \
    bool name(const struct view *view, const struct web_request *request, struct web_waiter *waiter, struct web_answer *ret) \
    { \
        return begin(view, request, action, waiter, ret); \
    }
BEGIN(web_begin_acknowledge, ALERT_ACKNOWLEDGE)
BEGIN(web_begin_mark, ALERT_MARK)
BEGIN(web_begin_unmark, ALERT_UNMARK)
BEGIN(web_begin_note, ALERT_NOTE)
BEGIN(web_begin_normal, ALERT_NORMAL)
BEGIN(web_begin_normal_undo, ALERT_NORMAL_UNDO)
#undef BEGIN

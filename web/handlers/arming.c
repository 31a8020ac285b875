#include "io/base/record_json.h"
#include "web/handlers.h"

static json_t *time_or_null(int64_t utc_us)
{
    return utc_us == 0 || utc_us == INT64_MAX ? json_null() : record_json_time(utc_us);
}

json_t *web_arming_json(const struct view_camera *camera)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "state", arming_name(camera->arming), "until", time_or_null(camera->arming_until_us),
                     "since", time_or_null(camera->order.since_us), "by", record_json_text(camera->order.by));
}

static void carry_out(const struct view *view, const struct web_request *request, enum arming_action action,
                      struct web_answer *ret)
{
    struct view_camera camera;
    if (action == ARMING_SNOOZE && request->minutes == 0)
        web_answer_problem_with(400, "minutes: missing; expected a whole number from 1 to 527040", "parameter",
                                json_string("minutes"), ret);
    else if (view->arm(view->context, request->camera, action, request->minutes, request->by) < 0 ||
             !view->camera(view->context, request->camera, &camera))
        web_answer_problem(404, WEB_NO_CAMERA, ret);
    else
        web_answer_json(json_pack("{s:s, s:o}", "name", camera.name, "arming", web_arming_json(&camera)), ret);
}

void web_handle_arm(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    carry_out(view, request, ARMING_ARM, ret);
}

void web_handle_disarm(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    carry_out(view, request, ARMING_DISARM, ret);
}

void web_handle_snooze(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    carry_out(view, request, ARMING_SNOOZE, ret);
}

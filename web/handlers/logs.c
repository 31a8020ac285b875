#include "web/handlers.h"

json_t *web_cursor_json(const struct view *view, uint32_t log, uint64_t entry)
{
    char text[WEB_CURSOR_SIZE];
    const struct web_cursor cursor = {.store = view->store, .log = log, .entry = entry};
    web_format_cursor(text, &cursor);
    return json_string(text);
}

bool web_cursor_holds(const struct view *view, const struct web_cursor *cursor, uint32_t log,
                      const struct record_range *range)
{
    return cursor->store == view->store && cursor->log == log && cursor->entry >= range->oldest &&
           cursor->entry <= range->next;
}

void web_answer_gone(const struct view *view, uint32_t log, uint64_t oldest, struct web_answer *ret)
{
    web_answer_problem_with(410, "since: this cursor cannot be continued; its entry is no longer kept, or it is of another run, "
                            "camera or log; go on with the cursor in oldest",
                            "oldest", web_cursor_json(view, log, oldest), ret);
}

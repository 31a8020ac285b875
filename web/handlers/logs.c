#include "web/handlers.h"

json_t *web_cursor_json(uint64_t store, uint32_t log, uint64_t entry)
{
    char text[WEB_CURSOR_SIZE];
    const struct web_cursor cursor = {.store = store, .log = log, .entry = entry};
    web_format_cursor(text, &cursor);
    return json_string(text);
}

bool web_cursor_holds(uint64_t store, const struct web_cursor *cursor, uint32_t log,
                      const struct record_range *range)
{
    return cursor->store == store && cursor->log == log && cursor->entry >= range->oldest &&
           cursor->entry <= range->next;
}

void web_answer_gone(uint64_t store, uint32_t log, uint64_t oldest, struct web_answer *ret)
{
    web_answer_problem_with(410, "since: this cursor cannot be continued; its entry is no longer kept, or it is of another run, "
                            "camera, log or database; go on with the cursor in oldest",
                            "oldest", web_cursor_json(store, log, oldest), ret);
}

void web_answer_unread(struct web_answer *ret)
{
    web_answer_problem(503, "the database cannot be read now; the log says why; try again later", ret);
    ret->retry_after_s = 1;
}

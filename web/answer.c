#include "web/answer.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/record_json.h"

/* Takes root. */
static void answer(int status, const char *type, json_t *root, struct web_answer *ret)
{
    *ret = (struct web_answer){.status = status, .type = type};
    ret->body = record_json_dump(root);
    if (ret->body)
        ret->size = strlen(ret->body);
    else
        *ret = (struct web_answer){.status = 500, .type = "application/problem+json"};
}

void web_answer_json(json_t *root, struct web_answer *ret)
{
    answer(200, "application/json", root, ret);
}

void web_answer_problem_with(int status, const char *detail, const char *name, json_t *value, struct web_answer *ret)
{
    const char *title = MHD_get_reason_phrase_for((unsigned)status);
    json_t *root = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title", title, "status", status,
                             "detail", record_json_text(detail));
    if (name && json_object_set_new(root, name, value) < 0) {
        json_decref(root);
        root = NULL;
    }
    answer(status, "application/problem+json", root, ret);
}

void web_answer_problem(int status, const char *detail, struct web_answer *ret)
{
    web_answer_problem_with(status, detail, NULL, NULL, ret);
}

void web_answer_no_memory(struct web_answer *ret)
{
    answer(500, "application/problem+json", NULL, ret);
}

void web_answer_clear(struct web_answer *answer)
{
    if (answer->stream.read)
        answer->stream.close(answer->stream.context);
    free(answer->body);
    *answer = (struct web_answer){.status = 500};
}

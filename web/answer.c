#include "web/answer.h"

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

static const char *title_of(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
    }
}

void web_answer_json(json_t *root, struct web_answer *ret)
{
    answer(200, "application/json", root, ret);
}

void web_answer_problem_with(int status, const char *detail, const char *name, json_t *value, struct web_answer *ret)
{
    json_t *root = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title", title_of(status), "status", status,
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

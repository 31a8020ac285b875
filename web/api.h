/* What each route answers: view in, a whole answer out. Knows nothing of sockets. Errors are problem details (RFC 9457).
 * For the web's thread. docs/rest.md describes the answers to those who call. */
#ifndef MEMAED_WEB_API_H
#define MEMAED_WEB_API_H

#include <stddef.h>

#include "web/request.h"
#include "web/view.h"

struct web_answer {
    int status;
    const char *type;           /* Content-Type; static */
    char *body;                 /* by malloc(); NULL: out of memory, status is 500 */
    size_t size;
};

/* Answers GET. ret is the caller's, body to be freed. */
void web_answer_request(const struct view *view, const struct web_request *request, struct web_answer *ret);
/* A problem. parameter: the query parameter at fault, or NULL. */
void web_answer_problem(int status, const char *detail, const char *parameter, struct web_answer *ret);

#endif

/* Answers with an open file, as RFC 9110 says: the whole, a part (Range, If-Range), or nothing if the client has it already. A
 * file that grows is served with its size at the call; its ETag changes as it grows. For the web's thread. */
#ifndef MEMAED_WEB_FILES_FILE_ANSWER_H
#define MEMAED_WEB_FILES_FILE_ANSWER_H

#include "web/answer.h"
#include "web/request.h"
#include "web/view.h"

/* Takes file->fd. name is what a browser saves it as, without its extension: letters, digits, "_" and "-". */
void web_answer_file(const struct web_request *request, const struct view_file *file, const char *name, struct web_answer *ret);

#endif

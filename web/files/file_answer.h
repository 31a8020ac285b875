/* Answers from an open file, as RFC 9110 has it: whole or a part (Range, If-Range), or nothing where the client has the file
 * already. A file that grows is served with its size at the call, and has another ETag than later. For the web's thread. */
#ifndef MEMAED_WEB_FILES_FILE_ANSWER_H
#define MEMAED_WEB_FILES_FILE_ANSWER_H

#include "web/answer.h"
#include "web/request.h"
#include "web/view.h"

/* Takes file->fd. name is what a browser saves it as, without its extension: letters, digits, "_" and "-". */
void web_answer_file(const struct web_request *request, const struct view_file *file, const char *name, struct web_answer *ret);

#endif

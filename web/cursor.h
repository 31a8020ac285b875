/* A place in one of the view's logs, as text that clients send back without looking into it. It names the store and the log. The
 * store of scores is the run (view.store), that of alerts the database (view_alerts.store). So a place of another run, database
 * or camera is never taken for one of this log. A camera that was replaced has a new id. The text has 40 lower-case hexadecimal
 * digits: store (16), log (8), entry (16). Pure functions, any thread. */
#ifndef MEMAED_WEB_CURSOR_H
#define MEMAED_WEB_CURSOR_H

#include <stddef.h>
#include <stdint.h>

enum { WEB_CURSOR_SIZE = 41 };                  /* bytes of the text with its final 0 */
/* The numbers of logs: of the alerts, and of a camera's scores, which is WEB_LOG_CAMERA + the camera's id. */
enum { WEB_LOG_ALERTS = 0, WEB_LOG_CAMERA = 1 };

struct web_cursor {
    uint64_t store;
    uint32_t log;
    uint64_t entry;         /* number of the first entry that the client has not seen */
};

void web_format_cursor(char out[WEB_CURSOR_SIZE], const struct web_cursor *cursor);
/* 0, or -EINVAL where text[0…size-1] is not what web_format_cursor() writes (ret untouched). */
int web_parse_cursor(const char *text, size_t size, struct web_cursor *ret);

#endif

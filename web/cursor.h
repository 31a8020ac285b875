/* A place in one of the view's logs, as text that clients send back without looking into it. It names the run (view.store)
 * and the log. So a cursor of another run or of another camera is told from a place that is no longer kept. A camera that was
 * replaced has a new id. Text: 40 lower-case hexadecimal digits: store (16), log (8), entry (16). Pure functions, any thread. */
#ifndef MEMAED_WEB_CURSOR_H
#define MEMAED_WEB_CURSOR_H

#include <stddef.h>
#include <stdint.h>

enum { WEB_CURSOR_SIZE = 41 };                  /* bytes of the text with its final 0 */
/* Logs: the alerts, and each camera's scores, which have WEB_LOG_CAMERA + its id. */
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

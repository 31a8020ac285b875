/* An answer to a request: its status, the values of a few headers, and its body. A body is whole, or a stream that is
 * produced piece by piece while the client reads. Errors are problem details (RFC 9457). This module knows nothing of sockets.
 * Any thread. */
#ifndef MEMAED_WEB_ANSWER_H
#define MEMAED_WEB_ANSWER_H

#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

enum { WEB_ALLOW_SIZE = 24, WEB_ETAG_SIZE = 56, WEB_DATE_SIZE = 30 };
#define WEB_SIZE_UNKNOWN UINT64_MAX

/* A body in pieces. Both functions are called on the web's thread. */
struct web_stream {
    void *context;
    /* Writes the next bytes of the body to out, 1 to size of them. Must not block. Returns how many; 0 at the end of the body;
     * -EAGAIN if there is nothing to send now (only with due_us). Another -errno breaks the stream: the connection is cut, so
     * that the client sees that the body is incomplete. */
    ssize_t (*read)(void *context, char *out, size_t size);
    /* After -EAGAIN, read() is called again when the view has a new event, or from this monotonic time on. NULL: read() never
     * returns -EAGAIN. */
    int64_t (*due_us)(void *context);
    /* Called once: after the end, when the client is gone, or if the body is not sent (HEAD, out of memory). */
    void (*close)(void *context);
};

struct web_answer {
    int status;
    const char *type;               /* Content-Type; static */
    char *body;                     /* whole body, by malloc(). NULL without a stream: out of memory, and status is 500 */
    struct web_stream stream;       /* read is NULL: none */
    uint64_t size;                  /* bytes of the body; a stream may have WEB_SIZE_UNKNOWN, and is sent in chunks */
    char allow[WEB_ALLOW_SIZE];     /* Allow; empty: no such header */
    int retry_after_s;              /* Retry-After; 0: no such header */
    /* Headers of a file (web/files/file_answer.h); empty: no such header. */
    char etag[WEB_ETAG_SIZE], last_modified[WEB_DATE_SIZE], content_range[72], disposition[136];
};

/* Each of these writes *ret whole. The caller passes the answer on, or clears it. Out of memory, or root NULL: a 500. */
void web_answer_json(json_t *root, struct web_answer *ret);         /* 200; takes root */
void web_answer_problem(int status, const char *detail, struct web_answer *ret);
/* A problem with the member `name` beside those of RFC 9457; takes value. */
void web_answer_problem_with(int status, const char *detail, const char *name, json_t *value, struct web_answer *ret);
void web_answer_no_memory(struct web_answer *ret);

/* Frees the body or closes the stream of an answer that nobody sends. */
void web_answer_clear(struct web_answer *answer);

#endif

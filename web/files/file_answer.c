#include "web/files/file_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "web/files/conditions.h"
#include "web/files/ranges.h"
#include "web/streams.h"

struct body {
    int fd;                     /* -1: the body's length is sent, but no body (HEAD, 304) */
    struct web_part left;
    struct web_streams *streams;
};

static ssize_t read_body(void *context, char *out, size_t size)
{
    struct body *body = context;
    if (size > body->left.size)
        size = (size_t)body->left.size;
    if (size == 0)
        return 0;
    ssize_t n = pread(body->fd, out, size, (off_t)body->left.first);
    if (n <= 0)
        return n < 0 ? -errno : -EIO;           /* the file became shorter */
    body->left.first += (uint64_t)n;
    body->left.size -= (uint64_t)n;
    return n;
}

static void close_body(void *context)
{
    struct body *body = context;
    if (body->fd >= 0) {
        body->streams->n_files--;
        close(body->fd);
    }
    free(body);
}

/* Takes fd on success. fd -1: no byte of the body is sent. 0 or -ENOMEM. */
static int open_body(struct web_answer *ret, struct web_streams *streams, int fd, const struct web_part *part)
{
    struct body *body = malloc(sizeof *body);
    if (!body)
        return -ENOMEM;
    *body = (struct body){fd, *part, streams};
    streams->n_files += fd >= 0;
    ret->stream = (struct web_stream){.context = body, .read = read_body, .close = close_body};
    ret->size = part->size;
    return 0;
}

static void answer_outside(uint64_t size, struct web_answer *ret)
{
    web_answer_problem(416, "Range: expected a part of the file; Content-Range has its size", ret);
    snprintf(ret->content_range, sizeof ret->content_range, "bytes */%" PRIu64, size);
}

void web_answer_file(const struct web_request *request, const struct view_file *file, const char *name, struct web_answer *ret)
{
    struct stat s;
    if (fstat(file->fd, &s) < 0 || !S_ISREG(s.st_mode)) {
        close(file->fd);
        web_answer_problem(500, "the file cannot be read", ret);
        return;
    }
    const uint64_t size = (uint64_t)s.st_size;
    struct web_answer answer = {.status = 200, .type = file->type};
    snprintf(answer.etag, sizeof answer.etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%09ld\"", (uint64_t)s.st_ino, size,
             (uint64_t)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    web_format_date(answer.last_modified, s.st_mtim.tv_sec);
    const struct web_version version = {answer.etag, s.st_mtim.tv_sec};
    struct web_part part = {0, size};
    enum web_range range = WEB_RANGE_WHOLE;
    bool unmodified = web_is_unmodified(&request->fields, &version);
    if (!unmodified && !request->is_head && request->fields.range && web_may_range(&request->fields, &version, time(NULL)))
        range = web_parse_range(request->fields.range, size, &part);
    if (range == WEB_RANGE_PART) {
        answer.status = 206;
        snprintf(answer.content_range, sizeof answer.content_range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, part.first,
                 part.first + part.size - 1, size);
    }
    snprintf(answer.disposition, sizeof answer.disposition, "inline; filename=\"%s.%s\"", name, file->extension);

    int r = 0;
    bool sends = !unmodified && !request->is_head;
    if (unmodified)
        answer.status = 304;
    if (range == WEB_RANGE_OUTSIDE) {
        answer_outside(size, &answer);
    } else if (sends && request->streams->n_files >= WEB_FILES_MAX) {
        web_answer_problem(503, "too many files are being sent; try again later", &answer);
        answer.retry_after_s = 1;
    } else {
        r = open_body(&answer, request->streams, sends ? file->fd : -1, &part);
    }
    if (!answer.stream.read || !sends)
        close(file->fd);
    if (r < 0)
        web_answer_no_memory(&answer);
    *ret = answer;
}

#include "web/response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/base/clock.h"

enum { PIECE_BYTES = 32 << 10 };

struct stream {
    struct web_stream stream;
    struct web_receiver receiver;
    struct web_resting resting;
};

static ssize_t on_read(void *arg, uint64_t position, char *out, size_t size)
{
    struct stream *s = arg;
    const struct web_receiver *to = &s->receiver;
    (void)position;
    if (s->resting.gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    ssize_t n = s->stream.read(s->stream.context, out, size);
    if (n == -EAGAIN && s->stream.due_us) {
        if (!clients_rest(to->clients, to->client))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        s->resting.due_us = s->stream.due_us(s->stream.context);
        web_streams_rest(to->streams, &s->resting);
        return 0;
    }
    clients_renew(to->clients, to->client, monotonic_us());
    return n > 0 ? n : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_read_end(void *arg)
{
    struct stream *s = arg;
    const struct web_receiver *to = &s->receiver;
    if (s->stream.due_us && to->client && to->client->state == CLIENT_CUT)
        to->streams->dropped++;
    s->stream.close(s->stream.context);
    free(s);
}

static struct MHD_Response *stream_response(struct web_answer *answer, const struct web_receiver *to)
{
    struct stream *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    *s = (struct stream){answer->stream, *to, {.connection = to->connection, .client = to->client}};
    uint64_t size = answer->size == WEB_SIZE_UNKNOWN ? MHD_SIZE_UNKNOWN : answer->size;
    struct MHD_Response *response = MHD_create_response_from_callback(size, PIECE_BYTES, on_read, s, on_read_end);
    if (!response)
        free(s);
    return response;
}

static struct MHD_Response *body_response(struct web_answer *answer)
{
    static char no_memory[] = "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,"
                              "\"detail\":\"out of memory\"}";
    if (!answer->body)
        return MHD_create_response_from_buffer(sizeof no_memory - 1, no_memory, MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_buffer(answer->size, answer->body, MHD_RESPMEM_MUST_FREE);
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return !value || !*value || MHD_add_response_header(response, name, value) == MHD_YES;
}

struct MHD_Response *web_response(struct web_answer *answer, const struct web_header *headers,
                                  const struct web_receiver *receiver)
{
    struct MHD_Response *response = answer->stream.read ? stream_response(answer, receiver) : body_response(answer);
    if (!response) {
        web_answer_clear(answer);
        return NULL;
    }
    char retry_after[16] = "";
    if (answer->retry_after_s > 0)
        snprintf(retry_after, sizeof retry_after, "%d", answer->retry_after_s);
    bool ok = add_header(response, "Content-Type", answer->type) && add_header(response, "Allow", answer->allow) &&
              add_header(response, "Retry-After", retry_after) && add_header(response, "ETag", answer->etag) &&
              add_header(response, "Last-Modified", answer->last_modified) &&
              add_header(response, "Accept-Ranges", *answer->etag ? "bytes" : "") &&
              add_header(response, "Content-Range", answer->content_range) &&
              add_header(response, "Content-Disposition", answer->disposition);
    for (const struct web_header *h = headers; h->name && ok; h++)
        ok = add_header(response, h->name, h->value);
    if (ok)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

/* Server-sent events (WHATWG HTML, section 9.2): the daemon's events as a stream that does not end. A stream stores its place
 * among the events and the text of a few; it reads the others from the view later. If the event at that place is no longer kept,
 * the client gets an event "reset".
 *
 * Each block has an id, even without an event: a client that comes back with it misses nothing and gets nothing twice. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "web/handlers.h"
#include "web/streams.h"

enum { EVENTS_AT_ONCE = 8, RETRY_MS = 3000, KEEP_ALIVE_US = 15000000, RETRY_AFTER_S = 5 };

const struct web_header web_event_headers[] = {
    {"Cache-Control", "no-store"},
    {"X-Accel-Buffering", "no"},        /* asks a proxy to pass on each event at once */
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {NULL, NULL},
};

struct events {
    const struct view *view;
    struct web_streams *streams;
    struct event_filter filter;
    uint64_t next;                      /* number of the first event that the client has not got */
    int64_t due_us;                     /* when an empty comment is due, so that the connection stays open */
    char *text;                         /* [size], of which `sent` bytes were sent; NULL: nothing to send */
    size_t size, sent;
    uint64_t live;                      /* events from this number on came after the stream had begun */
    size_t n_told;                      /* how many of these are in text */
    int64_t told_us[EVENTS_AT_ONCE];    /* UTC: when these happened */
};

/* Writes events that the client has not got. Returns false if there are none, or if reading failed (*r). */
static bool write_events(struct events *e, FILE *out, bool is_first, int *r)
{
    struct event_record events[EVENTS_AT_ONCE];
    struct record_range range;
    uint64_t next;
    size_t n;
    *r = e->view->events(e->view->context, e->next, &e->filter, events, EVENTS_AT_ONCE, &n, &next, &range);
    if (*r < 0)
        return false;
    bool is_lost = e->next < range.oldest || e->next > range.next, has_more = next < range.next;
    if (e->next > range.next) {                 /* the id was of another database: begin with the oldest */
        for (size_t i = 0; i < n; i++)
            free(events[i].body);
        n = 0;
        next = range.oldest;
    }
    if (is_lost)
        fprintf(out, "id: %" PRIu64 "\nevent: reset\ndata: {\"oldest\":%" PRIu64 "}\n\n", range.oldest - 1, range.oldest);
    else if (is_first || (n == 0 && has_more))      /* how far the search has come */
        fprintf(out, "id: %" PRIu64 "\n\n", is_first ? e->next - 1 : next - 1);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", events[i].seq, event_type_name(events[i].type), events[i].body);
        if (events[i].seq >= e->live)
            e->told_us[e->n_told++] = events[i].time_us;
        free(events[i].body);
    }
    e->next = next;
    return is_lost || n > 0 || has_more;
}

/* Fills e->text. 0; -EAGAIN: there is nothing to send now; another -errno. */
static int fill(struct events *e, bool is_first)
{
    int64_t now = monotonic_us();
    e->n_told = 0;
    FILE *out = open_memstream(&e->text, &e->size);
    if (!out)
        return -ENOMEM;
    int r = 0;
    if (is_first)
        fprintf(out, "retry: %d\n", RETRY_MS);
    bool any = write_events(e, out, is_first, &r) || is_first;
    if (r == 0 && !any && now >= e->due_us) {
        fprintf(out, ":\nid: %" PRIu64 "\n\n", e->next - 1);
        any = true;
    }
    bool failed = ferror(out);
    failed |= fclose(out) != 0;
    if (r == 0 && failed)
        r = -ENOMEM;
    if (r == 0 && any) {
        e->sent = 0;
        e->due_us = now + KEEP_ALIVE_US;
        return 0;
    }
    free(e->text);
    e->text = NULL;
    return r < 0 ? r : -EAGAIN;
}

static ssize_t read_events(void *context, char *out, size_t size)
{
    struct events *e = context;
    int r = e->text ? 0 : fill(e, false);
    if (r < 0)
        return r;
    if (size > e->size - e->sent)
        size = e->size - e->sent;
    memcpy(out, e->text + e->sent, size);
    e->sent += size;
    if (e->sent == e->size) {
        for (size_t i = 0; i < e->n_told; i++)
            delays_add(&e->streams->delays, e->told_us[i], utc_us());
        free(e->text);
        e->text = NULL;
    }
    return (ssize_t)size;
}

static int64_t due_us(void *context)
{
    return ((struct events *)context)->due_us;
}

static void close_events(void *context)
{
    struct events *e = context;
    e->streams->n_events--;
    free(e->text);
    free(e);
}

/* Finds the last event that the client has seen, by its header field, else by the query. false: neither names one. *r is -EINVAL
 * if the field is malformed, else 0. */
static bool last_seen(const struct web_request *request, uint64_t *ret, int *r)
{
    *ret = request->last_event_id;
    *r = 0;
    if (!request->fields.last_event_id)
        return request->has_last_event_id;
    *r = web_parse_event_id(request->fields.last_event_id, ret);
    return true;
}

static bool has_cameras(const struct view *view, const struct event_filter *filter)
{
    struct view_camera camera;
    for (size_t i = 0; i < filter->n_cameras; i++)
        if (!view->camera(view->context, filter->cameras[i], &camera))
            return false;
    return true;
}

void web_handle_events(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    uint64_t last;
    int r;
    bool resumes = last_seen(request, &last, &r);
    if (r < 0) {
        web_answer_problem(400, "Last-Event-ID: expected the id of an event, a whole number", ret);
        return;
    }
    if (!has_cameras(view, &request->events)) {
        web_answer_problem_with(404, WEB_NO_CAMERA, "parameter", json_string("camera"), ret);
        return;
    }
    if (request->streams->n_events >= WEB_EVENT_STREAMS_MAX) {
        web_answer_problem(503, "too many streams of events are open; try again later", ret);
        ret->retry_after_s = RETRY_AFTER_S;
        return;
    }
    struct events *e = calloc(1, sizeof *e);
    if (!e) {
        web_answer_no_memory(ret);
        return;
    }
    struct record_range range;
    size_t n;
    *e = (struct events){.view = view, .streams = request->streams, .filter = request->events, .next = last + 1};
    r = view->events(view->context, UINT64_MAX, &e->filter, NULL, 0, &n, &last, &range);
    if (r == 0)
        e->live = range.next;
    if (r == 0 && !resumes)
        e->next = range.next;
    if (r == 0)
        r = fill(e, true);
    if (r < 0) {
        free(e);
        if (r == -ENOMEM)
            web_answer_no_memory(ret);
        else
            web_answer_unread(ret);
        return;
    }
    e->streams->n_events++;
    *ret = (struct web_answer){.status = 200, .type = "text/event-stream; charset=utf-8", .size = WEB_SIZE_UNKNOWN,
                               .stream = {.context = e, .read = read_events, .due_us = due_us, .close = close_events}};
}

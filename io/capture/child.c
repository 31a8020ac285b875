#include "io/capture/child.h"

#include <errno.h>
#include <libgen.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "io/capture/clip_child.h"
#include "io/capture/copying/copy_child.h"
#include "io/capture/host.h"
#include "io/capture/memory.h"
#include "io/capture/packet_queue.h"
#include "io/capture/passing.h"
#include "io/capture/sandbox.h"
#include "io/capture/wire.h"
#include "io/picture/moment.h"
#include "io/video/source.h"
#include "io/video/source_url.h"

struct child {
    int socket;
    struct capture_memory control, pictures, packets;
    struct packet_queue_writer queue;   /* to packets */
    struct packet_tap *tap;             /* NULL: nobody keeps packets */
    struct source *source;
    char *tls_ca_file, *tls_host;       /* of the source's options, which borrow them */
    int file;                   /* what WIRE_MOMENT reads; -1: what its url says */
    size_t picture_size;        /* bytes of a picture; 0: not known yet */
    bool packets_only;
};

static int log_socket;

/* Sends a line of FFmpeg's log. A reader that is gone is noticed with the next result. */
static void send_line(int priority, const char *camera, const char *text)
{
    struct wire_reply reply = {.type = WIRE_LOG, .priority = priority};
    (void)camera;
    snprintf(reply.text, sizeof reply.text, "%s", text);
    wire_send_reply(log_socket, &reply);
}

/* The file or folder that a source reads; "": none. */
static void file_of(char *ret, size_t size, const char *url)
{
    ret[0] = '\0';
    if (source_kind(url) != SOURCE_FILE)
        return;
    snprintf(ret, size, "%s", source_path(url));
    if (source_is_pattern(ret)) {
        char *folder = dirname(ret);
        memmove(ret, folder, strlen(folder) + 1);
    }
}

static int enter_sandbox(const struct child *child, const struct wire_request *request, struct error *err)
{
    char file[4096] = "";
    if (child->file < 0)        /* else it is open, and Landlock has nothing to allow */
        file_of(file, sizeof file, request->url);
    const struct sandbox_options options = {.network = source_kind(request->url) != SOURCE_FILE || source_is_live(request->url),
                                            .paths = {*file ? file : NULL, request->options.tls_ca_file},
                                            .memory_bytes = (size_t)request->memory_mib << 20};
    struct error cause;
    int r = sandbox_enter(&options, &cause);
    return r < 0 ? error_set(err, r, "its process cannot give up its rights (isolation: thread does without): %s", cause.text)
                 : 0;
}

/* When memory runs out, the kernel kills a camera's process before any other. */
static void offer_to_be_killed(void)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "we");
    if (!file)
        return;
    fputs("1000", file);
    fclose(file);
}

/* Names the process, and gives up all rights but those that this source needs. */
static int settle(const struct child *child, const struct wire_request *request, struct error *err)
{
    if (child->source)
        return error_set(err, -EPROTO, "expected one source for each process, got a second one");
    char name[16];
    snprintf(name, sizeof name, "cam-%s", request->name ? request->name : "");
    prctl(PR_SET_NAME, request->name ? name : "capture", 0, 0, 0);
    offer_to_be_killed();
    return enter_sandbox(child, request, err);
}

static int open_source(struct child *child, const struct wire_request *request, struct error *err)
{
    int r = settle(child, request, err);
    if (r < 0)
        return r;
    const struct capture_control *control = (const struct capture_control *)child->control.bytes;
    struct source_options options = request->options;
    options.stop = &control->stop;
    child->tls_ca_file = options.tls_ca_file ? strdup(options.tls_ca_file) : NULL;
    child->tls_host = options.tls_host ? strdup(options.tls_host) : NULL;
    if ((options.tls_ca_file && !child->tls_ca_file) || (options.tls_host && !child->tls_host))
        return error_set(err, -ENOMEM, "out of memory");
    options.tls_ca_file = child->tls_ca_file;
    options.tls_host = child->tls_host;
    if (child->tap)
        options.tap = packet_tap_source(child->tap);
    child->packets_only = options.packets_only;
    child->picture_size = (size_t)options.width * (size_t)options.height;
    return source_open(&child->source, request->url, &options, err);
}

static int read_picture(struct child *child, size_t offset, struct wire_reply *reply, struct error *err)
{
    if (child->packets_only)
        return source_read(child->source, NULL, &reply->frame, err);
    if (child->picture_size == 0 || child->picture_size > child->pictures.size ||
        offset > child->pictures.size - child->picture_size)
        return error_set(err, -EINVAL, "a picture does not fit into the shared memory");
    return source_read(child->source, child->pictures.bytes + offset, &reply->frame, err);
}

/* Maps the memory of fd, which it takes over, in place of what *memory was. */
static int take_memory(struct capture_memory *memory, int fd, size_t size, struct error *err)
{
    struct capture_memory mapped;
    int r = fd < 0 ? -EBADF : capture_memory_map(&mapped, fd, size);
    if (r < 0) {
        close(fd);
        return error_set(err, r, "cannot map shared memory: %s", strerror(-r));
    }
    capture_memory_close(memory);
    *memory = mapped;
    return 0;
}

/* Reads the picture of a moment into the memory of fd, which it takes over. 1, or an error. */
static int read_moment(struct child *child, const struct wire_request *request, int fd, struct wire_reply *reply,
                       struct error *err)
{
    const struct capture_control *control = (const struct capture_control *)child->control.bytes;
    struct moment_options options = {.source = request->options, .longest = request->longest,
                                     .from_start = child->file >= 0};
    struct wire_request of_file = *request;
    char path[32];
    struct moment moment;
    options.source.stop = &control->stop;
    if (child->file >= 0) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", child->file);
        of_file.url = path;
        request = &of_file;
    }
    int r = take_memory(&child->pictures, fd, request->memory_size, err);       /* the sandbox's limit does not count it then */
    if (r == 0)
        r = settle(child, request, err);
    if (r == 0)
        r = moment_read(&moment, request->url, request->pts_us, &options, err);
    if (r < 0)
        return r;
    size_t size = 3 * (size_t)moment.picture.width * (size_t)moment.picture.height;
    if (size > child->pictures.size)
        return error_set(err, -EINVAL, "a picture does not fit into the shared memory");
    memcpy(child->pictures.bytes, moment.picture.pixels, size);
    reply->width = moment.picture.width;
    reply->height = moment.picture.height;
    reply->frame = (struct source_frame){.pts_us = moment.pts_us, .corrupt = moment.corrupt};
    picture_close(&moment.picture);
    return 1;
}

static int take_file(struct child *child, int fd, struct error *err)
{
    if (child->source || child->file >= 0 || fd < 0) {
        close(fd);
        return error_set(err, -EPROTO, "expected no file, got one");
    }
    child->file = fd;
    return 0;
}

/* Packets will be put into the memory of fd, which it takes over. */
static int take_packets(struct child *child, int fd, size_t size, struct error *err)
{
    if (child->source || child->tap || size != PACKET_QUEUE_BYTES) {
        close(fd);
        return error_set(err, -EPROTO, "expected no memory for packets, got some");
    }
    int r = take_memory(&child->packets, fd, size, err);
    if (r < 0)
        return r;
    packet_queue_writer_init(&child->queue, &child->packets);
    const struct packet_consumer consumer = packet_queue_consumer(&child->queue);
    r = packet_tap_open(&child->tap, &consumer);
    return r < 0 ? error_set(err, r, "out of memory") : 0;
}

/* Does what was asked, and answers. false: the process is to end. */
static bool answer(struct child *child, const struct wire_request *request, int fd)
{
    struct wire_reply reply = {.type = WIRE_RESULT};
    struct error err = {""};
    bool prepares = request->type == WIRE_PACKETS || request->type == WIRE_FILE;
    bool is_first = prepares || request->type == WIRE_OPEN || request->type == WIRE_MOMENT;
    if (fd >= 0 && request->type != WIRE_MEMORY && !prepares && request->type != WIRE_MOMENT)
        close(fd);
    if (request->type == WIRE_CLOSE || (!is_first && !child->source))
        return false;
    switch (request->type) {
    case WIRE_OPEN:
        reply.result = open_source(child, request, &err);
        break;
    case WIRE_PEEK:
        reply.result = source_peek(child->source, &reply.width, &reply.height, &err);
        break;
    case WIRE_RESIZE:
        reply.result = source_resize(child->source, request->width, request->height, &err);
        if (reply.result == 0)
            child->picture_size = (size_t)request->width * (size_t)request->height;
        break;
    case WIRE_MOMENT:
        reply.result = read_moment(child, request, fd, &reply, &err);
        break;
    case WIRE_MEMORY:
        reply.result = take_memory(&child->pictures, fd, request->memory_size, &err);
        break;
    case WIRE_FILE:
        reply.result = take_file(child, fd, &err);
        break;
    case WIRE_PACKETS:
        reply.result = take_packets(child, fd, request->memory_size, &err);
        break;
    default:
        reply.result = read_picture(child, request->offset, &reply, &err);
    }
    if (child->source)
        source_stats(child->source, &reply.stats);
    if (reply.result <= 0)
        memcpy(reply.text, err.text, sizeof err.text);
    bool goes_on = child->source || (prepares && reply.result == 0);
    return wire_send_reply(child->socket, &reply) == 0 && goes_on;
}

int capture_child_main(int socket, int control_fd)
{
    struct child child = {.socket = socket, .file = -1};
    int status = 0;
    uint8_t *data = malloc(WIRE_MAX_REQUEST);
    if (!data || capture_memory_map(&child.control, control_fd, sizeof(struct capture_control)) < 0)
        return CHILD_NO_START;
    log_socket = socket;
    source_set_log(send_line);
    for (bool more = true; more;) {
        struct wire_request request;
        int fd;
        ssize_t n = passing_receive(socket, data, WIRE_MAX_REQUEST, &fd, 1, true);
        if (n <= 0)
            break;
        if (wire_decode_request(&request, data, (size_t)n) < 0) {
            status = CHILD_NOT_UNDERSTOOD;
            break;
        }
        if (request.type == WIRE_CLIP) {
            status = child.source || child.tap ? CHILD_NOT_UNDERSTOOD : clip_child_serve(socket, fd);
            break;
        }
        if (request.type == WIRE_COPY) {
            status = child.source || child.tap ? CHILD_NOT_UNDERSTOOD : copy_child_serve(socket, &child.control, child.file, fd);
            break;
        }
        more = answer(&child, &request, fd);
        explicit_bzero(data, (size_t)n);        /* a password */
    }
    source_close(child.source);
    free(child.tls_ca_file);
    free(child.tls_host);
    free(data);
    return status;
}

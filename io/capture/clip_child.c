#include "io/capture/clip_child.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/capture/child.h"
#include "io/capture/packet_queue.h"
#include "io/capture/passing.h"
#include "io/capture/sandbox.h"
#include "io/video/packets/clip_file.h"
#include "io/video/source.h"

struct clip_child {
    int fd;
    struct capture_memory memory;
    struct packet_queue_reader reader;
    struct clip_file *clip;     /* NULL: no stream yet, or it has ended */
    struct packet_stream *stream;
    int result;                 /* -errno of what failed */
    struct error err;
    struct clip_file_stats stats;
};

static void begin(void *arg, const struct packet_format *format, const void *extradata)
{
    struct clip_child *child = arg;
    if (child->stream || child->result < 0)     /* the daemon ends a clip where its stream changes */
        return;
    child->stream = packet_stream_new(format, extradata);
    child->result = child->stream ? clip_file_open(&child->clip, child->fd, child->stream, &child->err)
                                  : error_set(&child->err, -ENOMEM, "out of memory");
}

static void add(void *arg, const struct packet_times *times, const void *data, size_t size)
{
    struct clip_child *child = arg;
    if (!child->clip || child->result < 0)
        return;
    struct packet *packet = packet_new(child->stream, times, data, size);
    child->result = packet ? clip_file_add(child->clip, packet, &child->err) : error_set(&child->err, -ENOMEM, "out of memory");
    packet_unref(packet);
}

static void lose(void *arg)
{
    (void)arg;
}

static void drain(struct clip_child *child)
{
    const struct packet_queue_target target = {.consumer = {.arg = child, .begin = begin, .add = add}, .lose = lose};
    struct error err;
    int r = packet_queue_drain(&child->reader, &target, &err);
    if (r < 0 && child->result == 0) {
        child->result = r;
        child->err = err;
    }
    if (child->clip)
        clip_file_stats(child->clip, &child->stats);
}

static void end(struct clip_child *child)
{
    struct error err;
    int r = clip_file_close(child->clip, child->clip ? &child->stats : NULL, &err);
    child->clip = NULL;
    if (r < 0 && child->result == 0) {
        child->result = r;
        child->err = err;
    }
}

static void take_memory(struct clip_child *child, int fd)
{
    int r = fd < 0 ? -EBADF : capture_memory_map(&child->memory, fd, PACKET_QUEUE_BYTES);
    if (r < 0) {
        child->result = error_set(&child->err, r, "no shared memory: %s", strerror(-r));
        return;
    }
    packet_queue_reader_init(&child->reader, &child->memory);
    child->reader.last_us = 0;          /* packets have arrived long before */
}

/* false: the process is to end. */
static bool answer(struct clip_child *child, int socket)
{
    uint32_t request = 0;
    int fd;
    if (passing_receive(socket, &request, sizeof request, &fd, 1, true) != (ssize_t)sizeof request)
        return false;
    if (request == CLIP_MEMORY && !child->memory.bytes)
        take_memory(child, fd);
    else if (!child->memory.bytes || (request != CLIP_DRAIN && request != CLIP_END))
        return false;
    else
        drain(child);
    if (request == CLIP_END)
        end(child);
    struct clip_reply reply = {.result = child->result, .bytes = child->stats.bytes, .duration_us = child->stats.duration_us,
                               .packets = child->stats.packets, .repaired = child->stats.repaired};
    snprintf(reply.text, sizeof reply.text, "%s", child->result < 0 ? child->err.text : "");
    return send(socket, &reply, sizeof reply, MSG_NOSIGNAL) == (ssize_t)sizeof reply && request != CLIP_END;
}

int clip_child_serve(int socket, int fd)
{
    struct clip_child child = {.fd = fd};
    struct error err;
    prctl(PR_SET_NAME, "clip", 0, 0, 0);
    source_set_log(NULL);               /* answers alone go over the socket */
    if (fd < 0)
        return CHILD_NOT_UNDERSTOOD;
    const struct sandbox_options options = {.file_bytes = CLIP_FILE_BYTES, .memory_bytes = (size_t)CLIP_MEMORY_MIB << 20};
    int r = sandbox_enter(&options, &err);
    if (r < 0)
        child.result = error_set(&child.err, r, "the process of the clip cannot give up its rights (isolation: thread does "
                                 "without): %s", err.text);
    while (answer(&child, socket))
        ;
    return 0;
}

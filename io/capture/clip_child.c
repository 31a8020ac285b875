#include "io/capture/clip_child.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/capture/child.h"
#include "io/capture/copying/priority.h"
#include "io/capture/packet_queue.h"
#include "io/capture/passing.h"
#include "io/capture/sandbox.h"
#include "io/reencode/reencode.h"
#include "io/video/packets/clip_file.h"
#include "io/video/source.h"

struct clip_child {
    int fd;
    struct capture_memory memory;
    struct packet_queue_reader reader;
    struct clip_file *clip;     /* NULL: no stream yet, or it has ended */
    struct reencode *reencode;  /* the same, where there are masks */
    struct clip_masks masks;    /* request 0: none */
    struct packet_stream *streams[2];   /* by enum packet_kind; NULL: none. That of the audio comes first */
    int result;                 /* -errno of what failed */
    struct error err;
    struct clip_file_stats stats;
    uint64_t audio_lost;        /* packets for which there was no memory here */
};

static void open_file(struct clip_child *child)
{
    const struct packet_stream *video = child->streams[PACKET_VIDEO], *audio = child->streams[PACKET_AUDIO];
    const struct reencode_options options = {.privacy = &child->masks.privacy, .longest = child->masks.longest, .live = true};
    child->result = child->masks.request ? reencode_open(&child->reencode, child->fd, video, audio, &options, &child->err)
                                         : clip_file_open(&child->clip, child->fd, video, audio, &child->err);
}

static void begin(void *arg, const struct packet_format *format, const void *extradata)
{
    struct clip_child *child = arg;
    struct packet_stream **stream = &child->streams[format->kind];
    if (*stream || child->result < 0)   /* the daemon ends a clip where its stream changes */
        return;
    *stream = packet_stream_new(format, extradata);
    if (format->kind != PACKET_VIDEO)
        return;                         /* without memory for it, the file has no audio */
    if (*stream)
        open_file(child);
    else
        child->result = error_set(&child->err, -ENOMEM, "out of memory");
}

static void add(void *arg, const struct packet_times *times, const void *data, size_t size)
{
    struct clip_child *child = arg;
    if ((!child->clip && !child->reencode) || child->result < 0)
        return;
    struct packet_stream *stream = child->streams[times->audio ? PACKET_AUDIO : PACKET_VIDEO];
    struct packet *packet = stream ? packet_new(stream, times, data, size) : NULL;
    if (!packet && times->audio) {
        child->audio_lost++;
        return;
    }
    child->result = !packet ? error_set(&child->err, -ENOMEM, "out of memory")
                    : child->reencode ? reencode_add(child->reencode, packet, &child->err)
                                      : clip_file_add(child->clip, packet, &child->err);
    packet_unref(packet);
}

static void lose(void *arg)
{
    (void)arg;
}

static void drain(struct clip_child *child, uint32_t most)
{
    const struct packet_queue_target target = {.consumer = {.arg = child, .begin = begin, .add = add}, .lose = lose};
    struct error err;
    int r = packet_queue_take(&child->reader, &target, most, &err);
    if (r < 0 && child->result == 0) {
        child->result = r;
        child->err = err;
    }
    if (child->clip)
        clip_file_stats(child->clip, &child->stats);
    if (child->reencode)
        reencode_stats(child->reencode, &child->stats);
}

static void end(struct clip_child *child)
{
    struct error err;
    int r = child->reencode ? reencode_close(child->reencode, &child->stats, &err)
                            : clip_file_close(child->clip, child->clip ? &child->stats : NULL, &err);
    child->clip = NULL;
    child->reencode = NULL;
    if (r < 0 && child->result == 0) {
        child->result = r;
        child->err = err;
    }
}

static void take_memory(struct clip_child *child, int fd)
{
    int r = fd < 0 ? -EBADF : capture_memory_map(&child->memory, fd, PACKET_QUEUE_BYTES);
    if (r < 0) {
        child->result = error_set(&child->err, r, "cannot map shared memory: %s", strerror(-r));
        return;
    }
    packet_queue_reader_init(&child->reader, &child->memory);
    child->reader.last_us = 0;          /* packets have arrived long before */
    child->reader.audio = true;
}

/* Gives up rights. The limit of memory depends on the work. */
static void enter_sandbox(struct clip_child *child)
{
    struct error err;
    int memory_mib = child->masks.request ? CLIP_MASKED_MEMORY_MIB : CLIP_MEMORY_MIB;
    const struct sandbox_options options = {.file_bytes = CLIP_FILE_BYTES, .memory_bytes = (size_t)memory_mib << 20};
    if (child->masks.request)
        priority_lower(CLIP_MASKED_NICE);
    int r = sandbox_enter(&options, &err);
    if (r < 0 && child->result == 0)
        child->result = error_set(&child->err, r, "the process of the clip cannot give up its rights (isolation: thread does "
                                  "without): %s", err.text);
}

/* false: the process is to end. */
static bool answer(struct clip_child *child, int socket)
{
    static struct clip_masks message;
    int fd;
    ssize_t size = passing_receive(socket, &message, sizeof message, &fd, 1, true);
    const uint32_t request = size < (ssize_t)sizeof request ? 0 : message.request;
    if (size != (ssize_t)(request == CLIP_MASKS ? sizeof message : sizeof request))
        return false;
    if (request == CLIP_MASKS && !child->memory.bytes && !child->masks.request) {
        child->masks = message;
        child->result = privacy_check(&message.privacy, &child->err);
    } else if (request == CLIP_MEMORY && !child->memory.bytes) {
        enter_sandbox(child);
        take_memory(child, fd);
    } else if (!child->memory.bytes || (request != CLIP_DRAIN && request != CLIP_END)) {
        return false;
    } else if (!child->masks.request) {
        drain(child, UINT32_MAX);
    }
    if (request == CLIP_END)
        end(child);
    struct clip_reply reply = {.result = child->result, .bytes = child->stats.bytes, .duration_us = child->stats.duration_us,
                               .packets = child->stats.packets, .repaired = child->stats.repaired,
                               .audio_packets = child->stats.audio_packets,
                               .audio_lost = child->stats.audio_lost + child->audio_lost};
    memcpy(reply.codecs, child->stats.codecs, sizeof reply.codecs);
    snprintf(reply.text, sizeof reply.text, "%s", child->result < 0 ? child->err.text : "");
    return send(socket, &reply, sizeof reply, MSG_NOSIGNAL) == (ssize_t)sizeof reply && request != CLIP_END;
}

/* Answers a message. With masks, works on a packet while no message comes. */
static bool go_on(struct clip_child *child, int socket)
{
    struct pollfd polled = {.fd = socket, .events = POLLIN};
    bool has_work = child->masks.request && child->memory.bytes && child->result == 0 && packet_queue_waiting(&child->memory) > 0;
    if (poll(&polled, 1, has_work ? 0 : -1) < 0)
        return errno == EINTR;
    if (polled.revents)
        return answer(child, socket);
    drain(child, 1);
    return true;
}

int clip_child_serve(int socket, int fd)
{
    struct clip_child child = {.fd = fd};
    prctl(PR_SET_NAME, "clip", 0, 0, 0);
    source_set_log(NULL);               /* answers alone go over the socket */
    if (fd < 0)
        return CHILD_NOT_UNDERSTOOD;
    while (go_on(&child, socket))
        ;
    return 0;
}

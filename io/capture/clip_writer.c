#include "io/capture/clip_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/printable.h"
#include "io/capture/clip_child.h"
#include "io/capture/packet_queue.h"
#include "io/capture/passing.h"
#include "io/capture/wire.h"
#include "io/reencode/reencode.h"

struct clip_writer {
    int fd;
    struct clip_file *clip;     /* in this process; NULL: in another, or masked */
    struct reencode *reencode;  /* the same, masked */
    bool is_masked;
    struct capture_process process;
    struct capture_memory control, memory;
    struct packet_queue_writer queue;
    struct clip_file_stats stats;
    bool failed;
};

/* ---- the process ------------------------------------------------------------------------------------------------------ */

/* The fault of an answer; NULL: there is none. */
static const char *fault_of(const struct clip_writer *writer, const struct clip_reply *reply)
{
    struct stat st;
    const struct clip_file_stats *before = &writer->stats;
    if (reply->result < -4095 || reply->result > 0)
        return "a result out of range";
    if (!memchr(reply->text, 0, sizeof reply->text))
        return "a text without an end";
    if (!memchr(reply->codecs, 0, sizeof reply->codecs) ||
        reply->codecs[strspn(reply->codecs, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,")])
        return "a codec that has no such name";
    if (reply->bytes < before->bytes || reply->duration_us < before->duration_us || reply->packets < before->packets ||
        reply->audio_packets < before->audio_packets || reply->audio_lost < before->audio_lost ||
        reply->duration_us > INT64_C(1) << 50)
        return "it counts backwards";
    return fstat(writer->fd, &st) < 0 || reply->bytes > st.st_size ? "more bytes than the file has" : NULL;
}

static int receive(struct clip_writer *writer, struct error *err)
{
    struct clip_reply reply;
    struct pollfd polled = {.fd = writer->process.socket, .events = POLLIN};
    int64_t until_us = monotonic_us() + CLIP_WRITER_WAIT_MS * INT64_C(1000), left_us;
    int n = 0;
    while ((left_us = until_us - monotonic_us()) > 0 && (n = poll(&polled, 1, (int)(left_us / 1000) + 1)) < 0 && errno == EINTR)
        ;
    if (n <= 0)
        return error_set(err, -ETIMEDOUT, "the process that writes the clip hangs, or the disk does");
    ssize_t size = recv(writer->process.socket, &reply, sizeof reply, MSG_TRUNC);
    if (size <= 0)
        return error_set(err, -EIO, "the process that writes the clip has ended");
    const char *fault = size != (ssize_t)sizeof reply ? "an answer of another size" : fault_of(writer, &reply);
    if (fault)
        return error_set(err, -EPROTO, "the process that writes the clip breaks the protocol: %s", fault);
    writer->stats = (struct clip_file_stats){.bytes = reply.bytes, .duration_us = reply.duration_us, .packets = reply.packets,
                                             .repaired = reply.repaired, .audio_packets = reply.audio_packets,
                                             .audio_lost = reply.audio_lost};
    memcpy(writer->stats.codecs, reply.codecs, sizeof reply.codecs);
    printable(reply.text);
    return reply.result < 0 ? error_set(err, reply.result, "%s", reply.text) : 0;
}

/* Tells the process which masks it burns in. */
static int send_masks(struct clip_writer *writer, const struct privacy *privacy, struct error *err)
{
    const struct clip_masks masks = {.request = CLIP_MASKS, .longest = CLIP_WRITER_LONGEST, .privacy = *privacy};
    int r = passing_send(writer->process.socket, &masks, sizeof masks, NULL, 0, MSG_DONTWAIT);
    return r < 0 ? error_set(err, -EIO, "the process that writes the clip has ended") : receive(writer, err);
}

/* Asks the process, and waits for its answer. */
static int ask(struct clip_writer *writer, uint32_t request, struct error *err)
{
    int r = passing_send(writer->process.socket, &request, sizeof request, &writer->memory.fd, request == CLIP_MEMORY,
                         MSG_DONTWAIT);
    r = r < 0 ? error_set(err, -EIO, "the process that writes the clip has ended") : receive(writer, err);
    writer->failed |= r < 0;
    return r;
}

static int open_there(struct clip_writer *writer, struct capture_host *host, const struct packet_stream *stream,
                      const struct packet_stream *audio, const struct privacy *privacy, struct error *err)
{
    uint8_t data[512];
    int n = wire_encode_request(data, &(struct wire_request){.type = WIRE_CLIP});
    int r = capture_memory_open(&writer->control, sizeof(struct capture_control));
    if (r == 0)
        r = capture_memory_open(&writer->memory, PACKET_QUEUE_BYTES);
    if (r < 0)
        return error_set(err, r, "cannot make shared memory for a clip: %s", strerror(-r));
    r = capture_host_fork(host, &writer->process, &writer->control, 100, err);
    capture_memory_close(&writer->control);
    if (r < 0)
        return r;
    packet_queue_writer_init(&writer->queue, &writer->memory);
    if (audio)
        packet_queue_begin(&writer->queue, &audio->format, audio->extradata);
    packet_queue_begin(&writer->queue, &stream->format, stream->extradata);     /* with which the process begins the file */
    r = passing_send(writer->process.socket, data, (size_t)n, &writer->fd, 1, MSG_DONTWAIT);
    if (r < 0)
        return error_set(err, r, "the process that writes the clip has ended");
    if (privacy && (r = send_masks(writer, privacy, err)) < 0)
        return r;
    r = ask(writer, CLIP_MEMORY, err);
    close(writer->memory.fd);
    writer->memory.fd = -1;
    return r;
}

/* ---- both ------------------------------------------------------------------------------------------------------------- */

static int open_here(struct clip_writer *writer, const struct packet_stream *stream, const struct packet_stream *audio,
                     const struct privacy *privacy, struct error *err)
{
    const struct reencode_options options = {.privacy = privacy, .longest = CLIP_WRITER_LONGEST, .live = true};
    return privacy ? reencode_open(&writer->reencode, writer->fd, stream, audio, &options, err)
                   : clip_file_open(&writer->clip, writer->fd, stream, audio, err);
}

int clip_writer_open(struct clip_writer **ret, struct capture_host *host, int fd, const struct packet_stream *stream,
                     const struct packet_stream *audio, struct error *err)
{
    return clip_writer_open_masked(ret, host, fd, stream, audio, NULL, err);
}

int clip_writer_open_masked(struct clip_writer **ret, struct capture_host *host, int fd, const struct packet_stream *stream,
                            const struct packet_stream *audio, const struct privacy *privacy, struct error *err)
{
    struct clip_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return error_set(err, -ENOMEM, "out of memory");
    writer->fd = fd;
    writer->process = (struct capture_process){.socket = -1, .pipe = -1};
    writer->is_masked = privacy != NULL;
    int r = host ? open_there(writer, host, stream, audio, privacy, err) : open_here(writer, stream, audio, privacy, err);
    if (r < 0) {
        writer->failed = true;
        clip_writer_close(writer, NULL, NULL);
    } else {
        *ret = writer;
    }
    return r;
}

/* Returns true if another process writes. */
static bool is_there(const struct clip_writer *writer)
{
    return !writer->clip && !writer->reencode;
}

int clip_writer_add(struct clip_writer *writer, struct packet *const *packets, size_t n, struct error *err)
{
    int r = writer->failed ? error_set(err, -EIO, "the clip has failed before") : 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct packet *packet = packets[i];
        if (writer->clip)
            r = clip_file_add(writer->clip, packet, err);
        else if (writer->reencode)
            r = reencode_add(writer->reencode, packet, err);
        else if (!packet_queue_add(&writer->queue, &packet->times, packet->data, packet->size)) {
            r = ask(writer, CLIP_DRAIN, err);
            if (r == 0 && !packet_queue_add(&writer->queue, &packet->times, packet->data, packet->size))
                r = error_set(err, -E2BIG, "a packet of %zu bytes is too large for a clip", packet->size);
        }
    }
    if (r == 0 && is_there(writer))
        r = ask(writer, CLIP_DRAIN, err);
    return r;
}

int clip_writer_offer(struct clip_writer *writer, struct packet *const *packets, size_t n, size_t *taken, struct error *err)
{
    *taken = n;
    if (!writer->is_masked || !is_there(writer))
        return clip_writer_add(writer, packets, n, err);
    if (writer->failed)
        return error_set(err, -EIO, "the clip has failed before");
    for (*taken = 0; *taken < n; ++*taken) {
        const struct packet *packet = packets[*taken];
        bool was_empty = packet_queue_waiting(&writer->memory) == 0;
        if (packet_queue_add(&writer->queue, &packet->times, packet->data, packet->size))
            continue;
        if (was_empty)
            return error_set(err, -E2BIG, "a packet of %zu bytes is too large for a clip", packet->size);
        break;
    }
    return ask(writer, CLIP_DRAIN, err);
}

bool clip_writer_is_behind(const struct clip_writer *writer)
{
    return writer->is_masked && is_there(writer) && !writer->failed && packet_queue_waiting(&writer->memory) > 0;
}

void clip_writer_stats(const struct clip_writer *writer, struct clip_file_stats *ret)
{
    if (writer->clip)
        clip_file_stats(writer->clip, ret);
    else if (writer->reencode)
        reencode_stats(writer->reencode, ret);
    else
        *ret = writer->stats;
}

int clip_writer_close(struct clip_writer *writer, struct clip_file_stats *ret, struct error *err)
{
    if (!writer)
        return 0;
    int r = writer->clip ? clip_file_close(writer->clip, &writer->stats, err)
            : writer->reencode ? reencode_close(writer->reencode, &writer->stats, err)
            : writer->failed ? 0 : ask(writer, CLIP_END, err);
    if (ret)
        *ret = writer->stats;
    if (writer->process.socket >= 0) {
        close(writer->process.socket);
        close(writer->process.pipe);
    }
    capture_memory_close(&writer->control);
    capture_memory_close(&writer->memory);
    free(writer);
    return r;
}


#include "io/capture/capture.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/redact.h"
#include "io/capture/packet_queue.h"
#include "io/capture/passing.h"
#include "io/capture/wire.h"
#include "io/video/source_url.h"

/* The time that the process may take beyond the limits of its source, to report by itself what is wrong. */
#define GRACE_US INT64_C(2000000)
/* The interval at which a wait looks at options.stop. */
#define STOP_MS 100
#define CLOSE_US INT64_C(500000)
enum { MOST_SIDE = 8192, MOST_LINES = 1000 };

struct capture {
    struct source *source;      /* in this process; NULL: in another */
    const atomic_bool *stop;
    char shown[256];            /* the URL, redacted */
    struct capture_process process;
    struct capture_memory control;
    const struct capture_memory *memory;        /* of the caller's pictures, or own */
    struct capture_memory own;  /* a picture, which is copied from here; zeroes: the caller shares memory */
    size_t picture_size;
    bool packets_only;          /* there are no pictures */
    struct packet_ring *packets;        /* NULL: nobody keeps them */
    struct packet_tap *tap;     /* in this process, to packets */
    struct capture_memory queue;        /* from another process, to packets */
    struct packet_queue_reader reader;
    int64_t stall_us, period_us;        /* stall_us 0: it cannot stall */
    int64_t last_pts_us;        /* -1: no picture yet */
    int64_t opened_us;          /* CLOCK_MONOTONIC */
    struct source_stats stats;
    bool broken;                /* the process died, hung or broke the protocol: it is asked nothing more */
    bool ended;
    int end;
    struct error end_error;
};

static bool stopped(const struct capture *capture)
{
    return capture->stop && atomic_load_explicit(capture->stop, memory_order_relaxed);
}

static int end(struct capture *capture, int r, const struct error *err)
{
    capture->ended = true;
    capture->end = r;
    capture->end_error = *err;
    return r;
}

/* ---- packets ---------------------------------------------------------------------------------------------------------- */

/* Video that the ring does not take is lost. The ring then waits for the next key frame. */
static void begin_packets(void *arg, const struct packet_format *format, const void *extradata)
{
    packet_ring_begin(arg, format, extradata);
}

static void add_packet(void *arg, const struct packet_times *times, const void *data, size_t size)
{
    if (packet_ring_add(arg, times, data, size) < 0 && !times->audio)
        packet_ring_lose(arg);
}

static void lose_packets(void *arg)
{
    packet_ring_lose(arg);
}

static struct packet_queue_target ring_of(const struct capture *capture)
{
    return (struct packet_queue_target){.consumer = {.arg = capture->packets, .begin = begin_packets, .add = add_packet},
                                        .lose = lose_packets};
}

/* ---- how the process ended -------------------------------------------------------------------------------------------- */

/* Waits until the host has told how the process ended, for a second at most. */
static bool read_exit(const struct capture *capture, struct capture_exit *ret)
{
    struct pollfd polled = {.fd = capture->process.pipe, .events = POLLIN};
    int r;
    while ((r = poll(&polled, 1, 1000)) < 0 && errno == EINTR)
        ;
    return r > 0 && read(capture->process.pipe, ret, sizeof *ret) == (ssize_t)sizeof *ret;
}

static int name_death(const struct capture *capture, struct error *err)
{
    struct capture_exit how;
    if (!read_exit(capture, &how))
        return error_set(err, -EIO, "%s: its process has ended", capture->shown);
    if (how.end == CAPTURE_NOT_FORKED)
        return error_set(err, -EAGAIN, "%s: cannot start its process: %s", capture->shown, strerror(how.status));
    if (how.end == CAPTURE_TOO_LONG)
        return error_set(err, -EIO, "%s: its process took more processor time than its share, and was killed",
                         capture->shown);
    if (WIFEXITED(how.status))
        return error_set(err, -EIO, "%s: its process has ended with status %d", capture->shown, WEXITSTATUS(how.status));
    int number = WTERMSIG(how.status);
    if (number == SIGSYS)
        return error_set(err, -EIO, "%s: its process tried what it may not, and was killed (SIGSYS)", capture->shown);
    if (number == SIGKILL)
        return error_set(err, -EIO, "%s: its process was killed", capture->shown);
    return error_set(err, -EIO, "%s: its process crashed (SIG%s)", capture->shown, sigabbrev_np(number));
}

/* ---- a request and its result ----------------------------------------------------------------------------------------- */

static int broke(const struct capture *capture, const char *how, struct error *err)
{
    return error_set(err, -EPROTO, "%s: its process breaks the protocol: %s", capture->shown, how);
}

/* fd is sent along; -1: none. */
static int send_request(const struct capture *capture, const struct wire_request *request, int fd, struct error *err)
{
    static const size_t size = WIRE_MAX_REQUEST;
    uint8_t small[256], *data = request->url ? malloc(size) : small;
    if (!data)
        return error_set(err, -ENOMEM, "out of memory");
    int n = wire_encode_request(data, request), r = 0;
    if (n < 0)
        r = error_set(err, -EINVAL, "%s: the address is too long", capture->shown);
    else if ((r = passing_send(capture->process.socket, data, (size_t)n, &fd, fd >= 0, MSG_DONTWAIT)) < 0)
        r = r == -EAGAIN ? broke(capture, "it does not take requests", err) : name_death(capture, err);
    if (request->url) {
        explicit_bzero(data, size);     /* a password */
        free(data);
    }
    return r;
}

static int drain(struct capture *capture, struct error *err)
{
    struct error cause;
    if (!capture->packets || capture->broken)
        return 0;
    const struct packet_queue_target target = ring_of(capture);
    if (packet_queue_drain(&capture->reader, &target, &cause) == 0)
        return 0;
    capture->broken = true;
    return broke(capture, cause.text, err);
}

/* The process does not answer in time; start_us: when it was asked. */
static int late(const struct capture *capture, int64_t start_us, struct error *err)
{
    return error_set(err, -ETIMEDOUT, "%s: no %s for %.0f s: its process hangs, and is killed", capture->shown,
                     capture->stats.codec[0] ? "picture" : "answer", (double)(monotonic_us() - start_us) / 1e6);
}

/* Waits for a message, and takes over packets meanwhile. 1; negative: stopped, late or dead, with the cause in err. */
static int wait_for_message(struct capture *capture, int64_t start_us, int64_t deadline_us, struct error *err)
{
    for (;;) {
        struct pollfd polled = {.fd = capture->process.socket, .events = POLLIN};
        int n = poll(&polled, 1, STOP_MS);
        if (stopped(capture))
            return error_set(err, -EINTR, "%s: stopped", capture->shown);
        int r = drain(capture, err);
        if (r < 0)
            return r;
        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return error_set(err, -errno, "%s: poll: %s", capture->shown, strerror(errno));
        if (monotonic_us() > deadline_us)
            return late(capture, start_us, err);
    }
}

/* The text comes from another process, so redact() hides what looks like a password. */
static void give_line(const struct wire_reply *reply)
{
    char text[2 * WIRE_MAX_TEXT];
    redact(text, sizeof text, reply->text);
    source_log(reply->priority, text);
}

/* Waits for the result of the request that was sent. 0: *ret is written; or a negative errno with the cause in err. */
static int receive(struct capture *capture, struct wire_reply *ret, int64_t deadline_us, struct error *err)
{
    int64_t start_us = monotonic_us();
    for (int lines = 0;; lines++) {
        uint8_t data[2048];
        struct error cause;
        assert(wire_reply_size() < sizeof data);
        int r = wait_for_message(capture, start_us, deadline_us, err);
        if (r < 0)
            return r;
        ssize_t n = recv(capture->process.socket, data, sizeof data, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return name_death(capture, err);
        if (wire_decode_reply(ret, data, (size_t)n, &cause) < 0)
            return broke(capture, cause.text, err);
        if (ret->type == WIRE_RESULT)
            return 0;
        if (lines == MOST_LINES)
            return broke(capture, "it logs without end", err);
        if (monotonic_us() > deadline_us)       /* it logs, but does not answer */
            return late(capture, start_us, err);
        give_line(ret);
    }
}

/* The time by which a request has to be answered: after `stalls` time-outs, and GRACE_US in which the process can say so. */
static int64_t deadline_after(const struct capture *capture, int stalls)
{
    int64_t wait_us = capture->stall_us > capture->period_us ? capture->stall_us : capture->period_us;
    return capture->stall_us > 0 ? monotonic_us() + stalls * wait_us + GRACE_US : INT64_MAX;
}

/* Sends the request and waits for its result. 0: *reply is written; after an error nothing more is asked. */
static int ask(struct capture *capture, const struct wire_request *request, int stalls, struct wire_reply *reply,
               struct error *err)
{
    const struct capture_memory *memory = request->type == WIRE_MEMORY ? capture->memory
                                          : request->type == WIRE_PACKETS ? &capture->queue : NULL;
    int r = send_request(capture, request, memory ? memory->fd : -1, err);
    if (r == 0)
        r = receive(capture, reply, deadline_after(capture, stalls), err);
    if (r == 0 && reply->stats.frames_decoded < capture->stats.frames_decoded)
        r = broke(capture, "it counts backwards", err);
    if (r == 0 && reply->stats.audio != SOURCE_AUDIO_OFF && !capture->reader.audio)
        r = broke(capture, "audio that was not asked for", err);
    if (r == 0)
        capture->stats = reply->stats;
    capture->broken = r < 0 && r != -EINTR;
    return r;
}

/* The error of the reply, for err. */
static int failed(const struct capture *capture, const struct wire_reply *reply, struct error *err)
{
    char text[2 * WIRE_MAX_TEXT];
    if (reply->result == -EINTR && !stopped(capture))
        return broke(capture, "it says that it was stopped", err);
    redact(text, sizeof text, reply->text);
    return error_set(err, reply->result, "%s", text);
}

/* ---- the calls of a source -------------------------------------------------------------------------------------------- */

static int fork_process(struct capture *capture, const struct capture_options *options, struct error *err)
{
    int threads = options->source.decoder_threads > 0 ? options->source.decoder_threads : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int r = capture_memory_open(&capture->control, sizeof(struct capture_control));
    if (r < 0)
        return error_set(err, r, "%s: cannot make shared memory: %s", capture->shown, strerror(-r));
    r = capture_host_fork(options->host, &capture->process, &capture->control, 100 * (threads > 0 ? threads : 1), err);
    close(capture->control.fd);
    capture->control.fd = -1;
    return r < 0 ? error_prefix(err, r, "%s", capture->shown) : 0;
}

/* Sends a request that is answered by 0 or an error. */
static int ask_for_success(struct capture *capture, const struct wire_request *request, struct error *err)
{
    struct wire_reply reply;
    int r = ask(capture, request, 1, &reply, err);
    if (r == 0 && reply.result != 0)
        r = reply.result > 0 ? broke(capture, "a result that does not fit", err) : failed(capture, &reply, err);
    return r;
}

/* Hands over the memory for pictures of picture_size. */
static int share_memory(struct capture *capture, const struct capture_memory *callers, struct error *err)
{
    capture->memory = callers ? callers : &capture->own;
    if (!callers) {
        capture_memory_close(&capture->own);
        int r = capture_memory_open(&capture->own, capture->picture_size);
        if (r < 0)
            return error_set(err, r, "%s: cannot make shared memory: %s", capture->shown, strerror(-r));
    }
    return ask_for_success(capture, &(struct wire_request){.type = WIRE_MEMORY, .memory_size = capture->memory->size}, err);
}

/* Hands over memory for packets. */
static int share_queue(struct capture *capture, bool audio, struct error *err)
{
    int r = capture_memory_open(&capture->queue, PACKET_QUEUE_BYTES);
    if (r < 0)
        return error_set(err, r, "%s: cannot make shared memory: %s", capture->shown, strerror(-r));
    packet_queue_reader_init(&capture->reader, &capture->queue);
    capture->reader.audio = audio;
    r = ask_for_success(capture, &(struct wire_request){.type = WIRE_PACKETS, .memory_size = PACKET_QUEUE_BYTES}, err);
    close(capture->queue.fd);
    capture->queue.fd = -1;
    return r;
}

/* Has the process open the source. */
static int open_there(struct capture *capture, const char *url, const struct capture_options *options, struct error *err)
{
    int r = capture->packets ? share_queue(capture, options->source.audio, err) : 0;
    if (r < 0)
        return r;
    r = ask_for_success(capture, &(struct wire_request){.type = WIRE_OPEN,
                                                            .url = url,
                                                            .name = options->name,
                                                            .options = options->source,
                                                            .memory_mib = options->memory_mib > 0 ? options->memory_mib
                                                                                                  : CAPTURE_MEMORY_MIB}, err);
    return r == 0 && capture->picture_size > 0 ? share_memory(capture, options->memory, err) : r;
}

/* Opens the source in this process. */
static int open_here(struct capture *capture, const char *url, const struct capture_options *options, struct error *err)
{
    struct source_options source = options->source;
    if (capture->packets) {
        const struct packet_consumer consumer = ring_of(capture).consumer;
        if (packet_tap_open(&capture->tap, &consumer) < 0)
            return error_set(err, -ENOMEM, "%s: out of memory", capture->shown);
        source.tap = packet_tap_source(capture->tap);
    }
    return source_open(&capture->source, url, &source, err);
}

int capture_open(struct capture **ret, const char *url, const struct capture_options *options, struct error *err)
{
    struct capture *capture = calloc(1, sizeof *capture);
    if (!capture)
        return error_set(err, -ENOMEM, "out of memory");
    *capture = (struct capture){.stop = options->source.stop,
                                .last_pts_us = -1,
                                .opened_us = monotonic_us(),
                                .packets = options->packets,
                                .packets_only = options->source.packets_only,
                                .process = {.socket = -1, .pipe = -1},
                                .picture_size = (size_t)options->source.width * (size_t)options->source.height};
    redact(capture->shown, sizeof capture->shown, url);
    int r;
    if (!options->host) {
        r = open_here(capture, url, options, err);
    } else {
        if (source_kind(url) != SOURCE_FILE || options->files_stall)
            capture->stall_us = INT64_C(1000) * options->source.stall_timeout_ms;
        if (options->source.fps > 0)
            capture->period_us = options->source.fps > 1e-3 ? (int64_t)(2e6 / options->source.fps) : INT64_C(2000000000);
        r = fork_process(capture, options, err);
        if (r == 0)
            r = open_there(capture, url, options, err);
    }
    if (r < 0)
        capture_close(capture);
    else
        *ret = capture;
    return r;
}

/* Tells the process to close its source, and gives it a moment for a server's goodbye. The host kills it afterwards. */
static void end_process(struct capture *capture)
{
    struct error ignored;
    struct pollfd polled = {.fd = capture->process.pipe, .events = POLLIN};
    int64_t until_us = monotonic_us() + CLOSE_US, left_us;
    struct capture_control *control = (struct capture_control *)capture->control.bytes;
    atomic_store(&control->stop, true);
    bool told = !capture->broken &&
                send_request(capture, &(struct wire_request){.type = WIRE_CLOSE}, -1, &ignored) == 0;
    while (told && (left_us = until_us - monotonic_us()) > 0 && poll(&polled, 1, (int)(left_us / 1000) + 1) < 0 && errno == EINTR)
        ;
    close(capture->process.socket);
    close(capture->process.pipe);
}

void capture_close(struct capture *capture)
{
    if (!capture)
        return;
    source_close(capture->source);
    packet_tap_close(capture->tap);
    if (capture->process.socket >= 0)
        end_process(capture);
    capture_memory_close(&capture->control);
    capture_memory_close(&capture->own);
    capture_memory_close(&capture->queue);
    free(capture);
}

int capture_peek(struct capture *capture, int *width, int *height, struct error *err)
{
    struct wire_reply reply;
    struct error cause = {""};
    if (capture->source)
        return source_peek(capture->source, width, height, err);
    if (!capture->ended) {
        int r = ask(capture, &(struct wire_request){.type = WIRE_PEEK}, SOURCE_PICTURE_STALLS, &reply, &cause);
        if (r == 0)
            r = reply.result < 0 ? failed(capture, &reply, &cause) : reply.result;
        if (r == 1 && reply.width == 0)
            r = broke(capture, "a picture without a size", &cause);
        if (r == 1) {
            *width = reply.width;
            *height = reply.height;
            return 1;
        }
        end(capture, r, &cause);
    }
    if (err && capture->end < 0)
        *err = capture->end_error;
    return capture->end;
}

int capture_resize(struct capture *capture, int width, int height, struct error *err)
{
    struct error cause = {""};
    if (capture->source)
        return source_resize(capture->source, width, height, err);
    if (capture->ended)
        return error_set(err, capture->end < 0 ? capture->end : -EIO, "%s: cannot scale a source that has ended", capture->shown);
    if (width < 1 || height < 1 || width > MOST_SIDE || height > MOST_SIDE)
        return error_set(err, -EINVAL, "%s: expected a picture size from 1x1 to %dx%d, got %dx%d", capture->shown, MOST_SIDE,
                         MOST_SIDE, width, height);
    int r = ask_for_success(capture, &(struct wire_request){.type = WIRE_RESIZE, .width = width, .height = height}, &cause);
    capture->picture_size = (size_t)width * (size_t)height;
    if (r == 0)
        r = share_memory(capture, capture->memory == &capture->own ? NULL : capture->memory, &cause);
    if (r < 0)
        end(capture, r, &cause);
    if (r < 0 && err)
        *err = cause;
    return r;
}

/* Returns the fault of a picture that the process says it has written; NULL: there is none. */
static const char *fault_of_picture(const struct capture *capture, const struct source_frame *frame)
{
    bool first = capture->last_pts_us < 0;
    if (first ? frame->pts_us != 0 : frame->pts_us <= capture->last_pts_us)
        return "a time that does not rise";
    if (frame->arrival_us < capture->opened_us || frame->arrival_us > monotonic_us())
        return "an impossible time of arrival";
    return first && frame->gap ? "a break before the first picture" : NULL;
}

static int read_there(struct capture *capture, uint8_t *pixels, struct source_frame *frame, struct error *err)
{
    struct wire_reply reply;
    bool copies = !capture->packets_only && capture->memory == &capture->own;
    size_t offset = copies || capture->packets_only ? 0 : (size_t)(pixels - capture->memory->bytes);
    assert(capture->packets_only ||
           (capture->picture_size > 0 && offset <= capture->memory->size - capture->picture_size));
    int r = ask(capture, &(struct wire_request){.type = WIRE_READ, .offset = offset},
                capture->last_pts_us < 0 ? SOURCE_PICTURE_STALLS : 1, &reply, err);
    if (r == 0)
        r = reply.result < 0 ? failed(capture, &reply, err) : reply.result;
    if (r <= 0)
        return r;
    const char *fault = fault_of_picture(capture, &reply.frame);
    if (fault) {
        capture->broken = true;
        return broke(capture, fault, err);
    }
    if (copies)
        memcpy(pixels, capture->own.bytes, capture->picture_size);
    capture->last_pts_us = reply.frame.pts_us;
    *frame = reply.frame;
    return 1;
}

int capture_read(struct capture *capture, uint8_t *pixels, struct source_frame *frame, struct error *err)
{
    if (capture->source)
        return source_read(capture->source, pixels, frame, err);
    if (!capture->ended) {
        struct error cause = {""};
        int r = read_there(capture, pixels, frame, &cause);
        if (r == 1)
            return 1;
        end(capture, r, &cause);
    }
    if (err && capture->end < 0)
        *err = capture->end_error;
    return capture->end;
}

void capture_stats(const struct capture *capture, struct source_stats *ret)
{
    if (capture->source)
        source_stats(capture->source, ret);
    else
        *ret = capture->stats;
}

/* ---- a moment --------------------------------------------------------------------------------------------------------- */

/* Hands over the file that the process is to read. */
static int give_file(struct capture *capture, int fd, int64_t until_us, struct error *err)
{
    struct wire_reply reply;
    int r = send_request(capture, &(struct wire_request){.type = WIRE_FILE}, fd, err);
    if (r == 0)
        r = receive(capture, &reply, until_us, err);
    capture->broken = r < 0 && r != -EINTR;
    if (r == 0 && reply.result != 0)
        r = reply.result > 0 ? broke(capture, "a result that does not fit", err) : failed(capture, &reply, err);
    return r;
}

/* Asks a process that was just forked; the picture comes in capture->own. */
static int ask_for_moment(struct capture *capture, const struct wire_request *request, int64_t until_us, struct moment *ret,
                          struct error *err)
{
    struct wire_reply reply;
    struct moment moment = {0};
    int longest = request->longest, r = send_request(capture, request, capture->own.fd, err);
    if (r == 0)
        r = receive(capture, &reply, until_us, err);
    capture->broken = r < 0 && r != -EINTR;
    if (r == 0 && reply.result < 0)
        r = failed(capture, &reply, err);
    else if (r == 0 && (reply.result != 1 || reply.width < 1 || reply.width > longest || reply.height > longest))
        r = broke(capture, "a picture of another size", err);
    if (r == 0 && (r = picture_open(&moment.picture, reply.width, reply.height)) < 0)
        error_set(err, r, "%s: out of memory", capture->shown);
    if (r < 0)
        return r;
    memcpy(moment.picture.pixels, capture->own.bytes, 3 * (size_t)reply.width * (size_t)reply.height);
    moment.pts_us = reply.frame.pts_us;
    moment.corrupt = reply.frame.corrupt;
    *ret = moment;
    return 0;
}

/* file: what is read; -1: what url says. */
static int moment_there(struct moment *ret, const char *url, int file, int64_t pts_us, const struct moment_options *options,
                        struct capture_host *host, int memory_mib, struct error *err)
{
    int64_t until_us = options->limit_ms > 0 ? monotonic_us() + INT64_C(1000) * options->limit_ms : INT64_MAX;
    struct capture *capture = calloc(1, sizeof *capture);
    if (!capture)
        return error_set(err, -ENOMEM, "out of memory");
    *capture = (struct capture){.stop = options->source.stop, .process = {.socket = -1, .pipe = -1}};
    redact(capture->shown, sizeof capture->shown, url);
    struct capture_options process = {.source = options->source, .host = host};
    process.source.decoder_threads = 1;
    int r = capture_memory_open(&capture->own, 3 * (size_t)options->longest * (size_t)options->longest);
    if (r < 0)
        error_set(err, r, "%s: cannot make shared memory: %s", capture->shown, strerror(-r));
    if (r == 0)
        r = fork_process(capture, &process, err);
    if (r == 0 && file >= 0)
        r = give_file(capture, file, until_us, err);
    const struct wire_request request = {.type = WIRE_MOMENT, .url = url, .options = options->source,
                                         .memory_mib = memory_mib > 0 ? memory_mib : CAPTURE_MEMORY_MIB, .pts_us = pts_us,
                                         .longest = options->longest, .memory_size = capture->own.size};
    if (r == 0)
        r = ask_for_moment(capture, &request, until_us, ret, err);
    capture_close(capture);
    return r;
}

int capture_moment(struct moment *ret, const char *url, int64_t pts_us, const struct moment_options *options,
                   struct capture_host *host, int memory_mib, struct error *err)
{
    if (!host || options->longest < 1 || options->longest > PICTURE_MAX_SIDE)
        return moment_read(ret, url, pts_us, options, err);
    return moment_there(ret, url, -1, pts_us, options, host, memory_mib, err);
}

int capture_moment_of(struct moment *ret, int fd, int64_t pts_us, const struct moment_options *options, struct capture_host *host,
                      int memory_mib, struct error *err)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!host || options->longest < 1 || options->longest > PICTURE_MAX_SIDE) {
        struct moment_options here = *options;
        here.from_start = true;
        return moment_read(ret, path, pts_us, &here, err);
    }
    return moment_there(ret, path, fd, pts_us, options, host, memory_mib, err);
}

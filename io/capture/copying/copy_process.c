#include "io/capture/copying/copy_process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/printable.h"
#include "io/capture/copying/copy_child.h"
#include "io/capture/memory.h"
#include "io/capture/passing.h"
#include "io/capture/wire.h"
#include "io/reencode/copy_file.h"
#include "io/reencode/encoder.h"

/* The interval at which a wait looks at options.stops. */
enum { STOP_MS = 100 };
/* The time that a process may take to end: of itself, after its copy is complete; and after it is told to stop. */
enum { END_MS = 10000, GRACE_MS = 500 };

int capture_can_encode(struct error *err)
{
    return encoder_check(err);
}

static bool is_stopped(const struct capture_copy_options *options)
{
    for (size_t i = 0; i < 2; i++)
        if (options->stops[i] && atomic_load_explicit(options->stops[i], memory_order_relaxed))
            return true;
    return false;
}

static int ended(struct error *err)
{
    return error_set(err, -EIO, "the process that copies the clip has ended");
}

/* ---- the process ------------------------------------------------------------------------------------------------------ */

/* A message of the protocol of io/capture/wire.h, with a descriptor. */
static int send_file(const struct capture_process *process, enum wire_type type, int fd, struct error *err)
{
    uint8_t data[512];
    int n = wire_encode_request(data, &(struct wire_request){.type = type});
    return passing_send(process->socket, data, (size_t)n, &fd, 1, MSG_DONTWAIT) < 0 ? ended(err) : 0;
}

/* Waits for a message of at most `size` bytes. Its bytes, or -errno. */
static ssize_t receive(const struct capture_process *process, void *data, size_t size, int64_t until_us,
                       const struct capture_copy_options *options, struct error *err)
{
    for (;;) {
        struct pollfd polled = {.fd = process->socket, .events = POLLIN};
        int n = poll(&polled, 1, STOP_MS);
        if (is_stopped(options))
            return error_set(err, -EINTR, "stopped");
        if (n > 0) {
            ssize_t got = recv(process->socket, data, size, MSG_TRUNC);
            return got <= 0 ? ended(err) : got;
        }
        if (monotonic_us() > until_us)
            return error_set(err, -ETIMEDOUT, "the copy takes longer than %.0f s; the clip is too long, or the machine too slow",
                             1e-6 * (double)options->limit_us);
    }
}

/* The fault of an answer; NULL: there is none. */
static const char *fault_of(const struct copy_reply *reply, int to)
{
    struct stat st;
    if (reply->result < -4095 || reply->result > 0 || reply->is_cut > 1)
        return "a result out of range";
    if (!memchr(reply->text, 0, sizeof reply->text) || !memchr(reply->codecs, 0, sizeof reply->codecs))
        return "a text without an end";
    if (reply->codecs[strspn(reply->codecs, "abcdefghijklmnopqrstuvwxyz0123456789.,")])
        return "a codec that has no such name";
    if (reply->duration_us < 0 || reply->duration_us > INT64_C(1) << 50)
        return "a duration out of range";
    return fstat(to, &st) < 0 || reply->bytes < 0 || reply->bytes > st.st_size ? "more bytes than the file has" : NULL;
}

static int take_answer(struct capture_copy *ret, struct copy_reply *reply, ssize_t size, int to, struct error *err)
{
    const char *fault = size != (ssize_t)sizeof *reply ? "an answer of another size" : fault_of(reply, to);
    if (fault)
        return error_set(err, -EPROTO, "the process that copies the clip breaks the protocol: %s", fault);
    printable(reply->text);
    if (reply->result < 0)
        return error_set(err, reply->result, "%s", reply->text);
    *ret = (struct capture_copy){.bytes = reply->bytes, .duration_us = reply->duration_us, .audio_lost = reply->audio_lost,
                                 .is_cut = reply->is_cut};
    memcpy(ret->codecs, reply->codecs, sizeof ret->codecs);
    return 0;
}

/* Tells a process that was just forked what to do, and waits for its answer. */
static int ask(struct capture_copy *ret, const struct capture_process *process, int from, int to,
               const struct capture_copy_options *options, struct error *err)
{
    uint8_t ready[2048];
    struct copy_reply reply;
    int64_t until_us = monotonic_us() + options->limit_us;
    const struct copy_order order = {.privacy = *options->privacy, .longest = options->longest, .length_us = options->length_us};
    int r = send_file(process, WIRE_FILE, from, err);
    if (r == 0)
        r = (int)receive(process, ready, sizeof ready, until_us, options, err);
    if (r >= 0)
        r = send_file(process, WIRE_COPY, to, err);
    if (r == 0 && send(process->socket, &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof order)
        r = ended(err);
    if (r < 0)
        return r;
    ssize_t size = receive(process, &reply, sizeof reply, until_us, options, err);
    return size < 0 ? (int)size : take_answer(ret, &reply, size, to, err);
}

/* Waits for the process, then closes its pipe, so that the host kills a process that has not ended. Nobody writes to the file
 * after that. A process of the lowest priority may take long to end where others compute. */
static void end_process(const struct capture_process *process, int wait_ms, const struct capture_copy_options *options)
{
    struct pollfd polled = {.fd = process->pipe, .events = POLLIN};
    shutdown(process->socket, SHUT_RDWR);
    while (wait_ms > 0 && poll(&polled, 1, STOP_MS) == 0)
        wait_ms = is_stopped(options) && wait_ms > GRACE_MS ? GRACE_MS : wait_ms - STOP_MS;
    close(process->socket);
    close(process->pipe);
}

static int copy_there(struct capture_copy *ret, int from, int to, const struct capture_copy_options *options,
                      struct capture_host *host, struct error *err)
{
    struct capture_memory control;
    struct capture_process process;
    int r = capture_memory_open(&control, sizeof(struct capture_control));
    if (r < 0)
        return error_set(err, r, "cannot make shared memory for a copy: %s", strerror(-r));
    r = capture_host_fork(host, &process, &control, 100, err);
    if (r == 0) {
        r = ask(ret, &process, from, to, options, err);
        atomic_store(&((struct capture_control *)control.bytes)->stop, true);
        end_process(&process, r == 0 ? END_MS : GRACE_MS, options);
    }
    capture_memory_close(&control);
    return r;
}

/* ---- both ------------------------------------------------------------------------------------------------------------- */

static int copy_here(struct capture_copy *ret, int from, int to, const struct capture_copy_options *options, struct error *err)
{
    struct clip_file_stats stats;
    bool is_cut;
    const struct copy_file_options how = {.reencode = {.privacy = options->privacy, .longest = options->longest},
                                          .length_us = options->length_us, .stop = options->stops[0]};
    int r = copy_file(from, to, &how, &stats, &is_cut, err);
    if (r < 0)
        return r;
    *ret = (struct capture_copy){.bytes = stats.bytes, .duration_us = stats.duration_us, .audio_lost = stats.audio_lost,
                                 .is_cut = is_cut};
    memcpy(ret->codecs, stats.codecs, sizeof ret->codecs);
    return 0;
}

int capture_copy(struct capture_copy *ret, int from, int to, const struct capture_copy_options *options,
                 struct capture_host *host, struct error *err)
{
    return host ? copy_there(ret, from, to, options, host, err) : copy_here(ret, from, to, options, err);
}

/* A camera's process that an attacker has taken over. This program's source_open() and source_read() replace those of the
 * library, and run in the real process, with the real sandbox. Whatever they do is an error of the source, or harmless. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/rng.h"
#include "io/base/clock.h"
#include "io/capture/capture.h"
#include "io/capture/packet_queue.h"
#include "io/capture/passing.h"
#include "io/capture/wire.h"
#include "tests/suite.h"

enum { WIDTH = 32, HEIGHT = 24, SIZE = WIDTH * HEIGHT };

/* ---- the hostile source ----------------------------------------------------------------------------------------------- */

struct source {
    char url[128];
    int reads;
    struct packet_queue_writer *queue;  /* NULL: packets are not kept */
};

/* The process does not know which of its descriptors is the socket to the daemon, so it tries all. */
static void send_to_all(const void *data, size_t size)
{
    for (int fd = 3; fd < 128; fd++)
        send(fd, data, size, MSG_NOSIGNAL);
}

static void reply_to_all(const struct wire_reply *reply)
{
    for (int fd = 3; fd < 128; fd++)
        wire_send_reply(fd, reply);
}

static _Noreturn void spin(void)
{
    for (volatile uint64_t n = 0;; n++)
        ;
}

static void eat_memory(void)
{
    for (;;) {
        char *p = malloc(1 << 20);
        if (!p)
            abort();
        memset(p, 1, 1 << 20);
    }
}

static void send_garbage(void)
{
    uint8_t data[2048];
    struct rng rng;
    rng_seed(&rng, 7);
    for (int i = 0; i < 100; i++) {
        for (size_t k = 0; k < sizeof data; k++)
            data[k] = (uint8_t)rng_below(&rng, 256);
        send_to_all(data, 1 + rng_below(&rng, sizeof data));
    }
}

/* Sends a reply that is right except for the fault `what`. */
static void lie(const char *what)
{
    struct wire_reply reply = {.type = WIRE_RESULT, .result = 1, .frame = {.pts_us = 40000, .arrival_us = monotonic_us()},
                               .stats = {.frames_decoded = 2, .width = 64, .height = 48, .codec = "h264"}};
    if (strcmp(what, "past") == 0)
        reply.frame.pts_us = 0;
    else if (strcmp(what, "far") == 0)
        reply.frame.pts_us = INT64_MAX;
    else if (strcmp(what, "negative") == 0)
        reply.frame.pts_us = -1;
    else if (strcmp(what, "cause") == 0)
        reply.frame = (struct source_frame){.pts_us = 40000, .gap = true, .cause = (enum source_break)77};
    else if (strcmp(what, "rate") == 0)
        reply.stats.fps_in = NAN;
    else if (strcmp(what, "size") == 0)
        reply.stats.width = 1 << 30;
    else if (strcmp(what, "counts") == 0)
        reply.stats.frames_corrupt = 5;
    else if (strcmp(what, "backwards") == 0)
        reply.stats.frames_decoded = 0;
    else if (strcmp(what, "codec") == 0)
        memset(reply.stats.codec, 'x', sizeof reply.stats.codec);
    else if (strcmp(what, "future") == 0)
        reply.frame.arrival_us += 60000000;
    else if (strcmp(what, "long-ago") == 0)
        reply.frame.arrival_us = 1;
    else if (strcmp(what, "result") == 0)
        reply.result = 2;
    else if (strcmp(what, "interrupted") == 0)
        reply.result = -EINTR;
    else if (strcmp(what, "text") == 0)
        reply = (struct wire_reply){.type = WIRE_RESULT, .result = -EIO, .stats = reply.stats,
                                    .text = "rtsp://u:secret@h/\033[2J\nevent=forged"};
    reply_to_all(&reply);
    sleep(60);
}

/* Writes records to the memory for packets that the daemon must refuse. */
static void attack_packets(struct packet_queue_writer *queue, const char *what)
{
    struct packet_queue_head *head = (struct packet_queue_head *)queue->memory->bytes;
    struct packet_record *record = &head->records[0];
    *record = (struct packet_record){.type = PACKET_RECORD_STREAM, .format = {.codec = 27, .aspect_den = 1, .time_base_num = 1,
                                                                               .time_base_den = 1000}};
    uint32_t written = 1;
    if (strcmp(what, "packet-beyond") == 0) {
        record->offset = UINT32_MAX - 10;
        record->size = record->format.extradata_size = 20;
    } else if (strcmp(what, "packet-codec") == 0) {
        record->format.codec = 0x10000;
    } else if (strcmp(what, "packet-count") == 0) {
        written = PACKET_QUEUE_RECORDS + 1;
    } else if (strcmp(what, "packet-early") == 0) {
        record->type = PACKET_RECORD_PACKET;
        record->size = 10;
    }
    atomic_store(&head->written, written);
}

/* Overwrites all of the memory for packets, again and again, while the daemon reads it. */
static _Noreturn void scribble(struct packet_queue_writer *queue)
{
    struct packet_queue_head *head = (struct packet_queue_head *)queue->memory->bytes;
    struct rng rng;
    rng_seed(&rng, 5);
    for (uint32_t n = 1;; n++) {
        struct packet_record *record = &head->records[n % PACKET_QUEUE_RECORDS];
        *record = (struct packet_record){.type = n % 100 == 1 ? PACKET_RECORD_STREAM : PACKET_RECORD_PACKET,
                                         .flags = rng_below(&rng, 4), .arrival_us = monotonic_us(),
                                         .format = {.codec = 27, .aspect_den = 1, .time_base_num = 1,
                                                                                  .time_base_den = 1000}};
        for (int i = 0; i < 100; i++)
            record->size = n % 100 == 1 ? 0 : rng_below(&rng, 2) ? 1 + rng_below(&rng, 5000) : UINT32_MAX;
        atomic_store(&head->written, n);
    }
}

int source_open(struct source **ret, const char *url, const struct source_options *options, struct error *err)
{
    (void)err;
    *ret = calloc(1, sizeof **ret);
    if (options->tap.arg)       /* a struct packet_tap begins with its consumer, and that with its arg */
        (*ret)->queue = *(struct packet_queue_writer **)options->tap.arg;
    snprintf((*ret)->url, sizeof (*ret)->url, "%s", url);
    return 0;
}

int source_read(struct source *source, uint8_t *pixels, struct source_frame *frame, struct error *err)
{
    const char *what = source->url;
    if (source->reads++ == 0) {
        memset(pixels, 7, SIZE);
        *frame = (struct source_frame){.arrival_us = monotonic_us()};
        return 1;
    }
    if (strcmp(what, "eat") == 0) {
        eat_memory();
    } else if (strcmp(what, "garbage") == 0) {
        send_garbage();
    } else if (strcmp(what, "exec") == 0) {
        execl("/bin/true", "true", NULL);
    } else if (strcmp(what, "exit") == 0) {
        _exit(3);
    } else if (strcmp(what, "hang") == 0) {
        spin();
    } else if (strcmp(what, "flood") == 0) {
        for (;;)
            reply_to_all(&(struct wire_reply){.type = WIRE_LOG, .priority = 4, .text = "again"});
    } else if (strcmp(what, "drip") == 0) {
        for (;;) {
            reply_to_all(&(struct wire_reply){.type = WIRE_LOG, .priority = 4, .text = "still here"});
            nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
        }
    } else if (strcmp(what, "memory") == 0) {
        memset(pixels, 0xff, 1 << 20);          /* all of the shared memory */
        *frame = (struct source_frame){.pts_us = source->reads * 40000, .arrival_us = monotonic_us()};
        return source->reads < 100 ? 1 : 0;
    } else if (strcmp(what, "packet-scribble") == 0) {
        scribble(source->queue);
    } else if (strncmp(what, "packet-", 7) == 0) {
        attack_packets(source->queue, what);
        sleep(60);
    } else {
        lie(what);
    }
    return error_set(err, -EIO, "the end");
}

/* Sends a lying reply before the process sends its own. Only the first reply counts. */
int moment_read(struct moment *ret, const char *url, int64_t pts_us, const struct moment_options *options, struct error *err)
{
    struct wire_reply reply = {.type = WIRE_RESULT, .result = 1, .width = 8, .height = 8, .frame = {.pts_us = pts_us}};
    (void)ret, (void)options;
    if (strcmp(url, "wide") == 0)
        reply.width = 65;
    else if (strcmp(url, "high") == 0)
        reply.height = 65535;
    else if (strcmp(url, "none") == 0)
        reply.width = reply.height = 0;
    else if (strcmp(url, "nothing") == 0)
        reply.result = 0;
    else if (strcmp(url, "negative") == 0)
        reply.frame.pts_us = -1;
    else if (strcmp(url, "exit") == 0)
        _exit(3);
    else if (strcmp(url, "hang") == 0)
        spin();
    reply_to_all(&reply);
    sleep(60);
    return error_set(err, -EIO, "the end");
}

void source_close(struct source *source) { free(source); }

void source_stats(const struct source *source, struct source_stats *ret)
{
    *ret = (struct source_stats){.frames_decoded = (uint64_t)source->reads, .codec = "h264"};
}

int source_peek(struct source *source, int *width, int *height, struct error *err)
{
    (void)source, (void)width, (void)height;
    return error_set(err, -EIO, "not here");
}

int source_resize(struct source *source, int width, int height, struct error *err)
{
    (void)source, (void)width, (void)height;
    return error_set(err, -EIO, "not here");
}

void source_set_log(void (*handler)(int priority, const char *camera, const char *text)) { (void)handler; }

void source_warm_up(void) {}

static int lines;

void source_log(int priority, const char *text)
{
    (void)priority, (void)text;
    lines++;
}

/* ---- the daemon's side ------------------------------------------------------------------------------------------------ */

static struct capture_host *host;
static struct packet_ring *ring;

static void setup(void)
{
    ck_assert_int_eq(packet_ring_open(&ring, 1 << 20, INT64_MAX), 0);
    struct error err = {""};
    ck_assert_msg(capture_host_open(&host, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    capture_host_close(host);
    packet_ring_unref(ring);
}

struct hostile {
    const char *what, *cause;
    int code;
};

static const struct hostile all[] = {
    {"eat", "its process crashed (SIGABRT)", -EIO},
    {"garbage", "its process breaks the protocol", -EPROTO},
    {"exec", "its process tried what it may not, and was killed (SIGSYS)", -EIO},
    {"exit", "its process has ended with status 3", -EIO},
    {"hang", "s: its process hangs, and is killed", -ETIMEDOUT},
    {"flood", "breaks the protocol: it logs without end", -EPROTO},
    {"drip", "s: its process hangs, and is killed", -ETIMEDOUT},
    {"past", "breaks the protocol: a time that does not rise", -EPROTO},
    {"far", "breaks the protocol: a time out of range", -EPROTO},
    {"negative", "breaks the protocol: a time out of range", -EPROTO},
    {"cause", "breaks the protocol: an unknown break", -EPROTO},
    {"rate", "breaks the protocol: a rate out of range", -EPROTO},
    {"size", "breaks the protocol: a picture size out of range", -EPROTO},
    {"counts", "breaks the protocol: impossible counts", -EPROTO},
    {"backwards", "breaks the protocol: it counts backwards", -EPROTO},
    {"codec", "breaks the protocol: a codec's name without an end", -EPROTO},
    {"future", "breaks the protocol: an impossible time of arrival", -EPROTO},
    {"long-ago", "breaks the protocol: an impossible time of arrival", -EPROTO},
    {"result", "breaks the protocol: a result out of range", -EPROTO},
    {"interrupted", "breaks the protocol: it says that it was stopped", -EPROTO},
    {"packet-beyond", "breaks the protocol: data beyond the memory for packets", -EPROTO},
    {"packet-codec", "breaks the protocol: a codec that is not allowed", -EPROTO},
    {"packet-count", "breaks the protocol: an impossible count of packets", -EPROTO},
    {"packet-early", "breaks the protocol: a packet before its stream", -EPROTO},
    {"packet-scribble", "breaks the protocol: ", -EPROTO},
};

static struct capture *open_hostile(const char *what, const struct capture_memory *memory)
{
    struct capture *capture = NULL;
    struct error err = {""};
    /* Only processes that never answer have a short time-out. The others may be slow on a busy machine. */
    bool is_silent = strcmp(what, "hang") == 0 || strcmp(what, "drip") == 0;
    struct capture_options options = {
        .source = {.width = WIDTH, .height = HEIGHT, .decoder_threads = 1, .stall_timeout_ms = is_silent ? 1000 : 10000},
        .packets = ring, .host = host, .memory = memory, .memory_mib = 64, .files_stall = true};
    ck_assert_msg(capture_open(&capture, what, &options, &err) == 0, "%s", err.text);
    return capture;
}

START_TEST(is_an_error_of_the_source)
{
    const struct hostile *h = &all[_i];
    static uint8_t pixels[SIZE];
    struct source_frame frame;
    struct error err = {""};
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    if (strcmp(h->what, "eat") == 0) {
        puts("SKIP eat: a build with sanitizers has no RLIMIT_AS");
        return;
    }
#endif
    struct capture *capture = open_hostile(h->what, NULL);
    ck_assert_int_eq(capture_read(capture, pixels, &frame, &err), 1);
    ck_assert_int_eq(pixels[SIZE - 1], 7);
    int r = capture_read(capture, pixels, &frame, &err);
    ck_assert_msg(r == h->code && strstr(err.text, h->cause), "%s: %d %s", h->what, r, err.text);
    capture_close(capture);
}
END_TEST

START_TEST(texts_are_made_harmless)
{
    static uint8_t pixels[SIZE];
    struct source_frame frame;
    struct error err = {""};
    struct capture *capture = open_hostile("text", NULL);
    ck_assert_int_eq(capture_read(capture, pixels, &frame, &err), 1);
    ck_assert_int_eq(capture_read(capture, pixels, &frame, &err), -EIO);
    ck_assert_ptr_null(strstr(err.text, "secret"));
    ck_assert_ptr_null(strchr(err.text, '\033'));
    ck_assert_ptr_null(strchr(err.text, '\n'));
    ck_assert_ptr_nonnull(strstr(err.text, "@h/"));
    capture_close(capture);
}
END_TEST

START_TEST(a_moment_is_checked)
{
    static const struct hostile moments[] = {
        {"wide", "breaks the protocol: a picture of another size", -EPROTO},
        {"high", "breaks the protocol: a picture of another size", -EPROTO},
        {"none", "breaks the protocol: a picture of another size", -EPROTO},
        {"nothing", "breaks the protocol: a picture of another size", -EPROTO},
        {"negative", "breaks the protocol: a time out of range", -EPROTO},
        {"exit", "its process has ended with status 3", -EIO},
        {"hang", "s: its process hangs, and is killed", -ETIMEDOUT},
    };
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        struct moment moment = {.pts_us = 77};
        struct error err = {""};
        const struct moment_options options = {.longest = 64, .limit_ms = moments[i].code == -ETIMEDOUT ? 500 : 20000};
        int r = capture_moment(&moment, moments[i].what, 5, &options, host, 64, &err);
        ck_assert_msg(r == moments[i].code && strstr(err.text, moments[i].cause), "%s: %d %s", moments[i].what, r, err.text);
        ck_assert_int_eq(moment.pts_us, 77);
    }
}
END_TEST

/* The process may overwrite all of the shared memory at any time. The daemon sees nothing but pictures in it. */
START_TEST(shared_memory_is_only_pictures)
{
    struct capture_memory memory;
    struct source_frame frame;
    struct error err = {""};
    int n = 0;
    ck_assert_int_eq(capture_memory_open(&memory, 1 << 20), 0);
    struct capture *capture = open_hostile("memory", &memory);
    while (capture_read(capture, memory.bytes, &frame, &err) == 1)
        n++;
    ck_assert_int_gt(n, 10);
    capture_close(capture);
    capture_memory_close(&memory);
}
END_TEST

/* Sends a request to the process, without io/capture/capture.h. */
static void request(const struct capture_process *process, const struct wire_request *what, int fd)
{
    static uint8_t data[WIRE_MAX_REQUEST];
    int n = wire_encode_request(data, what);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(passing_send(process->socket, data, (size_t)n, &fd, fd >= 0, 0), 0);
}

/* A busy process is killed once it has taken ten seconds more than its share of a core: here, a hundredth. */
START_TEST(processor_time_is_bounded)
{
    struct capture_memory control, pictures;
    struct capture_process process;
    struct capture_exit how = {0};
    struct error err = {""};
    ck_assert_int_eq(capture_memory_open(&control, sizeof(struct capture_control)), 0);
    ck_assert_int_eq(capture_memory_open(&pictures, 1 << 20), 0);
    ck_assert_msg(capture_host_fork(host, &process, &control, 1, &err) == 0, "%s", err.text);
    request(&process, &(struct wire_request){.type = WIRE_OPEN, .url = "hang", .options = {.width = WIDTH, .height = HEIGHT}},
            -1);
    request(&process, &(struct wire_request){.type = WIRE_MEMORY, .memory_size = pictures.size}, pictures.fd);
    for (int i = 0; i < 2; i++)
        request(&process, &(struct wire_request){.type = WIRE_READ}, -1);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = process.pipe, .events = POLLIN}, 1, 120000), 1);
    ck_assert_int_eq(read(process.pipe, &how, sizeof how), sizeof how);
    ck_assert_int_eq(how.end, CAPTURE_TOO_LONG);
    close(process.pipe);
    close(process.socket);
    capture_memory_close(&control);
    capture_memory_close(&pictures);
}
END_TEST

int main(int argc, char **argv)
{
    if (capture_host_is_asked(argc, argv))
        return capture_host_main();
    TCase *tc = tcase_create("hostile");
    tcase_set_timeout(tc, 180);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, is_an_error_of_the_source, 0, sizeof all / sizeof *all);
    tcase_add_test(tc, a_moment_is_checked);
    tcase_add_test(tc, texts_are_made_harmless);
    tcase_add_test(tc, shared_memory_is_only_pictures);
    tcase_add_test(tc, processor_time_is_bounded);
    Suite *suite = suite_create("hostile");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}

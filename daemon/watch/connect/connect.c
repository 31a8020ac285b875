#include "daemon/watch/connect/connect.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/health/health.h"
#include "core/score/calibration.h"
#include "daemon/watch/supervise.h"
#include "io/base/clock.h"
#include "io/base/thread.h"
#include "io/sinks/webhook_test.h"

/* Threads may take this long to end: closing a camera's stream takes a third of a second. */
#define END_US INT64_C(1500000)

/* ---- cameras -------------------------------------------------------------------------------------------------------- */

/* The most frames a second that the stream can have given; 0: nothing tells. */
static double most_rate(const struct connect_result *result)
{
    if (result->stats.images)
        return 0;
    if (result->stats.fps_in > 0)
        return result->stats.fps_in;
    /* Only one picture came in all this time. */
    return result->ended ? 0 : 1e6 / (double)CONNECT_MEASURE_US;
}

void connect_find_fault(char *out, size_t size, const struct connect_result *result, const struct arch *arch, double fps)
{
    const struct source_stats *stats = &result->stats;
    double rate = most_rate(result);
    int n = 0;
    out[0] = '\0';
    if (result->status < 0) {
        snprintf(out, size, "%s", result->err.text);
        return;
    }
    if (!arch_fits_aspect(arch, stats->width, stats->height))
        n = snprintf(out, size, "pictures of %dx%d have another aspect than the %dx%d that the model learned", stats->width,
                     stats->height, arch->width, arch->height);
    if (rate > 0 && rate < CALIBRATION_SLOW_RATE * fps && n >= 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, "%s%s%.3g frames/s come, expected %.3g or more, because %g are analysed",
                 n > 0 ? "; " : "", stats->fps_in > 0 ? "" : "at most ", rate, CALIBRATION_SLOW_RATE * fps, fps);
}

static void print_stream(const struct connect_result *result, double fps)
{
    const struct source_stats *stats = &result->stats;
    printf("  stream: %s, %dx%d as a viewer shows it, ", stats->codec, stats->width, stats->height);
    if (stats->images)
        printf("images without a rate");
    else if (stats->fps_in > 0)
        printf("%.3g frames/s", stats->fps_in);
    else
        printf("a single frame in %.1f s", 1e-6 * (double)(result->ended_us - result->first_us));
    if (fps > 0)
        printf(" (analysed: %g)\n", fps);
    else
        printf(" (analysed: every frame)\n");
    if (stats->frames_corrupt + stats->packets_lost > 0)
        printf("  damaged: %" PRIu64 " pictures, %" PRIu64 " packets\n", stats->frames_corrupt, stats->packets_lost);
    if (result->brightest < HEALTH_BLACK_LEVEL)
        printf("  picture: black: 95 %% of each lies below gray level %d; is it dark there, or the lens covered?\n",
               HEALTH_BLACK_LEVEL);
}

static void print_camera(const struct config_camera *camera, const struct connect_result *result, const struct arch *arch,
                         double fps, const char *fault)
{
    static const char *const sign_ins[] = {
        [CONNECT_NO_SIGN_IN] = "none configured",
        [CONNECT_SIGNED_IN] = "user and password are asked for and accepted",
        [CONNECT_NOT_ASKED] = "the camera opens without user and password, too",
        [CONNECT_SIGN_IN_UNKNOWN] = "user and password are accepted",
    };
    static const char *const times[] = {
        [SOURCE_TIME_STREAM] = "by the stream's time stamps",
        [SOURCE_TIME_ARRIVAL] = "by arrival, because the stream's time stamps are wrong",
        [SOURCE_TIME_RATE] = "by the rate, because there are no time stamps",
    };
    if (result->status < 0) {
        printf("connect camera %s: fault after %.1f s: %s\n", camera->name, 1e-6 * (double)result->ended_us, fault);
        return;
    }
    printf("connect camera %s: %s%s\n", camera->name, *fault ? "fault: " : "ok", fault);
    printf("  opened: in %.2f s, first picture after %.2f s\n", 1e-6 * (double)result->opened_us,
           1e-6 * (double)result->first_us);
    print_stream(result, fps);
    printf("  aspect: %dx%d %s the model's %dx%d\n", result->stats.width, result->stats.height,
           arch_fits_aspect(arch, result->stats.width, result->stats.height) ? "fits" : "does not fit", arch->width,
           arch->height);
    printf("  sign-in: %s\n", sign_ins[result->sign_in]);
    printf("  TLS: %s\n", !source_is_tls(camera->source) ? "none" : camera->tls_verify ? "certificate verified"
                                                         : "certificate not verified (tls_verify: false)");
    printf("  time: %s\n", times[result->stats.time]);
}

/* ---- webhooks ------------------------------------------------------------------------------------------------------- */

struct webhook_trial {
    const struct config *config;
    struct webhook_answer *answers;     /* [config->n_webhooks] */
    int stop_fd, changed_fd;            /* eventfds */
    int status;                         /* of webhook_test() */
    struct error err;
    atomic_bool done;
    pthread_t thread;
    bool has_thread;
};

static void *test_webhooks(void *arg)
{
    struct webhook_trial *trial = arg;
    trial->status = webhook_test(trial->answers, trial->config->webhooks, trial->config->n_webhooks, utc_us(), trial->stop_fd,
                                 &trial->err);
    atomic_store(&trial->done, true);
    eventfd_write(trial->changed_fd, 1);
    return NULL;
}

/* Prints a line for each webhook. Returns how many are well. */
static size_t print_webhooks(const struct webhook_trial *trial)
{
    size_t well = 0;
    if (trial->status < 0) {
        printf("connect webhooks: fault: %s\n", trial->err.text);
        return 0;
    }
    for (size_t i = 0; i < trial->config->n_webhooks; i++) {
        const struct webhook_answer *answer = &trial->answers[i];
        const char *sent = trial->config->webhooks[i].secret_size ? "signed" : "unsigned";
        if (*answer->cause)
            printf("connect webhook %s: fault after %.2f s: %s (the test event was %s)\n", answer->name,
                   1e-6 * (double)answer->took_us, answer->cause, sent);
        else
            printf("connect webhook %s: ok: HTTP status %d in %.2f s (the test event was %s)\n", answer->name, answer->status,
                   1e-6 * (double)answer->took_us, sent);
        well += !*answer->cause;
    }
    return well;
}

/* ---- all ------------------------------------------------------------------------------------------------------------ */

struct connect {
    const struct config *config;
    const struct check_models *models;
    int signals_fd, changed_fd, stop_fd;
    struct connect_cameras *cameras;
    struct webhook_trial webhooks;
    size_t printed, well;               /* cameras */
    size_t webhooks_well;
    bool interrupted;
};

/* Prints the cameras that have a result, and all before them. Returns true once all are printed. */
static bool print_cameras(struct connect *connect)
{
    const struct connect_result *result;
    while (connect->printed < connect->config->n_cameras &&
           (result = connect_cameras_result(connect->cameras, connect->printed))) {
        const struct config_camera *camera = &connect->config->cameras[connect->printed];
        const struct model_file *file = &connect->models->files[connect->models->file_of[connect->printed]];
        char fault[sizeof result->err.text];
        connect_find_fault(fault, sizeof fault, result, &file->model->arch, check_fps(camera, file));
        print_camera(camera, result, &file->model->arch, check_fps(camera, file), fault);
        fflush(stdout);
        connect->well += !*fault;
        connect->printed++;
    }
    return connect->printed == connect->config->n_cameras;
}

static int wait_for_all(struct connect *connect, struct error *err)
{
    struct pollfd fds[] = {{.fd = connect->signals_fd, .events = POLLIN}, {.fd = connect->changed_fd, .events = POLLIN}};
    for (;;) {
        eventfd_t count;
        bool cameras_done = print_cameras(connect);
        if (cameras_done && atomic_load(&connect->webhooks.done))
            return 0;
        int64_t until_us = connect_cameras_turn(connect->cameras), left_us = until_us - monotonic_us();
        int wait_ms = until_us == INT64_MAX ? -1 : left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
        if (poll(fds, 2, wait_ms) < 0 && errno != EINTR)
            return error_set(err, -errno, "poll: %s", strerror(errno));
        if (fds[0].revents) {
            connect->interrupted = true;
            return 0;
        }
        if (fds[1].revents)
            eventfd_read(connect->changed_fd, &count);
    }
}

static int begin(struct connect *connect, struct error *err)
{
    struct webhook_trial *webhooks = &connect->webhooks;
    size_t n = connect->config->n_webhooks;
    connect->signals_fd = supervise_take_signals();
    connect->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    connect->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (connect->signals_fd < 0 || connect->changed_fd < 0 || connect->stop_fd < 0)
        return error_set(err, -errno, "signalfd, eventfd: %s", strerror(errno));
    int r = connect_cameras_open(&connect->cameras, connect->config, connect->models, connect->changed_fd, err);
    if (r < 0)
        return r;
    *webhooks = (struct webhook_trial){.config = connect->config, .stop_fd = connect->stop_fd, .changed_fd = connect->changed_fd};
    atomic_store(&webhooks->done, n == 0);
    if (n == 0)
        return 0;
    webhooks->answers = calloc(n, sizeof *webhooks->answers);
    r = webhooks->answers ? thread_start(&webhooks->thread, "webhook-test", test_webhooks, webhooks) : -ENOMEM;
    webhooks->has_thread = r == 0;
    return r < 0 ? error_set(err, r, "cannot start the thread that tests webhooks: %s", strerror(-r)) : 0;
}

/* false: a thread is stuck, and nothing may be freed. */
static bool end(struct connect *connect)
{
    int64_t deadline_us = monotonic_us() + END_US;
    if (connect->stop_fd >= 0)
        eventfd_write(connect->stop_fd, 1);
    bool all_ended = connect_cameras_close(connect->cameras, deadline_us);
    if (connect->webhooks.has_thread)
        all_ended = thread_join(connect->webhooks.thread, deadline_us) && all_ended;
    if (!all_ended)
        return false;
    free(connect->webhooks.answers);
    const int fds[] = {connect->signals_fd, connect->changed_fd, connect->stop_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return true;
}

int connect_check(const struct config *config, const struct check_models *models)
{
    /* Static, because a thread that is stuck may still use it while the process exits. */
    static struct connect connect;
    connect = (struct connect){.config = config, .models = models, .signals_fd = -1, .changed_fd = -1, .stop_fd = -1};
    struct error err = {.text = ""};
    size_t n = config->n_cameras, n_webhooks = config->n_webhooks;
    int r = begin(&connect, &err);
    if (r == 0)
        r = wait_for_all(&connect, &err);
    bool complete = r == 0 && !connect.interrupted;
    if (complete) {
        connect.webhooks_well = n_webhooks > 0 ? print_webhooks(&connect.webhooks) : 0;
        printf("connect: %zu of %zu cameras and %zu of %zu webhooks are ok\n", connect.well, n, connect.webhooks_well,
               n_webhooks);
    } else {
        fprintf(stderr, "memaed check: %s\n", r < 0 ? err.text : "ended by a signal before all was tried");
    }
    if (!end(&connect)) {
        fflush(stdout);
        _exit(1);
    }
    return complete && connect.well == n && connect.webhooks_well == n_webhooks ? 0 : 1;
}

/* For the tests of web/: a view that the test controls, a server over it, and clients of that server. */
#ifndef MEMAED_TESTS_WEB_WEB_FIXTURE_H
#define MEMAED_TESTS_WEB_WEB_FIXTURE_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include "web/server.h"

/* ---- the view behind the server ------------------------------------------------------------------------------------- */

enum { SCORES_MAX = 4096, ALERTS_MAX = 256 };

static struct {
    pthread_mutex_t mutex;
    struct view_camera cameras[3];
    size_t n_cameras;
    struct view_process process;
    struct score_record scores[SCORES_MAX];
    struct record_range scores_range[3];
    struct alert_record alerts[ALERTS_MAX];
    struct record_range alerts_range;
    int database_status;            /* what reading the database returns, unless it is 0 */
    uint32_t replaced_by;           /* not 0: cameras[0] gets this id once, right after the next look-up by name */
} world = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void lock(void) { pthread_mutex_lock(&world.mutex); }
static inline void unlock(void) { pthread_mutex_unlock(&world.mutex); }

static inline int view_cameras(void *context, struct view_camera **ret, size_t *n)
{
    (void)context;
    lock();
    *n = world.n_cameras;
    *ret = malloc((*n + 1) * sizeof **ret);
    if (*ret)
        memcpy(*ret, world.cameras, *n * sizeof **ret);
    unlock();
    return *ret ? 0 : -ENOMEM;
}

static inline bool view_camera(void *context, const char *name, struct view_camera *ret)
{
    (void)context;
    bool found = false;
    lock();
    for (size_t i = 0; i < world.n_cameras && !found; i++)
        if ((found = strcmp(world.cameras[i].name, name) == 0))
            *ret = world.cameras[i];
    if (world.replaced_by) {
        world.cameras[0].id = world.replaced_by;
        world.replaced_by = 0;
    }
    unlock();
    return found;
}

static inline void view_process_now(void *context, struct view_process *ret)
{
    (void)context;
    lock();
    *ret = world.process;
    unlock();
}

static const double delay_bounds[] = {0.5, 10};

static inline int view_webhooks(void *context, struct view_webhook **ret, size_t *n)
{
    (void)context;
    *ret = calloc(2, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    (*ret)[0] = (struct view_webhook){.name = "yard", .delivered = 7, .dropped = 3, .queued = 2, .failed = 5,
                                       .dead = 9, .dead_letters = 8, .disabled = 1, .delay_bounds = delay_bounds, .n_delays = 2,
                                       .delays = {1, 2, 4}, .delay_seconds = 30.5};
    (*ret)[1] = (struct view_webhook){.name = "http://[::1]:8080", .delivered = 1};
    *n = 2;
    return 0;
}

static inline int view_endpoints(void *context, struct view_endpoint **ret, size_t *n)
{
    (void)context;
    *ret = calloc(2, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    (*ret)[0] = (struct view_endpoint){.id = "yard", .name = "yard", .delivered = 7, .queued = 2, .dead_letters = 8,
                                       .oldest_us = 1700000000123000, .attempts = 3, .next_us = 1700000001123000,
                                       .failed_us = 1700000000223000, .cause = "HTTP status 500", .newest_us = 1700000000000000,
                                       .events = event_bit(EVENT_ALERT_OPENED) | event_bit(EVENT_WEBHOOK_DISABLED)};
    (*ret)[1] = (struct view_endpoint){.id = "url-01234567", .name = "http://[::1]:8080", .disabled_us = 1700000000323000,
                                       .disabled_reason = "gone", .events = EVENT_ALL};
    *n = 2;
    return 0;
}

static inline int view_dead_letters(void *context, const char *id, size_t max, struct view_dead_letter **ret, size_t *n)
{
    (void)context;
    if (strcmp(id, "yard") != 0)
        return -ENOENT;
    *n = max < 3 ? max : 3;
    *ret = calloc(*n, sizeof **ret);
    for (size_t i = 0; i < *n; i++)
        (*ret)[i] = (struct view_dead_letter){.id = "msg_1", .time_us = 1700000000123000, .died_us = 1700000000323000, .attempts = 9,
                                              .reason = "too old", .body = strdup(i == 0 ? "{\"type\":\"x\"}" : "[")};
    return 0;
}

static struct {
    int action;                     /* of the last call; -1: none */
    char id[RECORD_NAME_SIZE];
} acted = {.action = -1};

static inline int view_act_on_webhook(void *context, const char *id, enum view_webhook_action action)
{
    (void)context;
    if (strcmp(id, "yard") != 0)
        return -ENOENT;
    acted.action = (int)action;
    snprintf(acted.id, sizeof acted.id, "%s", id);
    return 0;
}

static inline int view_test_alert(void *context, const char *camera, struct view_test_alert *ret)
{
    (void)context;
    if (strcmp(camera, "gate") != 0)
        return -ENOENT;
    *ret = (struct view_test_alert){.alert = {.id = 1700000000123, .test = true, .camera = "gate", .opened_us = 1700000000123000,
                                              .closed_us = 1700000000124000},
                                    .endpoints = {"yard", "url-01234567"}, .n = 2};
    return 0;
}

static inline struct score_record score_at(size_t camera, uint64_t i)
{
    return (struct score_record){.window = i, .frame = 2 * i + 8, .is_static = i % 2, .is_slow = i % 3 == 1,
                               .time_us = 1700000000000000 + (int64_t)i * 100000,
                               .pts_us = (int64_t)i * 100000 + 4567, .reference = 0.1f + (float)camera,
                               .score = (float)i / 8, .p_value = i % 2 ? 1 / (float)(i + 2) : NAN,
                               .boxes = {(int)(i % 3), {{0.25f, 0.0625f, 0.5f, 0.9355f, 7.5f}, {0, 0.1f, 1, 0.2f, INFINITY}}}};
}

static inline bool view_scores(void *context, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                               struct record_range *range, size_t *n)
{
    (void)context;
    bool found = false;
    *n = 0;
    lock();
    for (size_t i = 0; i < world.n_cameras; i++)
        found = found || world.cameras[i].id == id;
    if (found) {
        *range = world.scores_range[id];
        if (from < range->oldest)
            from = range->oldest;
        for (; *n < max && from + *n < range->next; ++*n)
            ret[*n] = score_at(id, from + *n);
    }
    unlock();
    return found;
}

/* Entries of world.alerts without an id were left by alerts that closed. */
static inline int view_alerts(void *context, const struct view_alerts_wanted *wanted, struct alert_record *ret,
                              struct view_alerts *found)
{
    (void)context;
    lock();
    int r = world.database_status;
    const struct record_range range = world.alerts_range;
    *found = (struct view_alerts){.store = 77, .range = range, .next = range.next};
    size_t matches = 0;
    for (int pass = 0; pass < 2 && r == 0; pass++) {            /* the first one counts */
        size_t skip = pass && wanted->latest && matches > wanted->limit ? matches - wanted->limit : 0;
        for (uint64_t i = range.oldest > wanted->from ? range.oldest : wanted->from; i < range.next; i++) {
            const struct alert_record *alert = &world.alerts[i];
            if (alert->id == 0 || (*wanted->camera && strcmp(alert->camera, wanted->camera) != 0) ||
                (alert->suppressed ? wanted->suppressed == VIEW_TOLD : wanted->suppressed == VIEW_SUPPRESSED_ONLY))
                continue;
            matches += pass == 0;
            if (pass == 0 || skip-- > 0)
                continue;
            skip = 0;
            if (found->n == wanted->limit)
                break;
            ret[found->n++] = *alert;
            if (found->n == wanted->limit && !wanted->latest)
                found->next = i + 1;
        }
    }
    unlock();
    return r;
}

static inline int view_alert(void *context, uint64_t id, struct alert_record *ret)
{
    (void)context;
    lock();
    int r = world.database_status ? world.database_status : -ENOENT;
    for (uint64_t i = world.alerts_range.oldest; i < world.alerts_range.next && r == -ENOENT; i++)
        if (world.alerts[i].id == id) {
            *ret = world.alerts[i];
            r = 0;
        }
    unlock();
    return r;
}

/* A window every 250 ms from 1700000000 on, 1000 of them, of the camera gate; two of them in each millisecond from the 500th on. */
static inline int64_t history_time(uint64_t i)
{
    return 1700000000000000 + (i < 500 ? (int64_t)i * 250000 : 500 * INT64_C(250000) + (int64_t)(i - 500) * 500);
}

static inline int view_history(void *context, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n)
{
    (void)context;
    lock();
    int r = world.database_status;
    unlock();
    *n = 0;
    for (uint64_t i = 0; i < 1000 && r == 0 && strcmp(wanted->camera, "gate") == 0 && *n < wanted->limit; i++) {
        int64_t time_us = wanted->by_minute ? 1700000040000000 + (int64_t)i * 60000000 : history_time(i);
        if (time_us >= wanted->from_us && time_us < wanted->to_us)
            ret[(*n)++] = (struct view_history){.time_us = time_us, .window = i, .score = 0.1f, .reference = NAN, .slow = i % 2,
                                                .n = 240, .n_slow = i, .minimum = -1, .mean = 0.5, .maximum = 2, .p = NAN};
    }
    return r;
}

static inline void view_storage(void *context, struct view_store *ret)
{
    (void)context;
    *ret = (struct view_store){.events_queued = 3, .scores_queued = 40, .events_dropped = 5, .scores_dropped = 6, .commits = 70,
                               .failures = 8, .commit_seconds = 1.25, .failing = true, .bytes = 4096000};
}

/* Reloads that the server asked for; the test ends them with end_reload(). */
enum { RELOADS_MAX = 64 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int refusal;                    /* reload() returns it; 0: it takes the request */
    const struct view_reload *at_once;      /* not NULL: another thread ends each reload with it before reload() returns */
    struct { view_reload_done *done; void *arg; } asked[RELOADS_MAX];
    size_t n_asked, n_ended;        /* in all */
} reloads = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Waits until the server has asked for n reloads in all. */
static inline void wait_reloads(size_t n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&reloads.mutex);
    while (reloads.n_asked < n)
        ck_assert_msg(pthread_cond_timedwait(&reloads.changed, &reloads.mutex, &until) == 0, "no reload within 60 s");
    pthread_mutex_unlock(&reloads.mutex);
}

/* Ends the reload that was asked for first and has not ended. */
static inline void end_reload(const struct view_reload *result)
{
    pthread_mutex_lock(&reloads.mutex);
    ck_assert_uint_lt(reloads.n_ended, reloads.n_asked);
    size_t i = reloads.n_ended++;
    pthread_mutex_unlock(&reloads.mutex);
    reloads.asked[i].done(reloads.asked[i].arg, result);
}

static inline void *end_reload_on_thread(void *arg)
{
    end_reload(arg);
    return NULL;
}

static inline int view_reload(void *context, view_reload_done *done, void *arg)
{
    (void)context;
    pthread_mutex_lock(&reloads.mutex);
    int r = reloads.refusal;
    const struct view_reload *at_once = reloads.at_once;
    if (r == 0) {
        ck_assert_uint_lt(reloads.n_asked, RELOADS_MAX);
        reloads.asked[reloads.n_asked].done = done;
        reloads.asked[reloads.n_asked++].arg = arg;
        pthread_cond_broadcast(&reloads.changed);
    }
    pthread_mutex_unlock(&reloads.mutex);
    if (r == 0 && at_once) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, end_reload_on_thread, (void *)(uintptr_t)at_once), 0);
        pthread_join(thread, NULL);
    }
    return r;
}

/* The last order to arm or disarm a camera. */
static struct {
    char camera[RECORD_NAME_SIZE], by[RECORD_NAME_SIZE];
    enum arming_action action;
    int minutes;
    int n;                          /* orders so far */
} ordered;

static inline int view_arm(void *context, const char *camera, enum arming_action action, int minutes, const char *by)
{
    static const enum arming states[] = {ARMING_ARMED, ARMING_DISARMED, ARMING_SNOOZED};
    struct view_camera found;
    if (!view_camera(context, camera, &found))
        return -ENOENT;
    lock();
    snprintf(ordered.camera, sizeof ordered.camera, "%s", camera);
    snprintf(ordered.by, sizeof ordered.by, "%s", by);
    ordered.action = action;
    ordered.minutes = minutes;
    ordered.n++;
    for (size_t i = 0; i < world.n_cameras; i++)
        if (strcmp(world.cameras[i].name, camera) == 0) {
            world.cameras[i].arming = states[action];
            world.cameras[i].arming_until_us = minutes ? 1700000000000000 : INT64_MAX;
        }
    unlock();
    return 0;
}

static struct view view = {
    .store = 0xfeedc0de12345678, .cameras = view_cameras, .camera = view_camera, .process = view_process_now,
    .webhooks = view_webhooks, .endpoints = view_endpoints, .dead_letters = view_dead_letters,
    .act_on_webhook = view_act_on_webhook, .test_alert = view_test_alert, .scores = view_scores, .alerts = view_alerts,
    .alert = view_alert, .history = view_history, .storage = view_storage, .arm = view_arm, .reload = view_reload,
};

static inline void add_alert(const char *camera)
{
    lock();
    uint64_t i = world.alerts_range.next++;
    struct alert_record *alert = &world.alerts[i];
    *alert = (struct alert_record){.id = i + 1, .opened_us = 1700000000123000 + (int64_t)i * 1000000, .peak_score = (double)0.7f,
                                 .peak_us = 1700000001000000,
                                 .boxes = {1, {{0.1f, 0.2f, 0.3f, 0.4f, 0.7f}}}};
    strcpy(alert->camera, camera);
    unlock();
}

/* ---- the client ----------------------------------------------------------------------------------------------------- */

static struct web_server *server;
static char base[64];

struct answer {
    long status;
    char type[128], headers[4096];
    char *body;
    size_t size, capacity;
    json_t *json;           /* NULL: the body is no JSON */
};

static inline size_t collect(char *data, size_t size, size_t n, void *arg)
{
    struct answer *answer = arg;
    if (answer->size + size * n + 1 > answer->capacity) {
        answer->capacity = 2 * (answer->size + size * n + 1);
        answer->body = realloc(answer->body, answer->capacity);
    }
    memcpy(answer->body + answer->size, data, size * n);
    answer->size += size * n;
    answer->body[answer->size] = '\0';
    return size * n;
}

static inline size_t collect_header(char *data, size_t size, size_t n, void *arg)
{
    struct answer *answer = arg;
    strncat(answer->headers, data, size * n < sizeof answer->headers - strlen(answer->headers) - 1 ? size * n : 0);
    return size * n;
}

static inline void answer_free(struct answer *answer)
{
    json_decref(answer->json);
    free(answer->body);
    memset(answer, 0, sizeof *answer);
}

static inline CURLcode ask_with(struct answer *answer, const char *method, const char *target, const char *header,
                                const char *body)
{
    char url[8192];
    memset(answer, 0, sizeof *answer);
    snprintf(url, sizeof url, "%s%s", base, target);
    CURL *easy = curl_easy_init();
    struct curl_slist *list = header ? curl_slist_append(NULL, header) : NULL;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, collect_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(method, "GET") != 0 || body)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    CURLcode r = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    char *type = NULL;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    snprintf(answer->type, sizeof answer->type, "%s", type ? type : "");
    if (answer->body && strstr(answer->type, "json")) {
        answer->json = json_loads(answer->body, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(answer->json != NULL, "no JSON: %s", answer->body);
    }
    curl_slist_free_all(list);
    curl_easy_cleanup(easy);
    return r;
}

static inline struct answer ask(const char *target)
{
    struct answer answer;
    CURLcode r = ask_with(&answer, "GET", target, NULL, NULL);
    ck_assert_msg(r == CURLE_OK, "%s: %s", target, curl_easy_strerror(r));
    return answer;
}

static inline const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    ck_assert_msg(value != NULL, "no text at %s", key);
    return value;
}

static inline void check_problem(const struct answer *answer, long status, const char *parameter)
{
    ck_assert_msg(answer->status == status, "expected status %ld, got %ld: %s", status, answer->status, answer->body);
    ck_assert_str_eq(answer->type, "application/problem+json");
    ck_assert_int_eq(json_integer_value(json_object_get(answer->json, "status")), status);
    ck_assert_str_eq(text(answer->json, "type"), "about:blank");
    ck_assert_uint_gt(strlen(text(answer->json, "title")), 0);
    ck_assert_uint_gt(strlen(text(answer->json, "detail")), 0);
    if (parameter)
        ck_assert_str_eq(text(answer->json, "parameter"), parameter);
    else
        ck_assert_ptr_null(json_object_get(answer->json, "parameter"));
}

static inline void refuse(const char *target, long status, const char *parameter)
{
    struct answer answer = ask(target);
    check_problem(&answer, status, parameter);
    answer_free(&answer);
}

static inline int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)web_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void send_text(int fd, const char *data)
{
    ck_assert_int_eq(send(fd, data, strlen(data), MSG_NOSIGNAL), (ssize_t)strlen(data));
}

/* Reads until the server closes. Returns how many bytes came, or -1 when nothing came for a minute. */
static inline ssize_t read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, 60000) != 1)
            return -1;
        ssize_t got = recv(fd, out + n, size - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    out[n] = '\0';
    return (ssize_t)n;
}

static inline int status_of(const char *request, char *out, size_t size)
{
    int fd = dial();
    send_text(fd, request);
    ck_assert_int_ge(read_all(fd, out, size), 0);
    close(fd);
    int status = 0;
    sscanf(out, "HTTP/1.1 %d", &status);
    return status;
}

static inline void open_server_with(const struct web_routes *routes, const struct web_limits *limits)
{
    struct error err = {""};
    int r = web_server_open_with(&server, "127.0.0.1", 0, &view, routes, limits, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    ck_assert_int_gt(web_server_port(server), 0);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", web_server_port(server));
}

static inline void open_server(const struct web_limits *limits)
{
    open_server_with(&web_routes, limits);
}

static inline void setup(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    world.n_cameras = 2;
    world.cameras[0] = (struct view_camera){
        .name = "gate", .state = VIEW_WATCHING, .fps_in = 25.00049, .time = VIEW_TIME_ARRIVAL, .fps_analysed = 10, .frames = 1000, .frames_corrupt = 3,
        .frames_dropped = 5, .breaks = {[VIEW_BREAK_GAP] = 6, [VIEW_BREAK_LOOP] = 2}, .windows_due = 100, .windows_scored = 90, .windows_static = 70, .windows_slow = 30, .windows_skipped = 8,
        .windows_pending = 2, .alerts = 4, .alerts_suppressed = {[SUPPRESSED_COOLDOWN] = 2, [SUPPRESSED_RATE] = 9}, .reconnects = 1, .latency_ms = 41.23456,
        .latencies = {[0] = 60, [1] = 20, [VIEW_LATENCIES - 1] = 7, [VIEW_LATENCIES] = 3}, .latency_seconds = 40.5,
        .has_score = true, .last_score = 0.1f, .alert_open = true, .frozen = true, .slow = true, .threshold = 0.25, .drift = 0.0625,
        .drift_by_voice = {{0.5f, 0.125f, NAN, NAN, NAN}}, .model = "gate.safetensors", .precision = PRECISION_INT8};
    world.cameras[1] = (struct view_camera){
        .id = 1, .name = "yard_2-x", .state = VIEW_LOST, .reason = "connection refused \xff", .threshold = NAN, .drift = NAN,
        .drift_by_voice = {{NAN, NAN, NAN, NAN, NAN}},
        .model = "m"};
    world.process = (struct view_process){.started_us = 1700000000000000, .healthy = true, .rss_bytes = 123456789012,
                                          .workers = 2, .cubes = 90, .cube_seconds = 12.5};
    world.scores_range[0] = (struct record_range){0, 0};
    world.scores_range[1] = (struct record_range){0, 0};
    world.alerts_range = (struct record_range){0, 0};
    open_server(&(struct web_limits){.connections = 64, .request_ms = 60000});
}

static inline void teardown(void)
{
    web_server_close(server);
    server = NULL;
    curl_global_cleanup();
}

#endif

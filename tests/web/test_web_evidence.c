/* web/handlers/evidence, web/files/file_answer: files of alerts over HTTP: whole, in parts, not again, and while they grow. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

enum { SIZE = 200000 };
static char path[64];

static char byte_at(size_t i) { return (char)(i * 31 + i / 256); }

static void grow(size_t from, size_t to)
{
    FILE *file = fopen(path, from ? "a" : "w");
    ck_assert_ptr_nonnull(file);
    for (size_t i = from; i < to; i++)
        fputc(byte_at(i), file);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup_files(void)
{
    setup();
    strcpy(path, "/tmp/memaed-evidence-XXXXXX");
    close(mkstemp(path));
    grow(0, SIZE);
    world_files[VIEW_CLIP].path = path;
    world_files[VIEW_CLIP].type = "video/mp4";
    world_files[VIEW_CLIP].extension = "mp4";
    add_alert("gate");
}

static void teardown_files(void)
{
    teardown();
    unlink(path);
}

/* Returns the value of a header field of an answer; "": there is none. It is valid until the next call. */
static const char *field(const struct answer *answer, const char *name)
{
    static char value[256];
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *at = strstr(answer->headers, wanted);
    value[0] = '\0';
    if (at)
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(wanted), "\r"), at + strlen(wanted));
    return value;
}

static struct answer ask_clip(const char *header)
{
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "GET", "/api/v1/alerts/1/clip", header, NULL), CURLE_OK);
    return answer;
}

static void check_part(const struct answer *answer, size_t first, size_t size)
{
    ck_assert_uint_eq(answer->size, size);
    for (size_t i = 0; i < size; i++)
        if (answer->body[i] != byte_at(first + i))
            ck_abort_msg("byte %zu", first + i);
}

START_TEST(whole)
{
    struct answer answer = ask_clip(NULL);
    ck_assert_int_eq(answer.status, 200);
    check_part(&answer, 0, SIZE);
    ck_assert_str_eq(answer.type, "video/mp4");
    ck_assert_str_eq(field(&answer, "Accept-Ranges"), "bytes");
    ck_assert_str_eq(field(&answer, "Content-Length"), "200000");
    ck_assert_str_eq(field(&answer, "Content-Disposition"), "inline; filename=\"gate-1-clip.mp4\"");
    ck_assert_str_eq(field(&answer, "X-Content-Type-Options"), "nosniff");
    ck_assert_str_eq(field(&answer, "Cache-Control"), "private, no-cache");
    ck_assert_ptr_nonnull(strstr(field(&answer, "Content-Security-Policy"), "default-src 'none'"));
    ck_assert_uint_gt(strlen(field(&answer, "ETag")), 4);
    ck_assert_uint_eq(strlen(field(&answer, "Last-Modified")), 29);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/api/v1/alerts/1/clip", "Range: bytes=0-9", NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.size, 0);
    ck_assert_str_eq(field(&answer, "Content-Length"), "200000");
    ck_assert_str_eq(field(&answer, "Accept-Ranges"), "bytes");
    answer_free(&answer);
}
END_TEST

START_TEST(parts)
{
    static const struct { const char *range; int status; size_t first, size; const char *content_range; } cases[] = {
        {"Range: bytes=0-0", 206, 0, 1, "bytes 0-0/200000"},
        {"Range: bytes=100000-", 206, 100000, 100000, "bytes 100000-199999/200000"},
        {"Range: bytes=-7", 206, SIZE - 7, 7, "bytes 199993-199999/200000"},
        {"Range: bytes=5-999999", 206, 5, SIZE - 5, "bytes 5-199999/200000"},
        {"Range: bytes=0-1,5-6", 200, 0, SIZE, ""}, {"Range: pages=0-1", 200, 0, SIZE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer answer = ask_clip(cases[i].range);
        ck_assert_int_eq(answer.status, cases[i].status);
        check_part(&answer, cases[i].first, cases[i].size);
        ck_assert_str_eq(field(&answer, "Content-Range"), cases[i].content_range);
        answer_free(&answer);
    }
    struct answer answer = ask_clip("Range: bytes=200000-");
    check_problem(&answer, 416, NULL);
    ck_assert_str_eq(field(&answer, "Content-Range"), "bytes */200000");
    answer_free(&answer);
}
END_TEST

START_TEST(versions)
{
    struct answer answer = ask_clip(NULL);
    char etag[128], modified[64], header[256];
    snprintf(etag, sizeof etag, "%s", field(&answer, "ETag"));
    snprintf(modified, sizeof modified, "%s", field(&answer, "Last-Modified"));
    answer_free(&answer);
    for (int i = 0; i < 2; i++) {
        snprintf(header, sizeof header, "If-None-Match: %s%s", i ? "\"x\", W/" : "", etag);
        answer = ask_clip(header);
        ck_assert_int_eq(answer.status, 304);
        ck_assert_uint_eq(answer.size, 0);
        ck_assert_str_eq(field(&answer, "ETag"), etag);
        ck_assert_str_eq(field(&answer, "Content-Length"), "200000");
        answer_free(&answer);
    }
    snprintf(header, sizeof header, "If-Modified-Since: %s", modified);
    answer = ask_clip(header);
    ck_assert_int_eq(answer.status, 304);
    answer_free(&answer);
    snprintf(header, sizeof header, "Range: bytes=0-9\r\nIf-Range: %s", etag);
    answer = ask_clip(header);
    ck_assert_int_eq(answer.status, 206);
    answer_free(&answer);

    grow(SIZE, SIZE + 1000);            /* as a clip grows while it is written */
    answer = ask_clip(header);
    ck_assert_int_eq(answer.status, 200);
    check_part(&answer, 0, SIZE + 1000);
    ck_assert_str_ne(field(&answer, "ETag"), etag);
    answer_free(&answer);
    snprintf(header, sizeof header, "If-None-Match: %s", etag);
    answer = ask_clip(header);
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
}
END_TEST

/* A body is as long as the file was when it was asked for. If the file becomes shorter, the body breaks off. */
START_TEST(changing)
{
    enum { LARGE = 30 << 20 };
    char *out = malloc(LARGE + 65536);
    ck_assert_int_eq(truncate(path, LARGE), 0);
    for (int shrinks = 0; shrinks < 2; shrinks++) {
        int fd = dial();
        send_text(fd, "GET /api/v1/alerts/1/clip HTTP/1.0\r\n\r\n");
        ck_assert_int_eq(recv(fd, out, 4096, MSG_WAITALL), 4096);
        ck_assert_int_eq(truncate(path, shrinks ? 1000 : LARGE + 5000), 0);
        ssize_t n = 4096 + read_all(fd, out + 4096, LARGE + 65536 - 4096);
        close(fd);
        size_t head = (size_t)(strstr(out, "\r\n\r\n") + 4 - out);
        char length[64] = "";
        sscanf(strstr(out, "Content-Length: ") + 16, "%63s", length);
        ck_assert_int_eq(atol(length), shrinks ? LARGE + 5000 : LARGE);
        if (shrinks)
            ck_assert_int_lt(n - (ssize_t)head, LARGE);
        else
            ck_assert_int_eq(n - (ssize_t)head, LARGE);
    }
    free(out);
}
END_TEST

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

START_TEST(missing)
{
    refuse("/api/v1/alerts/1/snapshot", 404, NULL);
    refuse("/api/v1/alerts/1/why", 404, NULL);
    refuse("/api/v1/alerts/2/clip", 404, NULL);
    refuse("/api/v1/alerts/1/clip.mp4", 404, NULL);
    refuse("/api/v1/alerts/1/..%2f..%2fetc", 404, NULL);
    world_files[VIEW_WHY].error = -ELOOP;
    refuse("/api/v1/alerts/1/why", 500, NULL);
    struct answer answer = ask("/api/v1/alerts/1");
    ck_assert_uint_eq(json_object_size(json_object_get(answer.json, "evidence")), 1);
    ck_assert_str_eq(text(json_object_get(answer.json, "evidence"), "clip"), "/api/v1/alerts/1/clip");
    answer_free(&answer);
    world_files[VIEW_CLIP].path = NULL;
    answer = ask("/api/v1/alerts");
    json_t *alert = json_array_get(json_object_get(answer.json, "alerts"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(alert, "id")), 1);
    ck_assert_ptr_null(json_object_get(alert, "evidence"));
    answer_free(&answer);
}
END_TEST

START_TEST(pictures_of_a_fault)
{
    struct answer answer;
    refuse("/api/v1/cameras/gate/faults/7/fault", 404, NULL);
    world_files[VIEW_SNAPSHOT] = world_files[VIEW_CLIP];
    world_files[VIEW_SNAPSHOT].type = "image/jpeg";
    world_files[VIEW_SNAPSHOT].extension = "jpg";
    ck_assert_int_eq(ask_with(&answer, "GET", "/api/v1/cameras/gate/faults/7/fault", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.type, "image/jpeg");
    ck_assert_str_eq(field(&answer, "Content-Disposition"), "inline; filename=\"gate-7-fault.jpg\"");
    check_part(&answer, 0, SIZE);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "GET", "/api/v1/cameras/gate/faults/7/fault", "Range: bytes=3-9", NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 206);
    check_part(&answer, 3, 7);
    answer_free(&answer);
    static const char *const others[] = {"gate/faults/7/before", "gate/faults/7/after", "gate/faults/8/fault",
                                         "yard/faults/7/fault", "gate/faults/7", "gate/faults/7/fault.jpg",
                                         "..%2fgate/faults/7/fault", "gate/faults/-7/fault"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char path_of[80];
        snprintf(path_of, sizeof path_of, "/api/v1/cameras/%s", others[i]);
        refuse(path_of, 404, NULL);
    }
    world_files[VIEW_SNAPSHOT].error = -ELOOP;
    refuse("/api/v1/cameras/gate/faults/7/fault", 500, NULL);
}
END_TEST

/* An alert names the type and the codecs of its clip, if the database and the disk have it. */
START_TEST(videos)
{
    struct answer answer = ask("/api/v1/alerts/1");
    ck_assert_ptr_null(json_object_get(answer.json, "videos"));
    answer_free(&answer);
    world_videos.of[VIEW_CLIP] = (struct view_video){"video/mp4", "hevc", "hvc1.1.6.L93.B0", SIZE};
    answer = ask("/api/v1/alerts/1");
    json_t *clip = json_object_get(json_object_get(answer.json, "videos"), "clip");
    ck_assert_str_eq(text(clip, "type"), "video/mp4; codecs=\"hvc1.1.6.L93.B0\"");
    ck_assert_str_eq(text(clip, "codec"), "hevc");
    ck_assert_str_eq(text(clip, "codecs"), "hvc1.1.6.L93.B0");
    ck_assert_int_eq(json_integer_value(json_object_get(clip, "bytes")), SIZE);
    answer_free(&answer);
    world_videos.of[VIEW_CLIP] = (struct view_video){"video/x-matroska", "mjpeg", "", SIZE};
    answer = ask("/api/v1/alerts");
    clip = json_object_get(json_object_get(json_array_get(json_object_get(answer.json, "alerts"), 0), "videos"), "clip");
    ck_assert_str_eq(text(clip, "type"), "video/x-matroska");
    ck_assert(json_is_null(json_object_get(clip, "codecs")));
    answer_free(&answer);
    world_videos.status = -EIO;
    answer = ask("/api/v1/alerts/1");
    ck_assert_ptr_null(json_object_get(answer.json, "videos"));
    ck_assert_ptr_nonnull(json_object_get(answer.json, "evidence"));
    answer_free(&answer);
    world_videos.status = 0;
    world_files[VIEW_CLIP].path = NULL;
    answer = ask("/api/v1/alerts/1");
    ck_assert_ptr_null(json_object_get(answer.json, "videos"));
    answer_free(&answer);
}
END_TEST

static void check_copy(const char *method, const char *target, int status, const char *state)
{
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, method, target, NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, status);
    if (state)
        ck_assert_str_eq(text(answer.json, "state"), state);
    answer_free(&answer);
}

/* Only a POST asks for a copy. Its state is told from then on. */
START_TEST(copies)
{
    static const struct { int result, status; } refused[] = {{-ENOENT, 404}, {-EBUSY, 409}, {-ENOSYS, 501}, {-EAGAIN, 503},
                                                             {-ENOSPC, 503}, {-EACCES, 500}};
    check_copy("GET", "/api/v1/alerts/1/copy/state", 200, "none");
    check_copy("GET", "/api/v1/alerts/1/copy", 404, NULL);
    ck_assert_int_eq(world_copy.asked, 0);
    world_copy.copy.state = VIEW_COPY_WAITING;
    check_copy("POST", "/api/v1/alerts/1/copy", 202, "waiting");
    ck_assert_int_eq(world_copy.asked, 1);
    world_copy.copy.state = VIEW_COPY_RUNNING;
    check_copy("GET", "/api/v1/alerts/1/copy/state", 200, "running");
    world_copy.copy = (struct view_copy){VIEW_COPY_FAILED, "the disk is full"};
    struct answer answer = ask("/api/v1/alerts/1/copy/state");
    ck_assert_str_eq(text(answer.json, "reason"), "the disk is full");
    ck_assert(json_is_null(json_object_get(answer.json, "copy")));
    answer_free(&answer);
    world_copy.copy = (struct view_copy){VIEW_COPY_READY, ""};
    check_copy("POST", "/api/v1/alerts/1/copy", 200, "ready");
    world_files[VIEW_COPY] = world_files[VIEW_CLIP];
    check_copy("GET", "/api/v1/alerts/1/copy", 200, NULL);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        world_copy.result = refused[i].result;
        check_copy("POST", "/api/v1/alerts/1/copy", refused[i].status, NULL);
    }
    world_copy.result = 0;
    check_copy("POST", "/api/v1/alerts/7/copy", 404, NULL);
    check_copy("DELETE", "/api/v1/alerts/1/copy", 405, NULL);
}
END_TEST

/* No answer leaves a descriptor open. At most MAX files are sent at once. */
START_TEST(descriptors)
{
    enum { MAX = 32 };
    int fds[MAX];
    char byte;
    ck_assert_int_eq(truncate(path, 50 << 20), 0);
    int before = open_descriptors();
    for (int i = 0; i < MAX; i++) {
        fds[i] = dial();
        send_text(fds[i], "GET /api/v1/alerts/1/clip HTTP/1.1\r\nHost: localhost\r\n\r\n");
        ck_assert_int_eq(recv(fds[i], &byte, 1, 0), 1);
    }
    struct answer answer = ask_clip(NULL);
    check_problem(&answer, 503, NULL);
    answer_free(&answer);
    answer = ask_clip("If-None-Match: *");      /* no body, so no file is sent */
    ck_assert_int_eq(answer.status, 304);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/api/v1/alerts/1/clip", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    for (int i = 0; i < MAX; i++)
        close(fds[i]);
    static const char *const headers[] = {"Range: bytes=0-1", "If-None-Match: *", "Range: bytes=999999999-"};
    for (size_t i = 0; i < 3; i++) {
        answer = ask_clip(headers[i]);
        answer_free(&answer);
    }
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/api/v1/alerts/1/clip", NULL, NULL), CURLE_OK);
    answer_free(&answer);
    for (int i = 0; open_descriptors() > before; i++) {
        ck_assert_msg(i < 200, "%d descriptors, before %d", open_descriptors(), before);
        usleep(50000);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web evidence");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup_files, teardown_files);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, whole);
    tcase_add_test(rest, parts);
    tcase_add_test(rest, versions);
    tcase_add_test(rest, changing);
    tcase_add_test(rest, missing);
    tcase_add_test(rest, pictures_of_a_fault);
    tcase_add_test(rest, videos);
    tcase_add_test(rest, copies);
    tcase_add_test(rest, descriptors);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}

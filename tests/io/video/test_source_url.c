/* A source's URL says whether it is live, and gives its name. FFmpeg's log lines come whole and redacted. */
#include <check.h>
#include <errno.h>
#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "io/base/redact.h"
#include "io/video/source.h"
#include "io/video/source_url.h"
#include "tests/clips.h"
#include "tests/io/video/reading.h"

START_TEST(which_are_live)
{
    static const char *const live[] = {"rtsp://h/x", "RTSP://h/x", "rtsps://h/x", "rtmp://h/x", "udp://@239.0.0.1:1234",
                                       "rtp://h:1", "srt://h:1", "tcp://h:1", "camera.sdp", "file:///a/camera.sdp"};
    static const char *const paced[] = {"a.mp4", "/a/b.mkv", "http://h/x", "https://h/x.m3u8", "file:///a.mp4",
                                        "dir/%03d.jpg", "", "rtsp", "rtsp:/x", "a://b"};
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        ck_assert_msg(source_is_live(live[i]), "%s", live[i]);
    for (size_t i = 0; i < sizeof paced / sizeof *paced; i++)
        ck_assert_msg(!source_is_live(paced[i]), "%s", paced[i]);
}
END_TEST

START_TEST(names)
{
    static const char *const cases[][2] = {
        {"01.mp4", "01"}, {"/a/b/01.mp4", "01"}, {"a/b.c/night.2024.mkv", "night.2024"}, {"a/noext", "noext"}, {".mp4", ".mp4"},
        {"file:a/01.mp4", "01"}, {"file:///a/01.mp4", "01"}, {"a/frames/%03d.jpg", "frames"}, {"%03d.jpg", "%03d"},
        {"/%03d.jpg", "%03d"}, {"rtsp://u:p@host:554/live/main.sdp?token=x", "main"}, {"rtsp://u:p@host:554/", "host:554"},
        {"rtsp://u:p@cam.example.org", "cam.example.org"}, {"http://h/a/clip.mp4?x=/y.z", "clip"}, {"", "clip"}, {"/", "/"},
    };
    char out[64];
    for (size_t i = 0; i + 1 < sizeof cases / sizeof *cases; i++) {
        source_name(out, sizeof out, cases[i][0]);
        ck_assert_str_eq(out, cases[i][1]);
    }
    mkdir(clip_path("walk.1"), 0700);
    source_name(out, sizeof out, clip_path("walk.1"));
    ck_assert_str_eq(out, "walk.1");
    char path[512];
    snprintf(path, sizeof path, "%s/", clip_path("walk.1"));
    source_name(out, sizeof out, path);
    ck_assert_str_eq(out, "walk.1");
    ck_assert_int_eq(chdir(path), 0);
    source_name(out, sizeof out, ".");
    ck_assert_str_eq(out, "walk.1");
    source_name(out, 4, "abcdefg.mp4");
    ck_assert_str_eq(out, "abc");
}
END_TEST

static struct {
    int n, priority[16];
    char text[16][4096], camera[16];
} logged;

static void keep_line(int priority, const char *camera, const char *text)
{
    snprintf(logged.camera, sizeof logged.camera, "%s", camera ? camera : "none");
    ck_assert_int_lt(logged.n, 16);
    logged.priority[logged.n] = priority;
    snprintf(logged.text[logged.n++], sizeof logged.text[0], "%s", text);
}

START_TEST(log_lines_are_whole_and_redacted)
{
    source_set_log(keep_line);
    av_log(NULL, AV_LOG_ERROR, "Connection to rtsp://user:hunt");
    av_log(NULL, AV_LOG_ERROR, "er2@host/x failed\n");
    av_log(NULL, AV_LOG_WARNING, "again\n");
    av_log(NULL, AV_LOG_WARNING, "again\n");
    av_log(NULL, AV_LOG_WARNING, "again\n");
    av_log(NULL, AV_LOG_DEBUG, "not asked for\n");
    av_log(NULL, AV_LOG_INFO, "\n");
    av_log(NULL, AV_LOG_INFO, "told\r\n");
    ck_assert_int_eq(logged.n, 4);
    ck_assert_str_eq(logged.text[0], "Connection to rtsp://***@host/x failed");
    ck_assert_int_eq(logged.priority[0], LOG_ERR);
    ck_assert_str_eq(logged.text[1], "again");
    ck_assert_int_eq(logged.priority[1], LOG_WARNING);
    ck_assert_str_eq(logged.text[2], "(the line before was repeated 2 times)");
    ck_assert_str_eq(logged.text[3], "told");
    ck_assert_int_eq(logged.priority[3], LOG_INFO);
    ck_assert_str_eq(logged.camera, "none");

    /* A line that is too long is cut, but never within a password. */
    char filler[4090];
    memset(filler, 'x', sizeof filler - 1);
    filler[4078] = ' ';
    filler[sizeof filler - 1] = 0;
    av_log(NULL, AV_LOG_ERROR, "%s", filler);
    av_log(NULL, AV_LOG_ERROR, "rtsp://user:hunter2@host/x\n");
    ck_assert_int_eq(logged.n, 5);
    ck_assert_uint_eq(strlen(logged.text[4]), 4078);
    ck_assert_ptr_null(strstr(logged.text[4], "rtsp"));

    source_log_as("gate");
    av_log(NULL, AV_LOG_ERROR, "of the gate\n");
    ck_assert_int_eq(logged.n, 6);
    ck_assert_str_eq(logged.camera, "gate");
    source_log_as(NULL);

    av_log(NULL, AV_LOG_ERROR, "one\r\ntext\nof three lines\n");
    ck_assert_int_eq(logged.n, 7);
    ck_assert_str_eq(logged.text[6], "one  text of three lines");

    source_set_log(NULL);
    av_log(NULL, AV_LOG_ERROR, "nobody hears\n");
    ck_assert_int_eq(logged.n, 7);
}
END_TEST

START_TEST(addresses_that_no_camera_has)
{
    static const struct { const char *url, *cause; } cases[] = {
        {"rtps://h/x", "got \"rtps\""}, {"concat://a", "got \"concat\""}, {"unix:///x", "got \"unix\""},
        {"rtsp://", "expected a host after rtsp://"}, {"rtsp:///x", "expected a host after rtsp://"},
        {"rtsp://:554/x", "expected a host"}, {"rtsp://u:p@/x", "expected a host"},
        {"http://?x", "expected a host after http://"}, {"rtsp://h:0/x", "expected a port"},
        {"rtsp://h:65536", "expected a port"}, {"rtsp://h:abc/x", "expected a port"}, {"rtsp://h:-1/x", "expected a port"},
        {"rtsp://h:99999999999999999999/x", "expected a port"}, {"rtsp://u:p@h:5x4/x", "expected a port"},
        {"rtsp://[::1]:0/x", "expected a port"}, {"rtsp://u:pa/ss@h/x", "expected %2F, %3F and %23"},
        {"rtsp://u:pa#ss@h/x", "expected %2F"}, {"rtsp://u:?@h/x", "expected %2F"}, {"rtsp://h/x", NULL},
        {"rtsp://h:554/x", NULL}, {"rtsp://h:/x", NULL}, {"RTSPS://u:p@h:322", NULL}, {"rtsp://u:p@ss@h/x", NULL},
        {"rtsp://[::1]/x", NULL}, {"rtsp://u:p@[fe80::1]:554/x", NULL}, {"http://h/mail@example", NULL},
        {"rtsp://u:1/2@h/x", NULL}, {"udp://:1234", NULL}, {"udp://@239.0.0.1:1234", NULL}, {"srt://:9000?mode=listener", NULL},
        {"rtsp://h:1/x:99999", NULL}, {"/clips/a:b.mp4", NULL}, {"file:x", NULL}, {"file:///x", NULL}, {"c:99999/x", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {""};
        int r = source_check(cases[i].url, &err);
        ck_assert_msg(r == (cases[i].cause ? -EINVAL : 0), "%s: %d %s", cases[i].url, r, err.text);
        ck_assert_msg(!cases[i].cause || strstr(err.text, cases[i].cause), "%s: %s", cases[i].url, err.text);
        ck_assert_msg(!strstr(err.text, "pa/ss") && !strstr(err.text, "ss@"), "%s", err.text);
    }
}
END_TEST

START_TEST(sign_in_beside_the_url)
{
    char longest[128] = "", longer[128] = "";
    memset(longest, 'x', 124);
    memset(longer, 'x', 125);
    const struct { const char *url, *user, *password, *cause; } cases[] = {
        {"rtsp://h/x", "u", "p", NULL}, {"RTSPS://h/x", "u", "p@ss/w:rd#?%\u00e9 \"", NULL}, {"http://h/x", "u", NULL, NULL},
        {"https://h/mail@example?a=b@c", "@/", "p", NULL}, {"rtsp://h/x", NULL, NULL, NULL}, {"/clip.mp4", NULL, NULL, NULL},
        {"rtsp://h/x", "ab", longest, NULL}, {"rtsp://h/x", "ab", longer, "at most 126 bytes"},
        {"https://h/x", "ab", longer, NULL},
        {"rtsp://h/x", NULL, "hunter2", "expected a user beside the password"},
        {"/clip.mp4", "u", "hunter2", "expected a source of rtsp"}, {"udp://h:1", "u", "hunter2", "expected a source of rtsp"},
        {"rtsp://u@h/x", "u", "hunter2", "expected a source without user"},
        {"rtsp://u:hunter2@h/x", "u", NULL, "expected a source without user"},
        {"rtsp://h/x", "u:v", "hunter2", "without a colon"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {""};
        int r = source_check_sign_in(cases[i].url, cases[i].user, cases[i].password, &err);
        ck_assert_msg(r == (cases[i].cause ? -EINVAL : 0), "%s: %d %s", cases[i].url, r, err.text);
        ck_assert_msg(!cases[i].cause || strstr(err.text, cases[i].cause), "%s: %s", cases[i].url, err.text);
        ck_assert_msg(!strstr(err.text, "hunter2"), "%s", err.text);
    }
}
END_TEST

START_TEST(where_a_source_may_be_sent_on)
{
    static const struct { const char *from, *to; bool open, signed_in; } cases[] = {
        {"rtsp://h/x", "rtsp://h:8554/y", true, true}, {"rtsp://u:p@H/x", "rtsp://h/y", true, true},
        {"rtsp://h/x", "/y", true, true}, {"rtsp://h/x", "rtsp://i/y", true, false}, {"rtsps://h/x", "rtsp://h/x", true, false},
        {"rtsp://h/x", "rtsps://h/x", true, true}, {"http://h/x", "http://127.0.0.1:8787/x", false, false},
        {"http://h/x", "http://localhost/x", false, false}, {"http://h/x", "http://u@[::1]:80/x", false, false},
        {"http://h/x", "http://0.0.0.0/x", false, false}, {"http://127.0.0.1/x", "http://localhost/x", true, false},
        {"http://127.0.0.1:1/x", "http://127.0.0.1:2/x", true, true}, {"rtsp://h/x", "rtsp://h@127.0.0.1/x", false, false},
        {"rtsp://h/x", "rtsp://h.evil/x", true, false},
        /* For FFmpeg, a host needs no slashes before it. */
        {"rtsp://h/x", "rtsp:i/y", true, false}, {"rtsp://h/x", "rtsp:/i/y", true, false}, {"rtsp://h/x", "rtsp:h/y", true, true},
        {"http://h/x", "http:127.0.0.1/x", false, false}, {"rtsp://h/x", "rtsp:/localhost/y", false, false},
        /* Without a host, FFmpeg connects to this machine. */
        {"rtsp://h/x", "rtsp:///y", false, false}, {"rtsp://h/x", "rtsp://:554/y", false, false},
        {"rtsp://h/x", "rtsp:", false, false},
        /* Other spellings of loopback. */
        {"rtsp://h/x", "rtsp://2130706433/y", false, false}, {"rtsp://h/x", "rtsp://0x7f.1:554/y", false, false},
        {"rtsp://h/x", "rtsp://0177.0.0.1/y", false, false}, {"rtsp://h/x", "rtsp://0/y", false, false},
        {"rtsp://h/x", "rtsp://[::ffff:7f00:1]/y", false, false}, {"rtsp://h/x", "rtsp://[0:0::1]/y", false, false},
        {"rtsp://h/x", "rtsp://[::1%lo]/y", false, false}, {"rtsp://h/x", "rtsp://[::1]i/y", false, false},
        {"rtsp://h/x", "rtsp://localhost./y", false, false}, {"rtsp://h/x", "rtsp://[127.0.0.1]/y", false, false},
        /* FFmpeg reads the host out of the brackets twice. */
        {"rtsp://h/x", "rtsp://[127.0.0.1:80]/y", false, false}, {"rtsp://h/x", "rtsp://i\tj/y", false, false},
        {"rtsp://h/x", "rtsp://[fe80::1%eth0]:554/y", true, false}, {"rtsp://[fe80::1]/x", "rtsp://[FE80::1]:554/y", true, true},
        {"rtsp://h/x", "rtsp://10.0.0.1/y", true, false}, {"rtsp://127.0.0.1/x", "rtsp://0x7f.1/x", true, false},
        {"/clips/a.mkv", "file:/clips/b.mkv", true, true}, {"file:///a.sdp", "file:/a.sdp", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(source_may_redirect(cases[i].from, cases[i].to, false) == cases[i].open, "%zu", i);
        ck_assert_msg(source_may_redirect(cases[i].from, cases[i].to, true) == cases[i].signed_in, "%zu", i);
    }
}
END_TEST

/* FFmpeg decodes user and password before the host. redact() hides them. */
START_TEST(urls_with_user_and_password)
{
    static const struct { const char *url, *user, *password, *expected; } cases[] = {
        {"rtsp://h/x", NULL, NULL, "rtsp://h/x"}, {"rtsp://h:554/x", "viewer", "hunter2", "rtsp://viewer:hunter2@h:554/x"},
        {"http://[::1]", "u", NULL, "http://u@[::1]"},
        {"rtsp://h/x?a=b@c", "a b", "p@ss/w:rd#?%\u00e9\\", "rtsp://a%20b:p%40ss%2Fw%3Ard%23%3F%25%C3%A9%5C@h/x?a=b@c"},
        {"rtsp://h", "u", "-._~!$&'()*+,;=", "rtsp://u:-._~!$&'()*+,;=@h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *url = source_signed_in(cases[i].url, cases[i].user, cases[i].password), shown[256];
        ck_assert_str_eq(url, cases[i].expected);
        redact(shown, sizeof shown, url);
        if (cases[i].user)
            ck_assert_msg(strstr(shown, "://***@h") || strstr(shown, "://***@["), "%s", shown);
        free(url);
    }
}
END_TEST

int main(void)
{
    clips_open();
    source_set_log(NULL);
    TCase *tc = tcase_create("source_url");
    tcase_add_test(tc, addresses_that_no_camera_has);
    tcase_add_test(tc, sign_in_beside_the_url);
    tcase_add_test(tc, urls_with_user_and_password);
    tcase_add_test(tc, where_a_source_may_be_sent_on);
    tcase_add_test(tc, which_are_live);
    tcase_add_test(tc, names);
    tcase_add_test(tc, log_lines_are_whole_and_redacted);
    return run_case(tc, "source_url");
}

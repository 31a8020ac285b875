#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/redact.h"
#include "tests/suite.h"

static const struct {
    const char *text, *expected;
} lines[] = {
    {"", ""},
    {"no address here: a=b, user=x, me@example.org", "no address here: a=b, user=x, me@example.org"},
    {"rtsp://host/stream", "rtsp://host/stream"},
    {"rtsp://host:554/stream?channel=1&subtype=0", "rtsp://host:554/stream?channel=1&subtype=0"},
    {"rtsp://[fe80::1]:554/stream", "rtsp://[fe80::1]:554/stream"},
    {"rtsp://admin:hunter2@host:554/stream", "rtsp://***@host:554/stream"},
    {"rtsp://admin@host/stream", "rtsp://***@host/stream"},
    {"rtsp://admin:p@ss@host/stream", "rtsp://***@host/stream"},
    {"rtsp://admin:p/a?s#s@host/stream", "rtsp://***@host/stream"},
    {"rtsp://admin:p#s/s@host/stream", "rtsp://***@host/stream"},
    {"rtsp://admin:12/34@host/stream", "rtsp://***@host/stream"},
    {"rtsp://admin:it's@host/stream", "rtsp://***@host/stream"},
    {"rtsp://admin:a b@host/stream refused", "rtsp://***@host/stream refused"},
    {"rtsp://admin:hunter2", "rtsp://***"},
    {"rtsp://admin:hunter2 was cut", "rtsp://*** was cut"},
    {"rtsp://admin:123456", "rtsp://***"},
    {"[tcp @ 0x5] Connection to tcp://u:p@10.0.0.2:554?timeout=0 failed: Connection refused",
     "[tcp @ 0x5] Connection to tcp://***@10.0.0.2:554?timeout=0 failed: Connection refused"},
    {"'rtsp://u:p@h/x': Invalid data", "'rtsp://***@h/x': Invalid data"},
    {"rtsp://h:554: Connection refused", "rtsp://h:554: Connection refused"},
    {"from rtsp://u:p@a/1 to http://v:q@b/2.", "from rtsp://***@a/1 to http://***@b/2."},
    {"http://h/video?user=admin&pwd=hunter2&res=1", "http://h/video?user=***&pwd=***&res=1"},
    {"http://h/video?Password=hunter2", "http://h/video?Password=***"},
    {"http://h/video?password=", "http://h/video?password="},
    {"http://h/video?access_token=abc.def#x", "http://h/video?access_token=***"},
    {"http://h/video?api-key=abc: HTTP error 401", "http://h/video?api-key=***: HTTP error 401"},
    {"https://h/x?X-Amz-Signature=ab&a=1", "https://h/x?X-Amz-Signature=***&a=1"},
    {"https://h/x?sig=ab&width=5", "https://h/x?sig=***&width=5"},
    {"http://h/x?mail=a@b&n=1", "http://h/x?mail=a@b&n=1"},
    {"rtsp://h:554/user=admin&password=hunter2&channel=1", "rtsp://h:554/user=***&password=***&channel=1"},
    {"rtsp://h/user=admin_password=hunter2_channel=1", "rtsp://h/user=***"},
    {"rtsp://u:p@h/live?token=t", "rtsp://***@h/live?token=***"},
    {"rtsp://admin:12?34@host/stream", "rtsp://***@host/stream"},
    {"http://h:80/x?mail=a@b", "http://h:80/x?mail=a@b"},
    {"http://g/x?src=rtsp://user:secret@cam/live&n=1", "http://g/x?src=rtsp://***@cam/live&n=1"},
    {"http://g:1984/api?src=rtsp://u:p@ss/w@cam/live?token=t&n=1 refused",
     "http://g:1984/api?src=rtsp://***@cam/live?token=***&n=1 refused"},
    {"http://g/x?src=rtsp://cam:554/live", "http://g/x?src=rtsp://cam:554/live"},
    {"http://g/x?src=rtsp://user:secret", "http://g/x?src=rtsp://***"},
    {"http://g/x?a=http://h/y?b=rtsp://u:p@cam", "http://g/x?a=http://h/y?b=rtsp://***@cam"},
    {"http://g/x#rtsp://u:p@cam", "http://***@cam"},
    {"http://g/x?src=rtsp%3A%2F%2Fuser%3Asecret%40cam%2Flive&n=1", "http://g/x?src=rtsp%3A%2F%2F***%40cam%2Flive&n=1"},
    {"http://g/x?src=rtsp%3a//user:secret@cam&n=1", "http://g/x?src=rtsp%3a//***@cam&n=1"},
    {"http://g/x?src=rtsp%253A%252F%252Fuser%253Asecret%2540cam&n=1", "http://g/x?src=rtsp%253A%252F%252F***%2540cam&n=1"},
    {"http://g/rtsp%3A%2F%2Fuser%3Asecret%40cam/index.m3u8", "http://g/rtsp%3A%2F%2F***%40cam/index.m3u8"},
    {"http://g/x?src=http%3A%2F%2Fcam%3A80%2Fx%3Ftoken%3Dabc%26n%3D1&m=2",
     "http://g/x?src=http%3A%2F%2Fcam%3A80%2Fx%3Ftoken%3D***%26n%3D1&m=2"},
    {"http://g/x?src=http%3A%2F%2Fcam%2Fx%3Fp%3Dabc&m=2", "http://g/x?src=http%3A%2F%2Fcam%2Fx%3Fp%3D***&m=2"},
    {"http://g/x?src=rtsp%3A%2F%2Fuser%3Asecret", "http://g/x?src=rtsp%3A%2F%2F***"},
    {"http://g/x?%74oken=abc&n=1", "http://g/x?%74oken=***&n=1"},
    {"http://g/x?token=a%26b&n=1", "http://g/x?token=***&n=1"},
    {"GET /x?src=rtsp%3A%2F%2Fuser%3Asecret%40cam HTTP", "GET /x?src=rtsp%3A%2F%2F***%40cam HTTP"},
    {"http://g/x?p=100%", "http://g/x?p=***"},
    {"http://g/x?src=http%3A%2F%2Fcam%2Fx%3Ftoken%3Dp%40ss&m=2", "http://g/x?src=http%3A%2F%2F***"},
    {"rtsp://h/password=p@ss&n=1", "rtsp://***"},
    {"rtsp://u:p@h/password=p@ss", "rtsp://***"},
    {"pp://a:b @c%//xp://a:b@c", "pp://***@c"},
    {"x://u@h/token=a?b&m=c@d", "x://***@h/token=***?&m=c@d"},
    {"rtsp://a:b/p=@host/live?x=1", "rtsp://***"},
    {"x://q:b p=@d:y&p=1&z", "x://***"},
    {"http://g/x?src=rtsp%3A%2F%2Fu%2F%253A%2F%2Fb%40cam&pw=a%26b", "http://g/x?src=rtsp%3A%2F%2F***%40cam&pw=***"},
    {"http://g/100%/x%2", "http://g/100%/x%2"},
    {"://", "://"},
    {"x://@", "x://***@"},
};

START_TEST(hides_what_is_secret)
{
    char out[512], twice[512];
    redact(out, sizeof out, lines[_i].text);
    ck_assert_str_eq(out, lines[_i].expected);
    redact(twice, sizeof twice, out);
    ck_assert_str_eq(twice, out);
}
END_TEST

/* For every buffer size, nothing is written past the buffer, and it gets the beginning of the whole result. */
START_TEST(cuts_to_size)
{
    const char *text = "rtsp://admin:hunter2@host/live?token=abcdef done";
    char whole[128], out[128];
    redact(whole, sizeof whole, text);
    for (size_t size = 0; size <= sizeof out - 1; size++) {
        memset(out, 0x55, sizeof out);
        redact(out, size, text);
        for (size_t i = size; i < sizeof out; i++)
            ck_assert_int_eq(out[i], 0x55);
        if (size) {
            ck_assert_uint_eq(strlen(out), size - 1 < strlen(whole) ? size - 1 : strlen(whole));
            ck_assert(strncmp(out, whole, strlen(out)) == 0);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redact");
    TCase *tc = tcase_create("redact");
    tcase_add_loop_test(tc, hides_what_is_secret, 0, (int)(sizeof lines / sizeof *lines));
    tcase_add_test(tc, cuts_to_size);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}

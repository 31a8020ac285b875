/* web/files/ranges, web/files/conditions: header fields of clients, valid and invalid ones. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/suite.h"
#include "web/files/conditions.h"
#include "web/files/ranges.h"

START_TEST(ranges)
{
    static const struct { const char *text; uint64_t file; enum web_range kind; uint64_t first, size; } cases[] = {
        {"bytes=0-0", 10, WEB_RANGE_PART, 0, 1}, {"bytes=0-9", 10, WEB_RANGE_PART, 0, 10}, {"bytes=3-", 10, WEB_RANGE_PART, 3, 7},
        {"BYTES=9-9", 10, WEB_RANGE_PART, 9, 1}, {"bytes=5-99", 10, WEB_RANGE_PART, 5, 5},
        {"bytes= 1-2 ", 10, WEB_RANGE_PART, 1, 2},
        {"bytes=-1", 10, WEB_RANGE_PART, 9, 1}, {"bytes=-10", 10, WEB_RANGE_PART, 0, 10},
        {"bytes=-99", 10, WEB_RANGE_PART, 0, 10},
        {"bytes=1-99999999999999999999999", 10, WEB_RANGE_PART, 1, 9},
        {"bytes=-99999999999999999999999", 10, WEB_RANGE_PART, 0, 10},
        {"bytes=18446744073709551614-18446744073709551615", UINT64_MAX, WEB_RANGE_PART, UINT64_MAX - 1, 1},
        {"bytes=0-", UINT64_MAX, WEB_RANGE_PART, 0, UINT64_MAX},
        {"bytes=10-", 10, WEB_RANGE_OUTSIDE, 0, 0}, {"bytes=10-12", 10, WEB_RANGE_OUTSIDE, 0, 0},
        {"bytes=99999999999999999999999-", 10, WEB_RANGE_OUTSIDE, 0, 0}, {"bytes=-0", 10, WEB_RANGE_OUTSIDE, 0, 0},
        {"bytes=0-", 0, WEB_RANGE_OUTSIDE, 0, 0}, {"bytes=-5", 0, WEB_RANGE_WHOLE, 0, 0},
        {"bytes=0-1,3-4", 10, WEB_RANGE_WHOLE, 0, 0}, {"bytes=0-1,", 10, WEB_RANGE_WHOLE, 0, 0},
        {"bytes=-", 10, WEB_RANGE_WHOLE, 0, 0},
        {"bytes=", 10, WEB_RANGE_WHOLE, 0, 0}, {"bytes=5-4", 10, WEB_RANGE_WHOLE, 0, 0}, {"bytes=1", 10, WEB_RANGE_WHOLE, 0, 0},
        {"bytes=+1-2", 10, WEB_RANGE_WHOLE, 0, 0}, {"bytes=1-2x", 10, WEB_RANGE_WHOLE, 0, 0},
        {"bytes=--1", 10, WEB_RANGE_WHOLE, 0, 0},
        {"bytes =1-2", 10, WEB_RANGE_WHOLE, 0, 0}, {"lines=1-2", 10, WEB_RANGE_WHOLE, 0, 0}, {"", 10, WEB_RANGE_WHOLE, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct web_part part = {0, 0};
        ck_assert_msg(web_parse_range(cases[i].text, cases[i].file, &part) == cases[i].kind, "%s", cases[i].text);
        ck_assert_msg(part.first == cases[i].first && part.size == cases[i].size, "%s: %llu+%llu", cases[i].text,
                      (unsigned long long)part.first, (unsigned long long)part.size);
    }
}
END_TEST

START_TEST(dates)
{
    char text[WEB_DATE_SIZE];
    int64_t s = 7;
    web_format_date(text, 784111777);
    ck_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    ck_assert_int_eq(web_parse_date(text, &s), 0);
    ck_assert_int_eq(s, 784111777);
    static const char *const bad[] = {"", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun,  6 Nov 1994 08:49:37 GMT",
                                      "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                                      "Sun, 06 Nov 1994 08:49:37 GMT "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(web_parse_date(bad[i], &s) == -EINVAL && s == 784111777, "%s", bad[i]);
}
END_TEST

START_TEST(conditions)
{
    const struct web_version version = {"\"a-1\"", 784111777};
    static const struct { struct web_fields fields; bool unmodified; } cases[] = {
        {{0}, false},
        {{.if_none_match = "\"a-1\""}, true}, {{.if_none_match = "W/\"a-1\""}, true}, {{.if_none_match = "*"}, true},
        {{.if_none_match = "\"b\", \"a,1\" ,W/\"a-1\""}, true}, {{.if_none_match = "\"b\",,\"a-1\""}, true},
        {{.if_none_match = "\"a-2\""}, false}, {{.if_none_match = "a-1"}, false}, {{.if_none_match = "\"a-1"}, false},
        {{.if_none_match = ""}, false}, {{.if_none_match = "\"a-1\"x"}, true}, {{.if_none_match = "x\"a-1\""}, false},
        {{.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT"}, true},
        {{.if_modified_since = "Sun, 06 Nov 1994 08:49:38 GMT"}, true},
        {{.if_modified_since = "Sun, 06 Nov 1994 08:49:36 GMT"}, false}, {{.if_modified_since = "yesterday"}, false},
        {{.if_none_match = "\"b\"", .if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT"}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(web_is_unmodified(&cases[i].fields, &version) == cases[i].unmodified, "case %zu", i);

    static const struct { const char *if_range; int64_t now_s; bool may; } ranges_of[] = {
        {NULL, 0, true}, {"\"a-1\"", 0, true}, {"\"a-2\"", 0, false}, {"W/\"a-1\"", 0, false}, {"", 0, false}, {"*", 0, false},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111778, true}, {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777, false},
        {"Sun, 06 Nov 1994 08:49:38 GMT", 784111790, false}, {"Sun, 06 Nov 1994 08:49:36 GMT", 784111790, false},
    };
    for (size_t i = 0; i < sizeof ranges_of / sizeof ranges_of[0]; i++) {
        const struct web_fields fields = {.if_range = ranges_of[i].if_range};
        ck_assert_msg(web_may_range(&fields, &version, ranges_of[i].now_s) == ranges_of[i].may, "range %zu", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ranges");
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, ranges);
    tcase_add_test(pure, dates);
    tcase_add_test(pure, conditions);
    suite_add_tcase(suite, pure);
    return suite_run(suite);
}

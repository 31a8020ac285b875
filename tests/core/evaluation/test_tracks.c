#include "core/evaluation/tracks.h"
#include "tests/suite.h"

#include <check.h>
#include <string.h>

/* Links two masks of one row, which are drawn as digits: each digit is a region, '.' is none. Returns for each region of the
 * second mask the digit of the region that it continues. */
static const char *linked(const char *before, const char *now)
{
    static char text[10];
    uint32_t a[40], b[40], n_a = 0, n_b = 0, continued[9];
    size_t pixels = strlen(now);

    ck_assert_uint_eq(strlen(before), pixels);
    for (size_t i = 0; i < pixels; i++) {
        a[i] = before[i] == '.' ? 0 : (uint32_t)(before[i] - '0');
        b[i] = now[i] == '.' ? 0 : (uint32_t)(now[i] - '0');
        n_a = a[i] > n_a ? a[i] : n_a;
        n_b = b[i] > n_b ? b[i] : n_b;
    }
    ck_assert_int_eq(tracks_link(continued, a, n_a, b, n_b, pixels), 0);
    for (uint32_t i = 0; i < n_b; i++)
        text[i] = (char)('0' + continued[i]);
    text[n_b] = 0;
    return text;
}

START_TEST(by_hand)
{
    ck_assert_str_eq(linked("11..22..", "11..22.."), "12");
    ck_assert_str_eq(linked("11..22..", "22..11.."), "21");
    ck_assert_str_eq(linked("1111....", "...1111."), "1");      /* one pixel is enough */
    ck_assert_str_eq(linked("111.....", "...1111."), "0");      /* side by side is not */
    ck_assert_str_eq(linked("........", "11...22."), "00");
    ck_assert_str_eq(linked("11...22.", "........"), "");

    /* A region that splits goes on as the part with the higher intersection over union. */
    ck_assert_str_eq(linked("11111...", "11.22..."), "10");
    ck_assert_str_eq(linked("11111...", "1..222.."), "01");
    /* Of regions that merge, the one with the higher intersection over union goes on. */
    ck_assert_str_eq(linked("11.22222", "11111111"), "2");
    /* The best pair comes first: 2 and 1 share 3 of 7 pixels, 2 and 2 share 2 of 5, 1 and 1 share 2 of 6. */
    ck_assert_str_eq(linked("11122222", ".1111122"), "20");
}
END_TEST

START_TEST(equal_pairs)
{
    ck_assert_str_eq(linked("1.2", "111"), "1");        /* the first of the earlier regions */
    ck_assert_str_eq(linked("111", "1.2"), "10");       /* the first of the later regions */
    ck_assert_str_eq(linked("1122", ".11."), "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tracks");
    TCase *tests = tcase_create("tracks");
    tcase_add_test(tests, by_hand);
    tcase_add_test(tests, equal_pairs);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}

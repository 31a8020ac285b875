/* Characters of a text that count as control characters. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/printable.h"
#include "tests/suite.h"

static const struct {
    const char *text, *expected;
} texts[] = {
    {"", ""},
    {"a b\"\\~", "a b\"\\~"},
    {"a\x1b[2J\r\n\t\x7f.", "a?[2J????."},
    {"λ € 𝄞 Ä \u00a0", "λ € 𝄞 Ä \u00a0"},
    {"\xc2\x9b" "2J", "??2J"},                /* the control character CSI in UTF-8, */
    {"\x9b" "2J", "?2J"},                      /* and as one byte */
    {"\xe2\x9b\x94", "\xe2\x9b\x94"},     /* 9b within another character is none */
    {"\xe2\x9b", "??"},                       /* a character that is cut short */
    {"\xc0\x9b\xf5\xff", "????"},
    {"\xc3(", "?("},
};

START_TEST(control_characters)
{
    char text[64];
    strcpy(text, texts[_i].text);
    printable(text);
    ck_assert_str_eq(text, texts[_i].expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("printable");
    TCase *tcase = tcase_create("printable");
    tcase_add_loop_test(tcase, control_characters, 0, sizeof texts / sizeof texts[0]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}

/* core/picture/text and core/picture/why: the font, how text is cut and broken into lines, the parts of a "why" picture. */
#include "core/picture/text.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "core/picture/why.h"
#include "tests/suite.h"

static const struct colour white = {255, 255, 255};

static struct picture drawn(const char *text, int scale, int room)
{
    struct picture p;
    ck_assert_int_eq(picture_open(&p, 60, 20), 0);
    text_draw(&p, 0, 0, scale, room, white, text);
    return p;
}

static void check_art(const char *text, const char *art)
{
    struct picture p = drawn(text, 1, 60);
    int width = text_width(text, 1);
    for (int y = 0; y < TEXT_HEIGHT; y++)
        for (int x = 0; x < width; x++)
            ck_assert_msg((*picture_at(&p, x, y) != 0) == (art[y * width + x] == '#'), "\"%s\" at %d,%d", text, x, y);
    picture_close(&p);
}

START_TEST(letters_by_eye)
{
    check_art("ag", "..........."
                    "..........."
                    ".###...####"
                    "....#.#...#"
                    ".####.#...#"
                    "#...#.#...#"
                    ".####..####"
                    "..........#"
                    ".......###.");
}
END_TEST

START_TEST(every_letter_differs)
{
    struct picture all[96];
    for (int c = 0; c < 96; c++)
        all[c] = drawn((const char[]){(char)(c + ' '), 0}, 1, 60);
    for (int a = 0; a < 96; a++)
        for (int b = 0; b < a; b++)
            ck_assert_msg(memcmp(all[a].pixels, all[b].pixels, 60 * 20 * 3) != 0, "%c looks like %c", a + ' ', b + ' ');
    struct picture other = drawn("\xc3", 1, 60);
    ck_assert_mem_eq(other.pixels, all[95].pixels, 60 * 20 * 3);    /* a box, as for DEL */
    picture_close(&other);
    for (int c = 0; c < 96; c++)
        picture_close(&all[c]);
}
END_TEST

START_TEST(text_is_scaled_and_cut)
{
    struct picture one = drawn("Ab", 1, 60), two = drawn("Ab", 2, 60);
    for (int y = 0; y < 18; y++)
        for (int x = 0; x < 22; x++)
            ck_assert_int_eq(*picture_at(&two, x, y), *picture_at(&one, x / 2, y / 2));
    picture_close(&one);
    picture_close(&two);
    one = drawn("abcdef", 1, 23);               /* room for 4 letters */
    two = drawn("ab..", 1, 60);
    ck_assert_mem_eq(one.pixels, two.pixels, 60 * 20 * 3);
    picture_close(&one);
    picture_close(&two);
    one = drawn("abcdef", 3, -100);
    for (int i = 0; i < 60 * 20 * 3; i++)
        ck_assert_int_eq(one.pixels[i], 0);
    text_draw(&one, -1000, 15, 2, 100000, white, "beyond the border");
    text_draw(&one, 55, 18, 2, 100000, white, "beyond the border");
    picture_close(&one);
    ck_assert_int_eq(text_width("", 3), 0);
    ck_assert_int_eq(text_width("abcd", 1), 23);
}
END_TEST

START_TEST(text_is_broken_at_blanks)
{
    ck_assert_int_eq(text_fit("one two three", 1, 6 * 9), 7);
    ck_assert_int_eq(text_fit("one two three", 1, 6 * 7), 7);
    ck_assert_int_eq(text_fit("one two three", 1, 6 * 6), 3);
    ck_assert_int_eq(text_fit("onetwothree", 1, 6 * 4), 4);
    ck_assert_int_eq(text_fit("one", 2, 1000), 3);
    ck_assert_int_eq(text_fit("one", 2, 0), 1);
    ck_assert_int_eq(text_fit("one", 1, -50), 1);
}
END_TEST

/* Checks the panels of a picture of this size. The map is high at its right end, and the left half is masked. */
static void check_why(int width, int height)
{
    static const float values[] = {0, 9};
    static const struct draw_point left[] = {{0, 0}, {0.5f, 0}, {0.5f, 1}, {0, 1}};
    const struct draw_polygon mask = {left, 4};
    struct picture frame, inner, all;
    ck_assert_int_eq(picture_open(&frame, width, height) + picture_open(&inner, 80, 60), 0);
    memset(frame.pixels, 90, 3 * (size_t)width * (size_t)height);
    memset(inner.pixels, 200, 3 * 80 * 60);
    ck_assert_int_eq(why_draw(&all, &(struct why){
        .frame = &frame, .drawn = &inner, .map = {values, 1, 2, 0.25f, 0.5f, 0.5f, 1}, .scale = {0, 3},
        .masks = &mask, .n_masks = 1, .caption = "frame 1", .usual = "0 usual", .alert = "3 alert", .end = "4.5",
        .lines = {"a line of text", "another"}}), 0);
    int column = (all.width - 2 * 8 - 2 * 8) / 3, top = 8 + 24;
    ck_assert_int_ge(column, 320);
    ck_assert_int_le(column, WHY_PANEL);
    ck_assert_int_ge(all.height, top + 2 * 24);
    if (width >= 100 && height >= 100) {
        int middle = top + (all.height - top) / 4, right = column * 3 / 5;
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(*picture_at(&all, 8 + i * (column + 8) + column * 2 / 5, middle), 0);      /* masked */
        ck_assert_int_eq(*picture_at(&all, 8 + right, middle), 90);
        ck_assert_int_eq(*picture_at(&all, 8 + column + 8 + right, middle), 200);
        ck_assert_int_gt(*picture_at(&all, 8 + 2 * (column + 8) + right, middle), 100);
    }
    picture_close(&all);
    picture_close(&frame);
    picture_close(&inner);
}

START_TEST(why_at_many_sizes)
{
    static const int sizes[][2] = {{640, 360}, {320, 240}, {128, 128}, {1920, 1080}, {360, 640}, {37, 53}, {8192, 1}, {1, 8192},
                                   {1, 1}, {401, 399}};
    check_why(sizes[_i][0], sizes[_i][1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tc = tcase_create("text");
    tcase_add_test(tc, letters_by_eye);
    tcase_add_test(tc, every_letter_differs);
    tcase_add_test(tc, text_is_scaled_and_cut);
    tcase_add_test(tc, text_is_broken_at_blanks);
    tcase_add_loop_test(tc, why_at_many_sizes, 0, 10);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}

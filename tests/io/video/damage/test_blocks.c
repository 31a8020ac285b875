/* Blocks that do not fit are found only on the grid of the codec, and bands of lost rows as they come. A scene with edges, noise
 * and gradients has neither, wherever it lies, nor have changes off the grid. Other formats and small pictures are not
 * measured. */
#include "io/video/damage/blocks.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "core/rng.h"
#include "tests/frame.h"
#include "tests/suite.h"

static struct rng rng;

/* A scene of slanted edges, with noise. */
static void draw(AVFrame *frame, int phase)
{
    for (int y = 0; y < frame->height; y++)
        for (int x = 0; x < frame->width; x++)
            frame->data[0][y * frame->linesize[0] + x] =
                (uint8_t)(((x + y / 3 + phase) / 23 % 2 ? 60 : 170) + (int)rng_below(&rng, 9) + x * 20 / frame->width);
}

/* Changes about one block in `every`, each moved off the grid by `aside` pixels to the right and down. */
static void corrupt(AVFrame *frame, int every, int aside)
{
    const int line = frame->linesize[0];
    for (int y = 16; y + 32 <= frame->height; y += 16)
        for (int x = 16; x + 48 <= frame->width; x += 16) {
            uint8_t *at = frame->data[0] + (y + aside) * line + x + aside;
            const bool chosen = rng_below(&rng, (uint64_t)every) == 0;
            for (int i = 0; chosen && i < 16; i++)
                for (int k = 0; k < 16; k++)
                    at[i * line + k] = (uint8_t)(at[i * line + k + 8] / 2 + 20);
        }
}

/* Of this picture alone. */
static int measured(const AVFrame *frame)
{
    struct blocks blocks = {0};
    return blocks_measure(&blocks, frame);
}

START_TEST(jumps_on_the_grid)
{
    static const int sizes[][2] = {{320, 176}, {373, 250}, {640, 360}, {1922, 1082}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        AVFrame *frame = frame_of(AV_PIX_FMT_YUV420P, sizes[i][0], sizes[i][1]);
        for (int phase = 0; phase < 16; phase += 5) {
            draw(frame, phase);
            ck_assert_msg(measured(frame) < 200, "%d: %d", sizes[i][0], measured(frame));
            corrupt(frame, 8, 5);                       /* off the grid */
            ck_assert_msg(measured(frame) < 200, "%d, beside: %d", sizes[i][0], measured(frame));
            draw(frame, phase);
            corrupt(frame, 8, 0);
            ck_assert_msg(measured(frame) > 800, "%d, corrupt: %d", sizes[i][0], measured(frame));
        }
        av_frame_free(&frame);
    }
}
END_TEST

START_TEST(small_pictures_have_too_few_blocks)
{
    static const int sizes[][2] = {{319, 240}, {320, 175}, {128, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        AVFrame *frame = frame_of(AV_PIX_FMT_YUV420P, sizes[i][0], sizes[i][1]);
        draw(frame, 0);
        corrupt(frame, 8, 0);
        ck_assert_int_eq(measured(frame), 0);
        av_frame_free(&frame);
    }
}
END_TEST

/* Rows from `first` on repeat the row above them, or are black. */
static void drop_rows(AVFrame *frame, int first, int rows, bool black)
{
    const int line = frame->linesize[0];
    for (int y = first; y < first + rows && y < frame->height; y++)
        for (int x = 0; x < frame->width; x++)
            frame->data[0][y * line + x] = black ? 16 : frame->data[0][(first - 1) * line + x];
}

START_TEST(bands)
{
    static const int sizes[][2] = {{320, 176}, {768, 576}, {320, 4400}, {128, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int black = 0; black < 2; black++) {
            AVFrame *frame = frame_of(AV_PIX_FMT_YUV420P, sizes[i][0], sizes[i][1]);
            struct blocks blocks = {0};
            const int height = sizes[i][1], rows = height / 10 + 4;       /* no band begins or ends on the grid */
            for (int phase = 0; phase < 40; phase += 5) {       /* a scene that moves */
                draw(frame, phase);
                ck_assert_int_eq(blocks_measure(&blocks, frame), measured(frame));
            }
            for (int n = 0; n < 4; n++) {                       /* a tenth of the rows, elsewhere in each picture */
                draw(frame, 40 + n);
                drop_rows(frame, height / 8 + 1 + n * height / 5, rows, black);
                int share = blocks_measure(&blocks, frame);
                ck_assert_msg(share > 400, "%d, %d: %d", sizes[i][0], n, share);
            }
            int share = blocks_measure(&blocks, frame);         /* the same picture again: nothing was lost since */
            ck_assert_int_eq(share, measured(frame));
            draw(frame, 50);
            share = blocks_measure(&blocks, frame);             /* and the rows come back: at most the band's edge falls */
            ck_assert_int_le(share, measured(frame) + 10000 * 8 / height + 1);
            av_frame_free(&frame);
        }
}
END_TEST

/* A door opens in a flat wall: its lower edge leaves band after band, over half the width. */
START_TEST(a_door_is_no_lost_band)
{
    static const int sizes[][2] = {{128, 64}, {640, 360}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        AVFrame *frame = frame_of(AV_PIX_FMT_YUV420P, sizes[i][0], sizes[i][1]);
        struct blocks blocks = {0};
        const int line = frame->linesize[0], left = frame->width / 4;
        for (int edge = frame->height; edge >= 0; edge -= frame->height / 16) {
            draw(frame, 0);
            for (int y = 0; y < frame->height; y++)
                memset(frame->data[0] + y * line + left, y < edge ? 40 : 200, (size_t)frame->width / 2);
            ck_assert_int_eq(blocks_measure(&blocks, frame), measured(frame));
        }
        av_frame_free(&frame);
    }
}
END_TEST

/* Nothing is compared with a picture of another size, or from before one that was not measured. */
START_TEST(bands_begin_anew)
{
    AVFrame *one = frame_of(AV_PIX_FMT_YUV420P, 640, 360), *other = frame_of(AV_PIX_FMT_YUV420P, 640, 352);
    AVFrame *none = frame_of(AV_PIX_FMT_RGB24, 640, 360);
    struct blocks blocks = {0};
    draw(one, 0);
    draw(other, 0);
    drop_rows(other, 40, 300, false);
    blocks_measure(&blocks, one);
    ck_assert_int_lt(blocks_measure(&blocks, other), 100);
    draw(one, 0);
    blocks_measure(&blocks, one);
    ck_assert_int_eq(blocks_measure(&blocks, none), -1);
    drop_rows(one, 40, 300, false);
    ck_assert_int_lt(blocks_measure(&blocks, one), 100);
    av_frame_free(&one);
    av_frame_free(&other);
    av_frame_free(&none);
}
END_TEST

START_TEST(other_pictures)
{
    static const struct {
        enum AVPixelFormat format;
        int width, height;
    } none[] = {{AV_PIX_FMT_YUV420P, 63, 48}, {AV_PIX_FMT_YUV420P, 64, 47}, {AV_PIX_FMT_RGB24, 320, 240},
                {AV_PIX_FMT_PAL8, 320, 240},
                {AV_PIX_FMT_YUV420P10LE, 320, 240}, {AV_PIX_FMT_YUYV422, 320, 240}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        AVFrame *frame = frame_of(none[i].format, none[i].width, none[i].height);
        ck_assert_int_eq(measured(frame), -1);
        av_frame_free(&frame);
    }
    AVFrame *gray = frame_of(AV_PIX_FMT_GRAY8, 320, 240);
    draw(gray, 3);
    ck_assert_int_lt(measured(gray), 200);
    av_frame_free(&gray);
}
END_TEST

int main(void)
{
    rng_seed(&rng, 11);
    Suite *suite = suite_create("io/video/damage/blocks");
    TCase *tcase = tcase_create("blocks");
    tcase_add_test(tcase, jumps_on_the_grid);
    tcase_add_test(tcase, small_pictures_have_too_few_blocks);
    tcase_add_test(tcase, bands);
    tcase_add_test(tcase, a_door_is_no_lost_band);
    tcase_add_test(tcase, bands_begin_anew);
    tcase_add_test(tcase, other_pictures);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}

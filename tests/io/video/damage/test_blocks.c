/* Blocks that do not fit are found only on the grid of the codec. A scene with edges, noise and gradients has none, wherever it
 * lies, and neither have changes off the grid. Other formats and small pictures are not measured. */
#include "io/video/damage/blocks.h"

#include <check.h>
#include <stdbool.h>

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

START_TEST(blocks)
{
    static const int sizes[][2] = {{320, 176}, {373, 250}, {640, 360}, {1922, 1082}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        AVFrame *frame = frame_of(AV_PIX_FMT_YUV420P, sizes[i][0], sizes[i][1]);
        for (int phase = 0; phase < 16; phase += 5) {
            draw(frame, phase);
            ck_assert_msg(blocks_measure(frame) < 200, "%d: %d", sizes[i][0], blocks_measure(frame));
            corrupt(frame, 8, 5);                       /* off the grid */
            ck_assert_msg(blocks_measure(frame) < 200, "%d, beside: %d", sizes[i][0], blocks_measure(frame));
            draw(frame, phase);
            corrupt(frame, 8, 0);
            ck_assert_msg(blocks_measure(frame) > 800, "%d, corrupt: %d", sizes[i][0], blocks_measure(frame));
        }
        av_frame_free(&frame);
    }
}
END_TEST

START_TEST(other_pictures)
{
    static const struct {
        enum AVPixelFormat format;
        int width, height;
    } none[] = {{AV_PIX_FMT_YUV420P, 319, 240}, {AV_PIX_FMT_YUV420P, 320, 175}, {AV_PIX_FMT_RGB24, 320, 240},
                {AV_PIX_FMT_PAL8, 320, 240},
                {AV_PIX_FMT_YUV420P10LE, 320, 240}, {AV_PIX_FMT_YUYV422, 320, 240}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        AVFrame *frame = frame_of(none[i].format, none[i].width, none[i].height);
        ck_assert_int_eq(blocks_measure(frame), -1);
        av_frame_free(&frame);
    }
    AVFrame *gray = frame_of(AV_PIX_FMT_GRAY8, 320, 240);
    draw(gray, 3);
    ck_assert_int_lt(blocks_measure(gray), 200);
    av_frame_free(&gray);
}
END_TEST

int main(void)
{
    rng_seed(&rng, 11);
    Suite *suite = suite_create("io/video/damage/blocks");
    TCase *tcase = tcase_create("blocks");
    tcase_add_test(tcase, blocks);
    tcase_add_test(tcase, other_pictures);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}

/* The mean colour of a picture is that of its pixels, in all kinds of formats. Gray has none, and that of other formats is not
 * known. A source gives it if it is asked for. */
#include "io/video/chroma/chroma.h"

#include <check.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/frame.h"
#include "tests/suite.h"

/* Paints a plane of chroma: a on the left half, b on the right half. */
static void paint(AVFrame *frame, int plane, int width, int height, int a, int b, int bytes)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint16_t value = (uint16_t)(x < width / 2 ? a : b);
            uint8_t *at = frame->data[plane] + y * frame->linesize[plane] + x * bytes;
            if (bytes == 2)
                memcpy(at, &value, 2);
            else
                *at = (uint8_t)value;
        }
}

static void check(const AVFrame *frame, double saturation, double u, double v)
{
    struct source_chroma got;
    chroma_measure(&got, frame);
    ck_assert(got.known);
    ck_assert_double_eq_tol(got.saturation / 256.0, saturation, 0.6);
    ck_assert_double_eq_tol(got.u / 256.0, u, 0.6);
    ck_assert_double_eq_tol(got.v / 256.0, v, 0.6);
}

START_TEST(planes)
{
    static const int sizes[][2] = {{64, 48}, {2, 2}, {640, 360}, {1922, 1082}, {8192, 16}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int w = sizes[i][0], h = sizes[i][1];
        AVFrame *frame = frame_of(AV_PIX_FMT_YUV420P, w, h);
        paint(frame, 1, (w + 1) / 2, (h + 1) / 2, 128 - 30, w > 2 ? 128 + 30 : 128 - 30, 1);
        paint(frame, 2, (w + 1) / 2, (h + 1) / 2, 128 + 40, 128 + 40, 1);
        check(frame, 50, w > 2 ? 128 : 98, 168);
        av_frame_free(&frame);
        frame = frame_of(AV_PIX_FMT_YUV422P10LE, w, h);
        paint(frame, 1, (w + 1) / 2, h, 4 * (128 + 30), 4 * (128 + 30), 2);
        paint(frame, 2, (w + 1) / 2, h, 4 * (128 - 40), 4 * (128 - 40), 2);
        check(frame, 50, 158, 88);
        av_frame_free(&frame);
    }
}
END_TEST

START_TEST(red_green_blue)
{
    AVFrame *frame = frame_of(AV_PIX_FMT_RGB24, 100, 50);
    for (int y = 0; y < 50; y++)
        for (int x = 0; x < 100; x++)
            memcpy(frame->data[0] + y * frame->linesize[0] + 3 * x, (const uint8_t[3]){255, 0, 0}, 3);
    check(frame, hypot(43.0, 127.5), 128 - 43.0, 255.5);
    av_frame_free(&frame);
}
END_TEST

START_TEST(gray_and_unknown)
{
    struct source_chroma got;
    AVFrame *frame = frame_of(AV_PIX_FMT_GRAY8, 64, 48);
    check(frame, 0, 128, 128);
    av_frame_free(&frame);
    frame = frame_of(AV_PIX_FMT_PAL8, 64, 48);
    got.known = true;
    chroma_measure(&got, frame);
    ck_assert(!got.known);
    av_frame_free(&frame);
}
END_TEST

START_TEST(a_source_gives_it_where_asked)
{
    clips_ffmpeg("-f lavfi -i color=c=0x804020:s=64x48:r=10:d=0.5 -vf format=yuv420p -c:v ffv1 @/colour.mkv");
    for (int asked = 0; asked <= 1; asked++) {
        struct source *source;
        struct source_frame frame;
        struct error err;
        uint8_t pixels[64 * 48];
        const struct source_options options = {.width = 64, .height = 48, .chroma = asked};
        ck_assert_int_eq(source_open(&source, clip_path("colour.mkv"), &options, &err), 0);
        ck_assert_int_eq(source_read(source, pixels, &frame, &err), 1);
        ck_assert_int_eq(frame.chroma.known, asked);
        if (asked)              /* in limited range 0x804020 has u 104 and v 159 or so */
            ck_assert(abs(frame.chroma.u / 256 - 104) <= 3 && abs(frame.chroma.v / 256 - 158) <= 4);
        source_close(source);
    }
}
END_TEST

int main(void)
{
    bool clips = clips_open();
    Suite *suite = suite_create("io/video/chroma");
    TCase *tcase = tcase_create("chroma");
    tcase_add_test(tcase, planes);
    tcase_add_test(tcase, red_green_blue);
    tcase_add_test(tcase, gray_and_unknown);
    if (clips)
        tcase_add_test(tcase, a_source_gives_it_where_asked);
    suite_add_tcase(suite, tcase);
    int status = suite_run(suite);
    clips_close();
    return status;
}

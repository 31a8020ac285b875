/* io/picture/jpeg: JPEGs that FFmpeg's decoder reads, hostile sizes and qualities, files. */
#include "io/picture/jpeg.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/picture/moment.h"
#include "tests/clips.h"
#include "tests/suite.h"

/* A smooth picture with all colours, and an edge. */
static struct picture scene(int width, int height)
{
    struct picture p;
    ck_assert_int_eq(picture_open(&p, width, height), 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *at = picture_at(&p, x, y);
            at[0] = (uint8_t)(127 + 120 * sin(x * 0.05));
            at[1] = (uint8_t)(127 + 120 * sin(y * 0.07 + 1));
            at[2] = x > width / 2 ? 200 : 30;
        }
    return p;
}

static double psnr(const struct picture *a, const struct picture *b)
{
    double sum = 0;
    size_t n = 3 * (size_t)a->width * (size_t)a->height;
    for (size_t i = 0; i < n; i++)
        sum += pow(a->pixels[i] - b->pixels[i], 2);
    return 10 * log10(255 * 255 / (sum / (double)n));
}

static struct picture decoded(const struct jpeg *jpeg)
{
    struct moment moment;
    struct error err;
    clip_write("a.jpg", jpeg->data, jpeg->size);
    ck_assert_msg(moment_read(&moment, clip_path("a.jpg"), 0, &(struct moment_options){.longest = PICTURE_MAX_SIDE}, &err) == 0,
                  "%s", err.text);
    return moment.picture;
}

START_TEST(comes_back_alike)
{
    static const int sizes[][2] = {{320, 240}, {321, 239}, {1, 1}, {2, 1}, {17, 33}, {8191, 3}, {3, 8191}};
    struct picture p = scene(sizes[_i][0], sizes[_i][1]);
    struct jpeg jpeg;
    struct error err;
    ck_assert_msg(jpeg_encode(&jpeg, &p, JPEG_QUALITY, &err) == 0, "%s", err.text);
    struct picture back = decoded(&jpeg);
    ck_assert_int_eq(back.width, p.width);
    ck_assert_int_eq(back.height, p.height);
    if (p.width > 100 && p.height > 100)
        ck_assert_msg(psnr(&p, &back) > 32, "PSNR %g dB", psnr(&p, &back));
    picture_close(&back);
    jpeg_close(&jpeg);
    jpeg_close(&jpeg);
    picture_close(&p);
}
END_TEST

/* The pixels end where readable memory ends, because swscale may read beyond the pixels that it is given. */
START_TEST(nothing_beyond_the_pixels_is_read)
{
    enum { WIDTH = 448, HEIGHT = 320, SIZE = 3 * WIDTH * HEIGHT };      /* 105 pages of 4096 bytes */
    long page = sysconf(_SC_PAGESIZE);
    ck_assert_int_eq(SIZE % page, 0);
    uint8_t *pixels = mmap(NULL, SIZE + (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(pixels != MAP_FAILED && mprotect(pixels + SIZE, (size_t)page, PROT_NONE) == 0);
    struct picture p = {.width = WIDTH, .height = HEIGHT, .pixels = pixels};
    struct jpeg jpeg;
    struct error err;
    ck_assert_msg(jpeg_encode(&jpeg, &p, JPEG_QUALITY, &err) == 0, "%s", err.text);
    jpeg_close(&jpeg);
    munmap(pixels, SIZE + (size_t)page);
}
END_TEST

START_TEST(levels_are_full_range)
{
    static const uint8_t levels[][3] = {{0, 0, 0}, {255, 255, 255}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {16, 16, 16}};
    for (int i = 0; i < 6; i++) {
        struct picture p;
        struct jpeg jpeg;
        ck_assert_int_eq(picture_open(&p, 32, 32), 0);
        for (int k = 0; k < 32 * 32; k++)
            memcpy(p.pixels + 3 * k, levels[i], 3);
        ck_assert_int_eq(jpeg_encode(&jpeg, &p, 95, NULL), 0);
        struct picture back = decoded(&jpeg);
        for (int c = 0; c < 3; c++)
            ck_assert_int_le(abs(back.pixels[c] - levels[i][c]), 4);
        picture_close(&back);
        jpeg_close(&jpeg);
        picture_close(&p);
    }
}
END_TEST

START_TEST(quality_orders_sizes)
{
    static const int qualities[] = {1, 20, 50, 85, 100};
    struct picture p = scene(320, 240);
    size_t last = 0;
    for (int i = 0; i < 5; i++) {
        struct jpeg jpeg;
        ck_assert_int_eq(jpeg_encode(&jpeg, &p, qualities[i], NULL), 0);
        ck_assert_uint_gt(jpeg.size, last);
        last = jpeg.size;
        jpeg_close(&jpeg);
    }
    picture_close(&p);
}
END_TEST

START_TEST(refuses_with_a_cause)
{
    struct picture p = scene(8, 8), none = {0};
    struct jpeg jpeg = {.size = 7};
    struct error err;
    ck_assert_int_eq(jpeg_encode(&jpeg, &p, 0, &err), -EINVAL);
    ck_assert_str_eq(err.text, "expected a picture and a quality from 1 to 100, got 8x8 pixels and 0");
    ck_assert_int_eq(jpeg_encode(&jpeg, &p, 101, &err), -EINVAL);
    ck_assert_int_eq(jpeg_encode(&jpeg, &none, 50, &err), -EINVAL);
    ck_assert_uint_eq(jpeg.size, 7);
    ck_assert_int_eq(jpeg_write(clip_path("no/such/folder.jpg"), &p, 50, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "no/such"));
    ck_assert_int_eq(jpeg_write(clip_path("x.jpg"), &none, 50, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "x.jpg: expected"));
    ck_assert_int_lt(access(clip_path("x.jpg"), F_OK), 0);
    picture_close(&p);
}
END_TEST

START_TEST(files_are_private_and_reproducible)
{
    struct picture p = scene(64, 48);
    struct stat st;
    size_t a_size, b_size;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(jpeg_write(clip_path(i ? "two.jpg" : "one.jpg"), &p, 85, NULL), 0);
    ck_assert_int_eq(stat(clip_path("one.jpg"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    uint8_t *a = clip_read("one.jpg", &a_size), *b = clip_read("two.jpg", &b_size);
    ck_assert_uint_eq(a_size, b_size);
    ck_assert_mem_eq(a, b, a_size);
    ck_assert_ptr_null(memmem(a, a_size, "Lavc", 4));
    free(a);
    free(b);
    picture_close(&p);
}
END_TEST

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    Suite *suite = suite_create("jpeg");
    TCase *tc = tcase_create("jpeg");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, quality_orders_sizes);
    if (clips) {
        tcase_add_loop_test(tc, comes_back_alike, 0, 7);
        tcase_add_test(tc, nothing_beyond_the_pixels_is_read);
        tcase_add_test(tc, levels_are_full_range);
        tcase_add_test(tc, refuses_with_a_cause);
        tcase_add_test(tc, files_are_private_and_reproducible);
    }
    suite_add_tcase(suite, tc);
    int status = suite_run(suite);
    clips_close();
    return status;
}

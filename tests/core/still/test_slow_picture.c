/* core/still/slow_picture: shapes, pictures that are reduced, and cells that the contrast leaves out. */
#include "core/still/still_builder.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "tests/suite.h"

#define FRAME_US INT64_C(2000000)

static struct rng rng;

START_TEST(shapes)
{
    struct slow_shape shape = {0};
    ck_assert(!slow_shape_of(&shape, 15, 64) && !slow_shape_of(&shape, 64, 15) && shape.rows == 0);
    ck_assert(slow_shape_of(&shape, 16, 19) && shape.rows == 4 && shape.columns == 4 && shape.reduced == 1);
    ck_assert(slow_shape_of(&shape, 64, 128) && still_exemplars(&shape) == 12 && still_cells(&shape) == 13 * 29);
    ck_assert(slow_shape_of(&shape, 128, 128) && shape.reduced == 1 && still_exemplars(&shape) == 6);
    ck_assert(slow_shape_of(&shape, 256, 256) && shape.reduced == 2 && shape.rows == 32);
    ck_assert(slow_shape_of(&shape, 16, 1024) && shape.columns == 256);
    ck_assert(!slow_shape_of(&shape, 16, 4000));        /* reduced by two, it would have two rows of blocks */
    struct slow_picture *slow = NULL;
    struct still_builder *builder = NULL;
    ck_assert_int_eq(slow_picture_open(&slow, 8, 8), -EINVAL);
    ck_assert_int_eq(still_builder_open(&builder, 8, 8, STILL_STORE_BYTES), -EINVAL);
    ck_assert(!slow && !builder);
    slow_picture_close(NULL);
    still_builder_close(NULL);
    still_watch_close(NULL);
    /* A reduced picture is described as the small one is. */
    static uint8_t small[128 * 128], large[256 * 256];
    struct slow_picture *other;
    for (int i = 0; i < 128 * 128; i++)
        small[i] = (uint8_t)rng_below(&rng, 256);
    for (int i = 0; i < 256 * 256; i++)
        large[i] = small[i / 512 * 128 + i % 256 / 2];
    ck_assert_int_eq(slow_picture_open(&slow, 128, 128), 0);
    ck_assert_int_eq(slow_picture_open(&other, 256, 256), 0);
    for (int t = 0; t < SLOW_SAMPLES; t++)
        ck_assert_int_eq(slow_picture_add(slow, small, t * FRAME_US, false),
                         slow_picture_add(other, large, t * FRAME_US, false));
    ck_assert_mem_eq(slow_picture_blocks(slow), slow_picture_blocks(other), 32 * 32 * SLOW_VALUES);
    slow_picture_close(slow);
    slow_picture_close(other);
}
END_TEST

/* The left two thirds of a picture are blank. Its contrast is computed of all of it, and with a mask over the blank part. */
START_TEST(contrast_of_what_counts)
{
    enum { H = 64, W = 96 };
    static uint8_t picture[H * W], covered[H * W];
    float contrast[3];
    for (int i = 0; i < H * W; i++) {
        covered[i] = i % W < 64;
        picture[i] = covered[i] ? 128 : (uint8_t)(64 + rng_below(&rng, 128));
    }
    for (int i = 0; i < 3; i++) {
        struct slow_picture *slow;
        ck_assert_int_eq(slow_picture_open(&slow, H, W), 0);
        if (i > 0)
            slow_picture_leave_out(slow, covered);
        if (i == 2)
            memset(covered, 1, sizeof covered);
        if (i == 2)
            slow_picture_leave_out(slow, covered);          /* the mask covers all */
        for (int t = 0; t < SLOW_SAMPLES; t++)
            slow_picture_add(slow, picture, t * FRAME_US, false);
        contrast[i] = slow_picture_contrast(slow);
        slow_picture_close(slow);
    }
    ck_assert_float_lt(contrast[0], 0);
    ck_assert_float_gt(contrast[1], 5);
    ck_assert(isfinite(contrast[2]));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("slow_picture");
    rng_seed(&rng, 9);
    tcase_add_test(tcase, shapes);
    tcase_add_test(tcase, contrast_of_what_counts);
    Suite *suite = suite_create("slow_picture");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}

/* The time of a packet of audio: by its time stamp, after the packet before, or by its arrival. */
#include <check.h>
#include <stdlib.h>

#include "io/video/packets/audio_clock.h"
#include "tests/suite.h"

enum { LENGTH = 1920, NONE = -1 };      /* LENGTH: of a packet of AAC at 48 kHz */

/* Gives the clock a packet. Returns its time; NONE: it is dropped. */
static int64_t next(struct audio_clock *clock, int64_t stamp, int64_t arrived)
{
    int64_t time = NONE;
    return audio_clock_next(clock, stamp, arrived, 1000000 + arrived * 100 / 9, LENGTH, &time) ? time : NONE;
}

/* MPEG-TS stamps only the first of several packets. The others follow it, even if it is dropped because the clip begins later. */
START_TEST(unstamped_packets_follow)
{
    struct audio_clock clock = {0};
    ck_assert_int_eq(next(&clock, -LENGTH, 21606), NONE);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 21606), i * LENGTH);
    ck_assert_int_eq(next(&clock, 8 * LENGTH, 54000), 8 * LENGTH);
    ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 54000), 9 * LENGTH);
}
END_TEST

/* A time stamp corrects the times after packets without one. Times rise all the same. */
START_TEST(stamps_correct)
{
    struct audio_clock clock = {0};
    ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 20000), 20000);
    ck_assert_int_eq(next(&clock, 5000, 20000), NONE);
    for (int64_t time = 5000 + LENGTH; time < 20000; time += LENGTH)
        ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 20000), NONE);
    ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 20000), 5000 + 8 * LENGTH);
}
END_TEST

/* A pause between packets without time stamps stays a pause. */
START_TEST(pauses_stay)
{
    struct audio_clock clock = {0};
    ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 900), 900);
    ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 5000), 900 + LENGTH);
    ck_assert_int_eq(next(&clock, AUDIO_CLOCK_NONE, 900000), 900000);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("audio_clock");
    tcase_add_test(tc, unstamped_packets_follow);
    tcase_add_test(tc, stamps_correct);
    tcase_add_test(tc, pauses_stay);
    Suite *suite = suite_create("audio_clock");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}

#include "core/evaluation/localisation.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "tests/suite.h"

enum { MAX_SIDE = 12, MAX_PIXELS = MAX_SIDE * MAX_SIDE, MAX_FRAMES = 6 };

START_TEST(a_case_by_hand)
{
    /* Two frames of 4x4 with cells of 2x2 pixels. Frame 0 has two regions of one pixel each, at opposite corners. Frame 1
     * has one region, its lower half. */
    static const uint8_t mask0[16] = {255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255};
    static const uint8_t mask1[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    struct localisation *l;
    double auc = -1, rbdc = -1, tbdc = -1;

    ck_assert_int_eq(localisation_open(&l), 0);
    ck_assert_int_eq(localisation_pixel_auc(&auc, l), -EDOM);
    ck_assert_int_eq(localisation_rbdc(&rbdc, l), -EDOM);
    ck_assert_int_eq(localisation_add(l, (float[]){9, 2, 1, 3}, 2, 2, mask0, 4, 4), 0);
    ck_assert_int_eq(localisation_add(l, (float[]){8, 1, 4, 0}, 2, 2, mask1, 4, 4), 0);
    ck_assert_uint_eq(localisation_frames(l), 2);
    ck_assert_uint_eq(localisation_regions(l), 3);

    /* Abnormal pixels: one each of 9 and 3, four each of 4 and 0. Normal pixels: three of 9, four of 8, three of 3, four of
     * 2, eight of 1. */
    ck_assert_int_eq(localisation_pixel_auc(&auc, l), 0);
    ck_assert_double_eq_tol(auc, ((1.5 + 19) + (1.5 + 12) + 4 * 15 + 0) / (10 * 22), 1e-12);

    /* The threshold falls through the values. At 9 a corner is detected (1 of 4 pixels). 8 is a false positive. At 4 its region
     * grows and detects the half, with 4 of 12 pixels: no false positive remains. At 3 the region of 9 grows diagonally to 8
     * pixels, and both corners are detected. At 2 and 1 it grows to 12 and 16 pixels, and both are lost. So all three regions
     * are detected without a false positive. */
    ck_assert_int_eq(localisation_rbdc(&rbdc, l), 0);
    ck_assert_double_eq(rbdc, 1);

    /* The half continues the track of the lower corner, so there are two tracks. */
    ck_assert_uint_eq(localisation_tracks(l), 2);
    ck_assert_int_eq(localisation_tbdc(&tbdc, l), 0);
    ck_assert_double_eq(tbdc, 1);
    localisation_close(l);

    /* A false positive comes between the two detections. (A region of all 16 pixels does not detect one pixel.) */
    ck_assert_int_eq(localisation_open(&l), 0);
    ck_assert_int_eq(localisation_add(l, (float[16]){9, [10] = 7}, 4, 4, (uint8_t[16]){1}, 4, 4), 0);
    ck_assert_int_eq(localisation_add(l, (float[16]){0, 0, 5}, 4, 4, (uint8_t[16]){0, 0, 1}, 4, 4), 0);
    ck_assert_int_eq(localisation_rbdc(&rbdc, l), 0);
    ck_assert_double_eq(rbdc, 0.75);            /* 1 of 2 up to 0.5 false positives per frame, 2 of 2 up to 1 */
    ck_assert_int_eq(localisation_tbdc(&tbdc, l), 0);
    ck_assert_double_eq(tbdc, 0.75);            /* the two pixels do not overlap: two tracks */
    localisation_close(l);
}
END_TEST

/* Adds a clip of masks with one abnormal pixel. In the first `hits` maps that pixel is the highest. The other maps are
 * uniform, and a region of all 16 pixels does not detect one pixel. */
static void add_clip(struct localisation *l, int frames, int hits)
{
    localisation_begin_clip(l);
    for (int f = 0; f < frames; f++)
        ck_assert_int_eq(localisation_add(l, (float[16]){f < hits ? 9 : 0}, 1, 16, (uint8_t[16]){1}, 1, 16), 0);
}

static void check_clips(int clips, int frames, int hits, double tbdc)
{
    struct localisation *l;
    double figure = -1;

    ck_assert_int_eq(localisation_open(&l), 0);
    for (int i = 0; i < clips; i++)
        add_clip(l, frames, i == 0 ? hits : 0);
    ck_assert_uint_eq(localisation_tracks(l), clips);
    ck_assert_int_eq(localisation_tbdc(&figure, l), 0);
    ck_assert_double_eq_tol(figure, tbdc, 1e-12);
    ck_assert_int_eq(localisation_rbdc(&figure, l), 0);
    ck_assert_double_eq_tol(figure, (double)hits / (clips * frames), 1e-12);
    localisation_close(l);
}

START_TEST(a_tenth_of_a_track)
{
    check_clips(1, 10, 1, 1);                   /* 1 of 10 regions */
    check_clips(1, 11, 1, 0);
    check_clips(1, 20, 2, 1);
    check_clips(1, 21, 2, 0);
    check_clips(2, 10, 1, 0.5);                 /* the track of the second clip is missed */
}
END_TEST

START_TEST(tracks_end_with_their_clip)
{
    struct localisation *l;

    ck_assert_int_eq(localisation_open(&l), 0);
    add_clip(l, 2, 0);
    ck_assert_uint_eq(localisation_tracks(l), 1);
    ck_assert_int_eq(localisation_add(l, (float[16]){0}, 1, 16, (uint8_t[16]){1, 0, 1}, 1, 16), 0);
    ck_assert_uint_eq(localisation_tracks(l), 2);       /* one track goes on, one begins */
    ck_assert_int_eq(localisation_add(l, (float[16]){0}, 1, 16, (uint8_t[16]){0}, 1, 16), 0);
    ck_assert_int_eq(localisation_add(l, (float[16]){0}, 1, 16, (uint8_t[16]){1}, 1, 16), 0);
    ck_assert_uint_eq(localisation_tracks(l), 3);       /* both tracks ended at the empty mask */
    ck_assert_int_eq(localisation_add(l, (float[16]){0}, 1, 8, (uint8_t[8]){1}, 1, 8), 0);
    ck_assert_uint_eq(localisation_tracks(l), 4);       /* a mask of another size */
    localisation_close(l);
}
END_TEST

START_TEST(what_it_refuses)
{
    struct localisation *l;
    double figure = -1;

    ck_assert_int_eq(localisation_open(&l), 0);
    ck_assert_int_eq(localisation_add(l, (float[]){1, 2}, 1, 2, (uint8_t[]){1}, 1, 1), -EINVAL);
    ck_assert_int_eq(localisation_add(l, (float[]){1, NAN}, 1, 2, (uint8_t[]){1, 0}, 1, 2), -EDOM);
    ck_assert_uint_eq(localisation_frames(l), 0);
    ck_assert_int_eq(localisation_add(l, (float[]){1, 2}, 1, 2, (uint8_t[]){0, 0}, 1, 2), 0);
    ck_assert_int_eq(localisation_pixel_auc(&figure, l), -EDOM);
    ck_assert_int_eq(localisation_rbdc(&figure, l), -EDOM);
    ck_assert_int_eq(localisation_tbdc(&figure, l), -EDOM);
    ck_assert_double_eq(figure, -1);
    localisation_close(l);
    localisation_close(NULL);
}
END_TEST

/* ---- against brute force: every threshold, every pixel ------------------------------------------------------------- */

struct example {
    bool begins;                /* the frame begins a clip */
    int map_h, map_w, h, w;
    float map[MAX_PIXELS];
    uint8_t mask[MAX_PIXELS];
    int regions, region[MAX_PIXELS], track[MAX_PIXELS];         /* of the mask; track [regions] */
};

static float value_at(const struct example *e, int y, int x)
{
    return e->map[y * e->map_h / e->h * e->map_w + x * e->map_w / e->w];
}

static void spread(const struct example *e, const bool *set, int *out, int y, int x, int number)
{
    if (y < 0 || x < 0 || y >= e->h || x >= e->w || !set[y * e->w + x] || out[y * e->w + x])
        return;
    out[y * e->w + x] = number;
    for (int v = -1; v <= 1; v++)
        for (int u = -1; u <= 1; u++)
            spread(e, set, out, y + v, x + u, number);
}

static int components(const struct example *e, const bool *set, int *out)
{
    int n = 0;

    memset(out, 0, MAX_PIXELS * sizeof *out);
    for (int i = 0; i < e->h * e->w; i++)
        if (set[i] && !out[i])
            spread(e, set, out, i / e->w, i % e->w, ++n);
    return n;
}

/* The intersection and union of region j of a mask with component k of another picture of that size. */
static void compare(const struct example *e, int j, const int *components_of, int k, int *both, int *either)
{
    *both = *either = 0;
    for (int i = 0; i < e->h * e->w; i++) {
        *both += e->region[i] == j && components_of[i] == k;
        *either += e->region[i] == j || components_of[i] == k;
    }
}

/* Links the regions of a mask to those of the mask before (NULL: there is none). Each step links the best pair that is left. */
static void link_regions(struct example *e, const struct example *before, int *tracks)
{
    bool truth[MAX_PIXELS], taken[MAX_PIXELS + 1] = {false};

    for (int i = 0; i < e->h * e->w; i++)
        truth[i] = e->mask[i] != 0;
    e->regions = components(e, truth, e->region);
    for (int j = 0; j < e->regions; j++)
        e->track[j] = -1;
    while (before) {
        int best_both = 0, best_either = 1, best_j = 0, best_k = 0;

        for (int k = 1; k <= before->regions; k++)
            for (int j = 1; j <= e->regions; j++) {
                int both, either;

                compare(e, j, before->region, k, &both, &either);
                if (taken[k] || e->track[j - 1] >= 0 || both * best_either <= best_both * either)
                    continue;
                best_both = both;
                best_either = either;
                best_j = j;
                best_k = k;
            }
        if (!best_j)
            break;
        taken[best_k] = true;
        e->track[best_j - 1] = before->track[best_k - 1];
    }
    for (int j = 0; j < e->regions; j++)
        if (e->track[j] < 0)
            e->track[j] = (*tracks)++;
}

/* Adds to the counts. found: detected regions of each track. */
static void at_threshold(const struct example *e, float threshold, int *false_regions, int *detected, int *found)
{
    bool above[MAX_PIXELS], hit[MAX_PIXELS + 1] = {false};
    int b[MAX_PIXELS];

    for (int i = 0; i < e->h * e->w; i++)
        above[i] = value_at(e, i / e->w, i % e->w) >= threshold;
    int n_above = components(e, above, b);
    for (int k = 1; k <= n_above; k++) {
        bool any = false;

        for (int j = 1; j <= e->regions; j++) {
            int both, either;

            compare(e, j, b, k, &both, &either);
            if (10 * both >= either)
                any = hit[j] = true;
        }
        *false_regions += !any;
    }
    for (int j = 1; j <= e->regions; j++) {
        *detected += hit[j];
        found[e->track[j - 1]] += hit[j];
    }
}

START_TEST(agrees_with_brute_force)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;

    printf("test_localisation: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 300; round++) {
        static struct example e[MAX_FRAMES];
        static int lengths[MAX_FRAMES * MAX_PIXELS];            /* regions of each track */
        struct localisation *l;
        int frames = 1 + (int)rng_below(&rng, MAX_FRAMES), values = round % 3 ? 12 : 3, regions = 0, tracks = 0;
        int best[MAX_FRAMES + 1] = {0}, best_tracks[MAX_FRAMES + 1] = {0}, most = 0, most_tracks = 0;
        double wins = 0, pairs = 0, area = 0, area_tracks = 0, figure = -1;

        ck_assert_int_eq(localisation_open(&l), 0);
        for (int f = 0; f < frames; f++) {
            e[f].begins = f == 0 || rng_below(&rng, 4) == 0;
            e[f].h = e[f].begins ? 1 + (int)rng_below(&rng, MAX_SIDE) : e[f - 1].h;
            e[f].w = e[f].begins ? 1 + (int)rng_below(&rng, MAX_SIDE) : e[f - 1].w;
            e[f].map_h = 1 + (int)rng_below(&rng, (uint64_t)e[f].h);
            e[f].map_w = 1 + (int)rng_below(&rng, (uint64_t)e[f].w);
            for (int i = 0; i < MAX_PIXELS; i++) {
                e[f].map[i] = (float)rng_below(&rng, (uint64_t)values);
                e[f].mask[i] = rng_below(&rng, 4) == 0 ? 255 : 0;
            }
            if (e[f].begins)
                localisation_begin_clip(l);
            link_regions(&e[f], e[f].begins ? NULL : &e[f - 1], &tracks);
            regions += e[f].regions;
            ck_assert_int_eq(localisation_add(l, e[f].map, e[f].map_h, e[f].map_w, e[f].mask, e[f].h, e[f].w), 0);
        }
        memset(lengths, 0, sizeof lengths);
        for (int f = 0; f < frames; f++)
            for (int j = 0; j < e[f].regions; j++)
                lengths[e[f].track[j]]++;
        for (int t = values; t >= 0; t--) {
            static int found[MAX_FRAMES * MAX_PIXELS];
            int false_regions = 0, detected = 0, detected_tracks = 0;

            memset(found, 0, sizeof found);
            for (int f = 0; f < frames; f++)
                at_threshold(&e[f], (float)t, &false_regions, &detected, found);
            if (false_regions > frames)
                break;
            for (int i = 0; i < tracks; i++)
                detected_tracks += found[i] >= 0.1 * lengths[i];
            if (best[false_regions] < detected)
                best[false_regions] = detected;
            if (best_tracks[false_regions] < detected_tracks)
                best_tracks[false_regions] = detected_tracks;
        }
        for (int i = 0; i < frames; i++) {
            most = best[i] > most ? best[i] : most;
            most_tracks = best_tracks[i] > most_tracks ? best_tracks[i] : most_tracks;
            area += most;
            area_tracks += most_tracks;
        }
        ck_assert_uint_eq(localisation_regions(l), regions);
        ck_assert_uint_eq(localisation_tracks(l), tracks);
        ck_assert_int_eq(localisation_rbdc(&figure, l), regions ? 0 : -EDOM);
        if (regions)
            ck_assert_double_eq_tol(figure, area / frames / regions, 1e-12);
        ck_assert_int_eq(localisation_tbdc(&figure, l), regions ? 0 : -EDOM);
        if (regions)
            ck_assert_double_eq_tol(figure, area_tracks / frames / tracks, 1e-12);

        for (int f = 0; f < frames; f++)
            for (int i = 0; i < e[f].h * e[f].w; i++)
                for (int g = 0; e[f].mask[i] && g < frames; g++)
                    for (int j = 0; j < e[g].h * e[g].w; j++) {
                        float a = value_at(&e[f], i / e[f].w, i % e[f].w), b = value_at(&e[g], j / e[g].w, j % e[g].w);

                        if (e[g].mask[j])
                            continue;
                        pairs++;
                        wins += a > b ? 1 : a == b ? 0.5 : 0;
                    }
        ck_assert_int_eq(localisation_pixel_auc(&figure, l), pairs > 0 ? 0 : -EDOM);
        if (pairs > 0)
            ck_assert_double_eq_tol(figure, wins / pairs, 1e-12);
        localisation_close(l);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("localisation");
    TCase *tests = tcase_create("localisation");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_case_by_hand);
    tcase_add_test(tests, a_tenth_of_a_track);
    tcase_add_test(tests, tracks_end_with_their_clip);
    tcase_add_test(tests, what_it_refuses);
    tcase_add_test(tests, agrees_with_brute_force);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}

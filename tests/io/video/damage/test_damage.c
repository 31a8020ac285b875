/* Measures which share of damaged pictures is flagged, by codec and kind of damage. Streams are encoded, damaged by a fixed
 * script, decoded, and compared with the undamaged stream picture by picture. `test_damage table` prints the table of
 * docs/figures.md. */
#include <check.h>
#include <libavutil/frame.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/video/damage/h264.h"
#include "io/video/damage/hevc.h"
#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/io/video/reading.h"

enum { WIDTH = 128, HEIGHT = 96, SIZE = WIDTH * HEIGHT, N = 100, GOP = 20 };

/* A picture is damaged if a pixel is off by more than this. Less is not seen, and moves no score. */
enum { VISIBLE = 4 };

static const struct codec {
    const char *name, *options, *file;
    bool needed;                /* the encoder is always there; without the encoder, others are left out */
} codecs[] = {
    {"H.264", "-c:v libx264 -g 20 -threads 2", "mkv", true},
    {"H.264, open GOPs",
     "-c:v libx264 -g 20 -threads 2 -x264-params open-gop=1:keyint=20:min-keyint=20:scenecut=0:b-pyramid=normal", "mkv", true},
    {"HEVC", "-c:v libx265 -x265-params log-level=none:keyint=20:min-keyint=20:scenecut=0", "mkv", true},
    {"HEVC, closed GOPs", "-c:v libx265 -x265-params log-level=none:keyint=20:min-keyint=20:scenecut=0:open-gop=0:ref=4", "mp4",
     true},
    {"HEVC, no B-frames",
     "-c:v libx265 -x265-params log-level=none:keyint=20:min-keyint=20:scenecut=0:bframes=0:repeat-headers=1", "ts", true},
    {"MPEG-4", "-c:v mpeg4 -g 20 -b:v 400k", "mkv", true},
    {"MPEG-4, B-frames", "-c:v mpeg4 -g 20 -bf 2 -b:v 400k", "mkv", true},
    {"Motion JPEG", "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p", "mkv", true},
    {"AV1, SVT-AV1", "-c:v libsvtav1 -g 20", "mkv", false},
    {"AV1, libaom for real time", "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 20 -lag-in-frames 0", "mkv", false},
};
enum { CODECS = sizeof codecs / sizeof *codecs, HEVC = 2, MPEG4 = 5, JPEG = 7 };

enum kind { CLEAN, MIDDLE, ONE_LOST, KEY_LOST, SOME_LOST, BYTES, TRANSPORT, KINDS };
static const char *const kinds[KINDS] = {
    "nothing", "begins in mid-GOP", "one picture lost", "a key frame lost", "3 % of pictures lost", "bytes altered in a picture",
    "3 % of MPEG-TS packets lost",
};
enum { ROUNDS = 6 };            /* for kinds of damage that can be at several places */

struct tally {
    int damaged, caught, whole, flagged;        /* pictures; caught: flagged of the damaged; flagged: of the whole */
};

struct watch {
    uint8_t pixels[N][SIZE];
    bool there[N];
    int order[2 * N], n;            /* of the pictures, as they came */
    int num, den;
};

static void on_stream(void *arg, const struct source_stream *stream)
{
    struct watch *w = arg;
    w->num = stream->time_base_num;
    w->den = stream->time_base_den;
}

/* All streams have 10 pictures a second and begin at `start` s, so a picture's time is its index. */
static double start_s, first_s;        /* first_s: the first time of the clip that was read last */

static void on_frame(void *arg, const struct AVFrame *frame, const struct source_frame *info)
{
    struct watch *w = arg;
    (void)info;
    double at_s = (double)frame->best_effort_timestamp * w->num / w->den;
    int i = (int)lround((at_s - start_s) * 10);
    first_s = w->n == 0 ? at_s : first_s;
    ck_assert_int_lt(w->n, 2 * N);
    w->order[w->n++] = i;
}

static struct watch whole, bad;
static bool corrupt[N];

static void read_clip(const char *name, struct watch *w)
{
    static uint8_t pixels[SIZE];
    const struct source_options options = {.width = WIDTH, .height = HEIGHT, .decoder_threads = 2,
                                           .tap = {.arg = w, .stream = on_stream, .frame = on_frame}};
    struct source *source;
    struct error err = {0};
    struct source_frame frame;
    memset(w->there, 0, sizeof w->there);
    w->n = 0;
    if (source_open(&source, clip_path(name), &options, &err) < 0)      /* no picture of it can be decoded */
        return;
    while (source_read(source, pixels, &frame, &err) == 1) {
        int i = w->order[w->n - 1];
        if (i < 0 || i >= N || w->there[i])
            continue;
        w->there[i] = true;
        corrupt[i] = frame.corrupt;
        memcpy(w->pixels[i], pixels, SIZE);
    }
    source_close(source);
}

static bool looks_damaged(int i)
{
    for (int k = 0; k < SIZE; k++)
        if (abs(whole.pixels[i][k] - bad.pixels[i][k]) > VISIBLE)
            return true;
    return false;
}

/* Drops 3 of 100 packets of an MPEG-TS, but none of its tables at the beginning. */
static void drop_transport(const char *from, const char *to, unsigned seed)
{
    size_t size, n = 0;
    uint8_t *data = clip_read(from, &size);
    unsigned state = seed * 2654435761u + 1;
    for (size_t at = 0; at + 188 <= size; at += 188) {
        state = state * 1664525u + 1013904223u;
        if (at > 188 * 12 && (state >> 16) % 100 < 3)
            continue;
        memmove(data + n, data + at, 188);
        n += 188;
    }
    clip_write(to, data, n);
    free(data);
}

/* Writes the damaged stream. Returns false if the codec has no such stream. */
static bool spoil(const struct codec *codec, enum kind kind, int round, char *name, size_t size)
{
    char clean[64], filter[256];
    int at = GOP + 3 + 7 * round;
    snprintf(clean, sizeof clean, "clean.%s", codec->file);
    snprintf(name, size, "bad.%s", codec->file);
    switch (kind) {
    case CLEAN:
        snprintf(name, size, "%s", clean);
        return round == 0;
    case MIDDLE:
        snprintf(filter, sizeof filter, "noise=drop='lt(n\\,%d)'", 3 + 2 * round);
        break;
    case ONE_LOST:
        snprintf(filter, sizeof filter, "noise=drop='eq(n\\,%d)'", at);
        break;
    case KEY_LOST:
        snprintf(filter, sizeof filter, "noise=drop='eq(n\\,%d)'", GOP * (1 + round));
        if (round == 4)
            return false;
        break;
    case SOME_LOST:
        snprintf(filter, sizeof filter, "noise=drop='lt(abs(mod(sin((n+1)*12.9898+%d)*43758.5453\\,1))\\,0.03)'", round);
        break;
    case BYTES:
        snprintf(filter, sizeof filter, "noise=amount='if(eq(n\\,%d)\\,%d\\,0)'", at, 40 + 30 * round);
        break;
    default:                    /* the last kind, because it moves the start */
        if (strcmp(codec->name, "Motion JPEG") == 0 || strncmp(codec->name, "AV1", 3) == 0)
            return false;
        clips_ffmpeg("-fflags +genpts -i @/%s -c copy %s -muxdelay 0 -muxpreload 0 @/clean-ts.ts", clean,
                     strncmp(codec->name, "MPEG-4", 6) == 0 ? "-bsf:v dump_extra=freq=k" : "");
        start_s = 0;
        read_clip("clean-ts.ts", &bad);
        start_s = first_s;
        drop_transport("clean-ts.ts", "bad-ts.ts", (unsigned)round);
        snprintf(name, size, "bad-ts.ts");
        return true;
    }
    clips_ffmpeg("-copyts -i @/%s -c copy -muxdelay 0 -muxpreload 0 -copyinkf -bsf:v \"%s\" @/%s 2>/dev/null", clean, filter,
                 name);
    return true;
}

/* Makes the clean stream. Returns false if there is no encoder for it. */
static bool encode(const struct codec *codec)
{
    char command[128], encoder[32] = "";
    sscanf(codec->options, "-c:v %31s", encoder);
    snprintf(command, sizeof command, "ffmpeg -v error -h encoder=%s 2>&1 | grep -q '^Encoder'", encoder);
    if (!codec->needed && system(command) != 0)
        return false;
    clips_ffmpeg("-f lavfi -i testsrc2=s=%dx%d:r=10:d=%d -pix_fmt yuv420p %s -muxdelay 0 -muxpreload 0 @/clean.%s 2>/dev/null",
                 WIDTH, HEIGHT, N / 10, codec->options, codec->file);
    return true;
}

static struct tally measure(const struct codec *codec, enum kind kind)
{
    struct tally t = {0};
    char name[64];
    for (int round = 0; round < ROUNDS && spoil(codec, kind, round, name, sizeof name); round++) {
        read_clip(name, &bad);
        for (int i = 0; i < N; i++) {
            if (!bad.there[i])
                continue;
            bool damaged = looks_damaged(i);
            t.damaged += damaged;
            t.caught += damaged && corrupt[i];
            t.whole += !damaged;
            t.flagged += !damaged && corrupt[i];
            if (getenv("MEMAED_DAMAGE_TRACE") && damaged != corrupt[i])
                printf("# %s, %s, round %d, picture %d: damaged %d, flagged %d\n", codec->name, kinds[kind], round, i, damaged,
                       corrupt[i]);
        }
    }
    return t;
}

static bool begin(const struct codec *codec)
{
    char name[64];
    if (!encode(codec))
        return false;
    snprintf(name, sizeof name, "clean.%s", codec->file);
    start_s = 0;
    read_clip(name, &whole);
    start_s = first_s;
    read_clip(name, &whole);
    return true;
}

START_TEST(table)
{
    for (int c = 0; c < CODECS; c++) {
        if (!begin(&codecs[c]))
            continue;
        for (int k = 0; k < KINDS; k++) {
            struct tally t = measure(&codecs[c], (enum kind)k);
            if (t.damaged + t.whole > 0)
                printf("| %s | %s | %d of %d | %d of %d |\n", codecs[c].name, kinds[k], t.caught, t.damaged, t.flagged, t.whole);
            fflush(stdout);
        }
    }
}
END_TEST

/* In streams whose every picture is there, no picture is flagged, whatever the codec and the structure of GOPs. */
START_TEST(whole_streams_have_no_flag)
{
    const struct codec *codec = &codecs[_i];
    if (!begin(codec))
        return;
    ck_assert_int_eq(whole.n, N);
    for (int i = 0; i < N; i++)
        ck_assert_msg(whole.there[i] && !corrupt[i], "%s, picture %d", codec->name, i);
}
END_TEST

/* Of the H.264 and HEVC pictures that are predicted from a missing one, at least 98 of 100 are flagged. A loss flags few whole
 * pictures: flags that last for two GOPs would fail. */
START_TEST(what_follows_a_lost_picture_is_flagged)
{
    static const enum kind lost[] = {MIDDLE, ONE_LOST, SOME_LOST};
    const struct codec *codec = &codecs[_i];
    ck_assert(begin(codec));
    for (size_t k = 0; k < sizeof lost / sizeof *lost; k++) {
        struct tally t = measure(codec, lost[k]);
        ck_assert_int_gt(t.damaged, 25);
        ck_assert_msg(100 * t.caught >= 98 * t.damaged && 100 * t.flagged <= 2 * t.whole,
                      "%s, %s: %d of %d, and %d of %d whole ones", codec->name, kinds[lost[k]], t.caught, t.damaged, t.flagged,
                      t.whole);
    }
}
END_TEST

START_TEST(lost_packets_of_a_transport_stream)
{
    const struct codec *codec = &codecs[_i];
    ck_assert(begin(codec));
    struct tally t = measure(codec, TRANSPORT);
    ck_assert_int_gt(t.damaged, 100);
    ck_assert_msg(100 * t.caught >= 90 * t.damaged, "%s: %d of %d, and %d of %d whole ones", codec->name, t.caught, t.damaged,
                  t.flagged, t.whole);
}
END_TEST

START_TEST(mpeg4_before_the_first_key_frame)
{
    for (int c = MPEG4; c < JPEG; c++) {
        ck_assert(begin(&codecs[c]));
        struct tally t = measure(&codecs[c], MIDDLE);
        ck_assert_int_gt(t.damaged, 25);
        ck_assert_int_eq(t.caught, t.damaged);
        ck_assert_int_eq(t.flagged, 0);
    }
}
END_TEST

static unsigned chance(unsigned *state)
{
    return (*state = *state * 1664525u + 1013904223u) >> 8;
}

/* Headers of any content give a result. Sanitizers see reads outside of them. */
START_TEST(broken_headers)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x64:r=10:d=3 -pix_fmt yuv420p -c:v libx265 -x265-params "
                 "log-level=none:scaling-list=default @/h.hevc 2>/dev/null");
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x64:r=10:d=3 -pix_fmt yuv420p -c:v libx264 -x264-params cqm=jvt @/h.h264");
    unsigned state = 5;
    for (int round = 0; round < 400; round++) {
        size_t size;
        uint8_t *data = clip_read(round % 2 ? "h.hevc" : "h.h264", &size);
        size = chance(&state) % 4 ? size : chance(&state) % size;
        for (unsigned i = 0, n = chance(&state) % 200; i < n && size; i++)
            data[chance(&state) % (i % 2 ? size : size < 200 ? size : 200)] = (uint8_t)chance(&state);
        uint8_t *exact = malloc(size ? size : 1);       /* the block ends where the data end */
        memcpy(exact, data, size);
        struct hevc *hevc;
        struct h264 *h264;
        ck_assert(hevc_open(&hevc, round % 3 ? NULL : exact, size) == 0 && h264_open(&h264, round % 3 ? NULL : exact, size) == 0);
        if (size && round % 5 == 0)
            exact[0] = 1;                               /* as an avcC or hvcC */
        hevc_extradata(hevc, exact, size);
        hevc_packet(hevc, exact, size, false);
        h264_extradata(h264, exact, size);
        h264_packet(h264, exact, size, false);
        hevc_close(hevc);
        h264_close(h264);
        free(exact);
        free(data);
    }
}
END_TEST

int main(int argc, char **argv)
{
    bool clips = clips_open(), print = argc > 1 && strcmp(argv[1], "table") == 0;
    source_set_log(NULL);
    TCase *tc = tcase_create("damage");
    if (clips && print)
        tcase_add_test(tc, table);
    if (clips && !print) {
        tcase_add_loop_test(tc, whole_streams_have_no_flag, 0, CODECS);
        tcase_add_loop_test(tc, what_follows_a_lost_picture_is_flagged, 0, MPEG4);
        tcase_add_loop_test(tc, lost_packets_of_a_transport_stream, 0, JPEG);
        tcase_add_test(tc, mpeg4_before_the_first_key_frame);
        tcase_add_test(tc, broken_headers);
    }
    return run_case(tc, "damage");
}

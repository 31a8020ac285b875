/* io/reencode: copies of clips in H.264 play, have the clip's pictures and times, and show nothing that a mask covers. */
#include <errno.h>
#include <stdlib.h>

#include "io/reencode/copy_file.h"
#include "io/reencode/encoder.h"
#include "tests/io/video/packets/packets.h"

/* Footage of 160 x 120 with a lime patch at x 96 to 128, y 64 to 96. */
#define FOOTAGE "-f lavfi -i testsrc2=s=160x120:r=25:d=6 -vf format=yuv420p,hue=s=0,drawbox=96:64:32:32:lime:fill,format=%s "
static const struct privacy mask = {.n = 1, .areas = {{4, {{0.57f, 0.5f}, {0.83f, 0.5f}, {0.83f, 0.84f}, {0.57f, 0.84f}}}}};

static int copy_of(const char *from, const char *to, const struct copy_file_options *options, struct clip_file_stats *stats,
                   bool *cut, struct error *err)
{
    int in = open(clip_path(from), O_RDONLY | O_CLOEXEC), out = create_clip(to);
    ck_assert_int_ge(in, 0);
    int r = copy_file(in, out, options, stats, cut, err);
    close(in);
    close(out);
    return r;
}

static struct clip_file_stats copied(const char *from, const char *to, const struct privacy *privacy)
{
    const struct copy_file_options options = {.reencode = {.privacy = privacy, .longest = 1920}, .length_us = INT64_C(60000000)};
    struct clip_file_stats stats;
    struct error err = {""};
    bool cut;
    ck_assert_msg(copy_of(from, to, &options, &stats, &cut, &err) == 0, "%s: %s", from, err.text);
    ck_assert(!cut);
    return stats;
}

/* The output of ffprobe for the video: the values alone. */
static const char *probed(const char *name, const char *entries)
{
    static char text[1 << 16];
    char command[512];
    snprintf(command, sizeof command, "ffprobe -v warning -count_packets -select_streams v -show_entries %s -of csv=p=0 "
             "@/%s 2>&1", entries, name);
    run_command(text, sizeof text, command);
    return text;
}

/* The likeness of two videos' pictures (PSNR), in dB. */
static int psnr(const char *a, const char *b)
{
    char command[512], text[256];
    snprintf(command, sizeof command, "ffmpeg -nostdin -hide_banner -i @/%s -i @/%s -lavfi '[0][1]psnr' -f null - 2>&1 | "
             "sed -n 's/.*average:\\([0-9]*\\).*/\\1/p'", a, b);
    run_command(text, sizeof text, command);
    return atoi(text);
}

/* The number of lime pixels in all pictures. */
static size_t lime_of(const char *name)
{
    size_t size, n = 0;
    clips_ffmpeg("-i @/%s -f rawvideo -pix_fmt rgb24 @/pixels", name);
    uint8_t *rgb = clip_read("pixels", &size);
    for (size_t i = 0; i + 2 < size; i += 3)
        n += rgb[i] < 90 && rgb[i + 1] > 120 && rgb[i + 2] < 90;
    free(rgb);
    return n;
}

/* The number of samples of luma and chroma under the mask that are not black, in all pictures of 160 x 120. */
static size_t unmasked_of(const char *name)
{
    size_t size, n = 0;
    const size_t luma = 160 * 120, picture = luma * 3 / 2;
    clips_ffmpeg("-i @/%s -f rawvideo -pix_fmt yuv420p @/pixels", name);
    uint8_t *yuv = clip_read("pixels", &size);
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_eq(size % picture, 0);
    for (const uint8_t *at = yuv; at < yuv + size; at += picture)
        for (size_t y = 60; y < 100; y++)
            for (size_t x = 92; x < 132; x++) {
                const uint8_t *colour = at + luma + (y / 2) * 80 + x / 2;
                n += at[y * 160 + x] > 24 || abs(colour[0] - 128) > 6 || abs(colour[luma / 4] - 128) > 6;
            }
    free(yuv);
    return n;
}

/* Each codec that cameras send, with its pixel format and FFmpeg's options. */
static const struct { const char *name, *format, *options; } sources[] = {
    {"h264.mp4", "yuv420p", "-c:v libx264 -preset ultrafast -bf 2 -g 50"},
    {"hevc.mp4", "yuv420p", "-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1"},
    {"ten.mp4", "yuv420p10le", "-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1"},
    {"mjpeg.mkv", "yuvj422p", "-c:v mjpeg -q:v 3"},
    {"mpeg4.mp4", "yuv420p", "-c:v mpeg4 -q:v 3 -bf 1"},
};

START_TEST(pictures_and_times)
{
    const char *name = sources[_i].name;
    clips_ffmpeg(FOOTAGE "%s @/%s", sources[_i].format, sources[_i].options, name);
    struct clip_file_stats stats = copied(name, "copy.mp4", NULL);
    ck_assert_uint_eq(stats.packets, 150);
    ck_assert_int_eq(stats.duration_us, 6000000);
    ck_assert_uint_eq(stats.repaired, 0);
    ck_assert_msg(strncmp(stats.codecs, "avc1.", 5) == 0, "%s", stats.codecs);
    ck_assert_str_eq(probed("copy.mp4", "stream=codec_name,width,height,pix_fmt,color_range,nb_read_packets"),
                     "h264,160,120,yuv420p,tv,150\n");
    ck_assert_str_eq(probed("copy.mp4", "format=duration"), "6.000000\n");
    ck_assert_uint_gt(lime_of("copy.mp4"), 150 * 900);
    /* The pictures are much the same, each at its time. */
    ck_assert_int_ge(psnr("copy.mp4", name), 30);
}
END_TEST

START_TEST(masks_are_burned_in)
{
    const char *name = sources[_i].name;
    clips_ffmpeg(FOOTAGE "%s @/%s", sources[_i].format, sources[_i].options, name);
    ck_assert_uint_gt(lime_of(name), 150 * 900);
    ck_assert_uint_gt(unmasked_of(name), 150 * 900);
    copied(name, "masked.mp4", &mask);
    ck_assert_uint_eq(lime_of("masked.mp4"), 0);
    ck_assert_uint_eq(unmasked_of("masked.mp4"), 0);
}
END_TEST

/* A stream says that it is turned by 90°. The copy's pixels are upright, and the mask lies where a viewer sees it. */
START_TEST(turned)
{
    clips_ffmpeg(FOOTAGE "-c:v libx264 -preset ultrafast @/flat.mp4", "yuv420p");
    clips_ffmpeg("-i @/flat.mp4 -c copy -metadata:s:v:0 rotate=90 @/turned.mp4");
    copied("turned.mp4", "copy.mp4", NULL);
    ck_assert_str_eq(probed("copy.mp4", "stream=width,height:stream_side_data"), "120,160\n");
    size_t lime = lime_of("turned.mp4");        /* ffmpeg turns it */
    ck_assert_uint_gt(lime, 150 * 900);
    ck_assert_uint_gt(lime_of("copy.mp4"), lime * 9 / 10);
    ck_assert_int_ge(psnr("copy.mp4", "turned.mp4"), 30);
    /* A turn can bring the patch to four places. A mask over one of them covers it, and masks over the others do not. */
    int covered = 0;
    for (int place = 0; place < 4; place++) {
        float x = place & 1 ? 0.5f : 0.16f, y = place & 2 ? 0.56f : 0.16f;
        const struct polygon area = {4, {{x, y}, {x + 0.34f, y}, {x + 0.34f, y + 0.28f}, {x, y + 0.28f}}};
        copied("turned.mp4", "masked.mp4", &(struct privacy){.n = 1, .areas = {area}});
        size_t seen = lime_of("masked.mp4");
        ck_assert_msg(seen == 0 || seen > lime * 9 / 10, "place %d: %zu of %zu", place, seen, lime);
        covered += seen == 0;
    }
    ck_assert_int_eq(covered, 1);
}
END_TEST

/* Odd sides, pixels that are not square, and a picture that is larger than a copy. */
START_TEST(sizes)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=161x121:r=25:d=1 -pix_fmt yuv444p -c:v libx264 @/odd.mp4");
    copied("odd.mp4", "copy.mp4", NULL);
    ck_assert_str_eq(probed("copy.mp4", "stream=width,height"), "160,120\n");
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=1 -vf setsar=3/2 -pix_fmt yuv420p -c:v libx264 @/wide.mp4");
    copied("wide.mp4", "copy.mp4", NULL);
    ck_assert_str_eq(probed("copy.mp4", "stream=width,height,sample_aspect_ratio"), "240,120,1:1\n");
    clips_ffmpeg("-f lavfi -i testsrc2=s=2560x1920:r=5:d=1 -pix_fmt yuv420p -c:v libx264 -preset ultrafast @/large.mp4");
    copied("large.mp4", "copy.mp4", NULL);
    ck_assert_str_eq(probed("copy.mp4", "stream=width,height"), "1920,1440\n");
}
END_TEST

START_TEST(long_clips_are_cut)
{
    const struct copy_file_options options = {.reencode.longest = 1920, .length_us = 2000000};
    struct clip_file_stats stats;
    struct error err = {""};
    bool cut = false;
    clips_ffmpeg(FOOTAGE "-c:v libx264 -preset ultrafast @/long.mp4", "yuv420p");
    ck_assert_int_eq(copy_of("long.mp4", "copy.mp4", &options, &stats, &cut, &err), 0);
    ck_assert(cut);
    ck_assert_int_ge(stats.duration_us, 1900000);
    ck_assert_int_le(stats.duration_us, 2100000);
}
END_TEST

/* The hole that a lost camera has left in a clip keeps its length. So times agree with those of the clip. */
START_TEST(holes_stay)
{
    clips_ffmpeg(FOOTAGE "-c:v libx264 -preset ultrafast @/whole.mkv", "yuv420p");
    clips_ffmpeg("-i @/whole.mkv -vf 'setpts=PTS+gte(N\\,75)*10/TB' -fps_mode passthrough -c:v libx264 -preset ultrafast "
                 "@/hole.mkv");
    struct clip_file_stats stats = copied("hole.mkv", "copy.mp4", NULL);
    ck_assert_int_ge(stats.duration_us, 15900000);
    ck_assert_int_le(stats.duration_us, 16100000);
}
END_TEST

START_TEST(faults_are_told)
{
    struct copy_file_options options = {.reencode.longest = 1920, .length_us = INT64_MAX};
    struct clip_file_stats stats = {.bytes = 7};
    struct error err = {""};
    bool cut;
    clip_write("garbage.mp4", "this is no video, and nobody will find a stream in it", 53);
    ck_assert_int_lt(copy_of("garbage.mp4", "copy.mp4", &options, &stats, &cut, &err), 0);
    ck_assert_int_eq(stats.bytes, 7);
    clips_ffmpeg(FOOTAGE "-c:v libx264 -preset ultrafast @/whole.mp4", "yuv420p");
    atomic_bool stop = true;
    options.stop = &stop;
    ck_assert_int_eq(copy_of("whole.mp4", "copy.mp4", &options, &stats, &cut, &err), -EINTR);
    options.stop = NULL;
    /* Nothing can be written to /dev/full. */
    int in = open(clip_path("whole.mp4"), O_RDONLY | O_CLOEXEC), out = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(copy_file(in, out, &options, &stats, &cut, &err), -ENOSPC);
    ck_assert_msg(strstr(err.text, "No space left"), "%s", err.text);
    close(in);
    close(out);
    ck_assert_int_eq(stats.bytes, 7);
}
END_TEST

/* With a mask, damaged pictures are left out: what the mask covers may appear at another place in them. */
START_TEST(damage)
{
    size_t size;
    clips_ffmpeg(FOOTAGE "-c:v libx264 -preset ultrafast -g 25 @/sound.mkv", "yuv420p");
    uint8_t *bytes = clip_read("sound.mkv", &size);
    for (size_t i = size / 3; i < size / 2; i += 97)
        bytes[i] ^= 0x5a;
    clip_write("damaged.mkv", bytes, size);
    free(bytes);
    struct clip_file_stats stats = copied("damaged.mkv", "copy.mp4", &mask);
    ck_assert_uint_ge(stats.packets, 60);
    ck_assert_uint_le(stats.packets, 140);
    ck_assert_str_eq(probed("copy.mp4", "stream=codec_name"), "h264\n");
    ck_assert_uint_eq(lime_of("copy.mp4"), 0);
    ck_assert_uint_eq(unmasked_of("copy.mp4"), 0);
}
END_TEST

/* Packets come as a camera sends them. Each is in the file soon after, and the file plays so far. */
START_TEST(live)
{
    struct reencode *reencode;
    struct error err = {""};
    struct clip_file_stats stats;
    clips_ffmpeg(FOOTAGE "-c:v libx265 -preset ultrafast -x265-params log-level=none @/live.mkv", "yuv420p");
    read_packets(clip_path("live.mkv"));
    int fd = create_clip("live.mp4");
    const struct reencode_options options = {.privacy = &mask, .longest = 1920, .live = true};
    ck_assert_msg(reencode_open(&reencode, fd, packets[0]->stream, NULL, &options, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < 100; i++)
        ck_assert_msg(reencode_add(reencode, packets[i], &err) == 0, "%s", err.text);
    reencode_stats(reencode, &stats);
    ck_assert_uint_ge(stats.packets, 80);
    ck_assert_uint_eq(lime_of("live.mp4"), 0);
    ck_assert_int_ge(atoi(probed("live.mp4", "stream=nb_read_packets")), 80);
    ck_assert_int_eq(reencode_close(reencode, &stats, &err), 0);
    ck_assert_uint_eq(stats.packets, 100);
    close(fd);
    free_packets();
}
END_TEST

/* ---- audio ------------------------------------------------------------------------------------------------------------ */

static const struct { const char *name, *options, *codecs, *found; } sounds[] = {
    {"aac.mkv", "-c:a aac", "mp4a.40.2", "aac"},
    {"mp3.mkv", "-c:a libmp3lame", "mp4a.6b", "mp3"},
    {"opus.mkv", "-c:a libopus", "opus", "opus"},
};

/* Audio that browsers do not play, or that MP4 does not hold. rate, channels: of the AAC. */
static const struct { const char *name, *options; int rate, channels; } other_sounds[] = {
    {"g711.mkv", "-c:a pcm_alaw -ar 8000 -ac 1", 8000, 1},
    {"g711u.mkv", "-c:a pcm_mulaw -ar 8000 -ac 1", 8000, 1},
    {"g722.mkv", "-c:a g722 -ar 16000 -ac 1", 16000, 1},
    {"g726.mkv", "-c:a g726 -b:a 32k -ar 8000 -ac 1", 8000, 1},
    {"mp2.mkv", "-c:a mp2 -ac 2", 48000, 2},
    {"pcm.mkv", "-c:a pcm_s16le -ar 10000 -ac 2", 48000, 2},    /* a rate that AAC does not have */
    {"ac3.mkv", "-c:a ac3 -ac 6", 48000, 2},
};

/* The hashes of a file's audio packets, a line each; "": there is no audio. */
static void hash_audio(char *text, size_t size, const char *name)
{
    char command[512];
    snprintf(command, sizeof command, "ffprobe -v error -select_streams a -show_packets -show_data_hash crc32 "
             "-show_entries packet=data_hash -of csv=p=0 @/%s | grep -o 'CRC32:[0-9a-f]*'", name);
    run_command(text, size, command);
}

static void check_codecs(const char *name, const char *audio, const struct clip_file_stats *stats)
{
    const char *comma = strchr(stats->codecs, ',');
    ck_assert_msg(strncmp(stats->codecs, "avc1.", 5) == 0, "%s", stats->codecs);
    ck_assert_msg(comma && strcmp(comma + 1, audio) == 0, "%s: %s", name, stats->codecs);
}

/* The audio of `to` is that of `from`, packet by packet, but some may be missing at either end. */
static void check_audio(const char *from, const char *to, const char *codecs, const char *found,
                        const struct clip_file_stats *stats)
{
    static char before[1 << 16], after[1 << 16], text[1 << 12];
    char command[512];
    hash_audio(before, sizeof before, from);
    hash_audio(after, sizeof after, to);
    check_codecs(to, codecs, stats);
    snprintf(command, sizeof command, "ffprobe -v error -select_streams a -show_entries stream=codec_name -of csv=p=0 @/%s", to);
    run_command(text, sizeof text, command);
    text[strcspn(text, "\n")] = 0;
    ck_assert_str_eq(text, found);
    ck_assert_uint_gt(strlen(before), 0);
    ck_assert_uint_ge(strlen(after) + 4 * 15, strlen(before));
    ck_assert_msg(strstr(before, after) != NULL, "%s: %.200s", to, after);
    /* Audio and video end together. */
    snprintf(command, sizeof command, "ffprobe -v error -show_entries packet=stream_index,pts_time -of csv=p=0 @/%s | "
             "sort -t, -k1,1n -k2,2n | awk -F, '{t[$1] = $2} END {print t[0] - t[1]}'", to);
    run_command(text, sizeof text, command);
    ck_assert_msg(atof(text) > -0.15 && atof(text) < 0.15, "%s: %s", to, text);
}

static void film_sound(const char *name, const char *options)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=6,hue=s=0 -f lavfi -i anoisesrc=d=6:r=48000:a=0.3 -pix_fmt yuv420p "
                 "-c:v libx264 -preset ultrafast -bf 2 -g 50 %s @/%s", options, name);
}

START_TEST(copies_have_the_audio)
{
    const char *name = sounds[_i].name;
    film_sound(name, sounds[_i].options);
    struct clip_file_stats stats = copied(name, "copy.mp4", &mask);
    ck_assert_uint_eq(stats.packets, 150);
    ck_assert_uint_eq(stats.audio_lost, 0);
    check_audio(name, "copy.mp4", sounds[_i].codecs, sounds[_i].found, &stats);
}
END_TEST

/* Few pictures a second wait long in the encoder, and the audio beside them waits, too. */
START_TEST(slow_pictures_keep_the_audio)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=1:d=60 -f lavfi -i sine=f=400:r=48000:d=60 -pix_fmt yuv420p -c:v libx264 "
                 "-preset ultrafast -g 10 -c:a aac @/slow.mkv");
    struct clip_file_stats stats = copied("slow.mkv", "copy.mp4", NULL);
    ck_assert_uint_eq(stats.packets, 60);
    ck_assert_uint_eq(stats.audio_lost, 0);
    ck_assert_uint_ge(stats.audio_packets, 60 * 48000 / 1024 - 60);
}
END_TEST

/* Makes masked.mp4 of a file, as the packets of a camera come. */
static struct clip_file_stats masked_clip(const char *name)
{
    struct reencode *reencode;
    struct error err = {""};
    struct clip_file_stats stats;
    with_audio = true;
    read_packets(clip_path(name));
    with_audio = false;
    const struct packet_stream *audio = NULL;
    for (size_t i = 0; i < n_packets && !audio; i++)
        audio = packets[i]->times.audio ? packets[i]->stream : NULL;
    ck_assert_ptr_nonnull(audio);
    int fd = create_clip("masked.mp4");
    const struct reencode_options options = {.privacy = &mask, .longest = 1920, .live = true};
    ck_assert_msg(reencode_open(&reencode, fd, packets[0]->stream, audio, &options, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < n_packets; i++)
        ck_assert_msg(reencode_add(reencode, packets[i], &err) == 0, "%s", err.text);
    ck_assert_msg(reencode_close(reencode, &stats, &err) == 0, "%s", err.text);
    close(fd);
    free_packets();
    return stats;
}

START_TEST(masked_clips_have_the_audio)
{
    const char *name = sounds[_i].name;
    film_sound(name, sounds[_i].options);
    struct clip_file_stats stats = masked_clip(name);
    ck_assert_uint_eq(stats.packets, 150);
    ck_assert_uint_eq(unmasked_of("masked.mp4"), 0);
    check_audio(name, "masked.mp4", sounds[_i].codecs, sounds[_i].found, &stats);
}
END_TEST

/* Six seconds in which a tone sounds from 1 to 2 s and from 4 to 5 s; with a hole, also nothing at all from 2.5 to 3.5 s. */
static void film_tones(const char *name, const char *options, bool hole)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=6,hue=s=0 -f lavfi -i \"aevalsrc='0.5*sin(2*PI*440*t)*"
                 "(between(t\\,1\\,2)+between(t\\,4\\,5))':d=6:s=48000\" -pix_fmt yuv420p -c:v libx264 -preset ultrafast "
                 "-bf 2 -g 50 %s @/%s", options, name);
    if (hole)
        clips_ffmpeg("-i @/%s -c copy -bsf:a \"noise=drop='between(pts*tb\\,2.5\\,3.5)'\" @/hole.mkv", name);
}

/* The file's audio is AAC, and its tones begin and end at their times. The encoder's first block lies before the first picture, so
 * the beginning may lack as much. */
static void check_tones(const char *name, int rate, int channels, const struct clip_file_stats *stats)
{
    char text[1 << 12], command[512], expected[64];
    check_codecs(name, "mp4a.40.2", stats);
    snprintf(command, sizeof command,
             "ffprobe -v error -select_streams a -show_entries stream=codec_name,sample_rate,channels -of csv=p=0 @/%s", name);
    run_command(text, sizeof text, command);
    snprintf(expected, sizeof expected, "aac,%d,%d\n", rate, channels);
    ck_assert_str_eq(text, expected);
    /* silencedetect tells when silence ends and begins. Times count from the first picture. */
    snprintf(command, sizeof command, "ffmpeg -nostdin -v info -copyts -i @/%s -map 0:a -af silencedetect=n=-30dB:d=0.3 "
             "-f null - 2>&1 | grep -o 'silence_\\(end\\|start\\): [0-9.-]*' | sed 's/.*: //'", name);
    run_command(text, sizeof text, command);
    const double wanted[] = {0, 1, 2, 4, 5};
    char *at = text;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        double found = strtod(at, &at), late = i == 0 ? 0.15 : 0.06;
        ck_assert_msg(found > wanted[i] - 0.06 && found < wanted[i] + late, "%s: %g instead of %g", name, found, wanted[i]);
    }
}

START_TEST(other_audio_becomes_aac)
{
    const char *name = other_sounds[_i].name;
    film_tones(name, other_sounds[_i].options, false);
    struct clip_file_stats stats = copied(name, "copy.mp4", &mask);
    ck_assert_uint_eq(stats.packets, 150);
    ck_assert_uint_eq(stats.audio_lost, 0);
    check_tones("copy.mp4", other_sounds[_i].rate, other_sounds[_i].channels, &stats);
    stats = masked_clip(name);
    ck_assert_uint_eq(stats.audio_lost, 0);
    check_tones("masked.mp4", other_sounds[_i].rate, other_sounds[_i].channels, &stats);
}
END_TEST

/* A second of audio is missing. What comes after it keeps its time. */
START_TEST(holes_of_other_audio_stay)
{
    film_tones("whole.mkv", "-c:a pcm_alaw -ar 8000 -ac 1", true);
    struct clip_file_stats stats = copied("hole.mkv", "copy.mp4", NULL);
    check_tones("copy.mp4", 8000, 1, &stats);
}
END_TEST

int main(void)
{
    struct error err;
    source_set_log(NULL);       /* FFmpeg's lines are dropped */
    if (encoder_check(&err) < 0) {
        printf("SKIPPED: %s\n", err.text);
        return 0;
    }
    TCase *tcase = tcase_create("reencode");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, pictures_and_times, 0, sizeof sources / sizeof *sources);
    tcase_add_loop_test(tcase, masks_are_burned_in, 0, sizeof sources / sizeof *sources);
    tcase_add_loop_test(tcase, copies_have_the_audio, 0, sizeof sounds / sizeof *sounds);
    tcase_add_loop_test(tcase, masked_clips_have_the_audio, 0, sizeof sounds / sizeof *sounds);
    tcase_add_loop_test(tcase, other_audio_becomes_aac, 0, sizeof other_sounds / sizeof *other_sounds);
    tcase_add_test(tcase, holes_of_other_audio_stay);
    tcase_add_test(tcase, slow_pictures_keep_the_audio);
    tcase_add_test(tcase, turned);
    tcase_add_test(tcase, sizes);
    tcase_add_test(tcase, long_clips_are_cut);
    tcase_add_test(tcase, holes_stay);
    tcase_add_test(tcase, faults_are_told);
    tcase_add_test(tcase, damage);
    tcase_add_test(tcase, live);
    return clips_run("reencode", tcase);
}

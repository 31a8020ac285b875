/* A clip has the audio in time with the video, in a container that holds both. No fault of the audio costs the video a packet. */
#include <errno.h>
#include <libavcodec/codec_id.h>
#include <libavutil/mem.h>
#include <math.h>

#include "io/video/packets/codec_string.h"
#include "tests/io/video/packets/packets.h"
#include "tests/suite.h"

static char text[1 << 16];

/* Makes black pictures that are white for 0.2 s from each odd second on, with a tone at the same times. */
static void make(const char *name, const char *video, const char *audio)
{
    clips_ffmpeg("-f lavfi -i color=black:s=64x48:r=25:d=6,drawbox=c=white:t=fill:enable='between(mod(t\\,2)\\,1\\,1.19)' "
                 "-f lavfi -i aevalsrc='sin(2*PI*1000*t)*between(mod(t\\,2)\\,1\\,1.2):s=48000:d=6' -pix_fmt yuv420p %s %s @/%s",
                 video, audio, name);
}

static const char h264[] = "-c:v libx264 -preset ultrafast -g 25 -bf 0", h264_b[] = "-c:v libx264 -g 25 -bf 2";

static size_t count(bool audio)
{
    size_t n = 0;
    for (size_t i = 0; i < n_packets; i++)
        n += packets[i]->times.audio == audio;
    return n;
}

static struct packet_stream *audio_stream(void)
{
    for (size_t i = 0; i < n_packets; i++)
        if (packets[i]->times.audio)
            return packets[i]->stream;
    return NULL;
}

/* Returns the first time after `from` that follows the key in `text`. */
static double found(const char *key, double from)
{
    for (const char *at = text; (at = strstr(at, key)); at++) {
        double time = strtod(at + strlen(key), NULL);
        if (time > from)
            return time;
    }
    return NAN;
}

/* Checks that the first n flashes after `from`, two seconds apart, come with a tone, within 40 ms and the length of a packet.
 * Returns the time of the first flash. */
static double check_sync(const char *name, double from, int n)
{
    char command[400];
    snprintf(command, sizeof command, "ffmpeg -nostdin -hide_banner -i @/%s -vf blackdetect=d=0.1:pix_th=0.2 "
             "-af silencedetect=n=-30dB:d=0.1 -f null - 2>&1", name);
    run_command(text, sizeof text, command);
    double first = found("black_end:", from);
    for (double at = first - 0.3; n-- > 0; at += 2) {
        double flash = found("black_end:", at), tone = found("silence_end: ", at);
        ck_assert_msg(fabs(flash - tone) < 0.06, "%s: flash at %g s, tone at %g s\n%s", name, flash, tone, text);
    }
    return first;
}

/* Checks that FFmpeg demuxes and decodes the clip without a complaint. */
static void check_sound(const char *name)
{
    char command[400];
    /* FFmpeg's Motion JPEG lacks an end mark, and PCM names no layout of channels. That is no fault of the clip. */
    snprintf(command, sizeof command, "(ffprobe -v warning -show_packets @/%s 2>&1 >/dev/null; "
             "ffmpeg -nostdin -v warning -xerror -i @/%s -f null - 2>&1 || echo failed) "
             "| grep -v -e 'EOI missing' -e 'Guessed Channel'", name, name);
    run_command(text, sizeof text, command);
    ck_assert_msg(!text[0], "%s: %s", name, text);
}

static struct clip_file_stats write_both(const char *name, size_t from, const struct packet_stream *audio)
{
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    int fd = create_clip(name);
    ck_assert_msg(clip_file_open(&clip, fd, packets[from]->stream, audio, &err) == 0, "%s", err.text);
    for (size_t i = from; i < n_packets; i++)
        ck_assert_msg(clip_file_add(clip, packets[i], &err) == 0, "%s", err.text);
    ck_assert_msg(clip_file_close(clip, &stats, &err) == 0, "%s", err.text);
    close(fd);
    return stats;
}

static const struct {
    const char *name, *video, *audio;
    const char *extension, *codec, *codecs;
    int codec_id;
} kinds[] = {
    {"aac.mkv", h264, "-c:a aac", "mp4", "aac", "mp4a.40.2", AV_CODEC_ID_AAC},
    {"aac.mp4", h264_b, "-c:a aac -ar 44100", "mp4", "aac", "mp4a.40.2", AV_CODEC_ID_AAC},
    {"aac.ts", h264, "-c:a aac", "mp4", "aac", "mp4a.40.2", AV_CODEC_ID_AAC},
    {"aac.flv", h264, "-c:a aac -ar 44100", "mp4", "aac", "mp4a.40.2", AV_CODEC_ID_AAC},
    {"mp3.mkv", h264, "-c:a libmp3lame", "mp4", "mp3", "mp4a.6b", AV_CODEC_ID_MP3},
    {"mp2.ts", h264, "-c:a mp2", "mp4", "mp2", "mp4a.6b", AV_CODEC_ID_MP2},
    {"alaw.mkv", h264, "-c:a pcm_alaw -ar 8000 -ac 1", "mkv", "pcm_alaw", "", AV_CODEC_ID_PCM_ALAW},
    {"mulaw.mov", h264, "-c:a pcm_mulaw -ar 8000 -ac 1", "mkv", "pcm_mulaw", "", AV_CODEC_ID_PCM_MULAW},
    {"pcm.avi", "-c:v mjpeg", "-c:a pcm_s16le -ar 16000 -ac 1", "mkv", "pcm_s16le", "", AV_CODEC_ID_PCM_S16LE},
    {"opus.mkv", h264, "-c:a libopus", "mp4", "opus", "opus", AV_CODEC_ID_OPUS},
    {"g726.mkv", h264, "-c:a g726 -ar 8000 -ac 1", "mkv", "adpcm_g726", "", AV_CODEC_ID_ADPCM_G726},
    {"g722.mkv", h264, "-c:a g722 -ar 16000 -ac 1", "mkv", "adpcm_g722", "", AV_CODEC_ID_ADPCM_G722},
    {"ac3.ts", h264, "-c:a ac3", "mkv", "ac3", "", AV_CODEC_ID_AC3},
    {"mjpeg.mkv", "-c:v mjpeg", "-c:a aac", "mkv", "aac", "mp4a.40.2", AV_CODEC_ID_AAC},
};

START_TEST(holds_both)
{
    char name[CODEC_NAME_SIZE], codecs[CODEC_STRING_SIZE], clip[40];
    make(kinds[_i].name, kinds[_i].video, kinds[_i].audio);
    read_packets(clip_path(kinds[_i].name));
    struct packet_stream *audio = audio_stream();
    ck_assert_msg(audio != NULL, "%s: no audio", kinds[_i].name);
    ck_assert_int_eq(audio->format.codec, kinds[_i].codec_id);
    codec_name(name, audio);
    codec_string(codecs, audio);
    ck_assert_str_eq(name, kinds[_i].codec);
    ck_assert_str_eq(codecs, kinds[_i].codecs);
    ck_assert_str_eq(clip_file_extension(&packets[0]->stream->format, &audio->format), kinds[_i].extension);

    snprintf(clip, sizeof clip, "clip-%d.%s", _i, kinds[_i].extension);
    struct clip_file_stats stats = write_both(clip, 0, audio);
    bool mp4 = strcmp(kinds[_i].extension, "mp4") == 0;
    ck_assert_str_eq(mp4 ? strchr(stats.codecs, ',') + 1 : stats.codecs, mp4 ? kinds[_i].codecs : "");
    ck_assert_uint_eq(stats.packets, count(false));
    ck_assert_uint_ge(stats.audio_packets + 3, count(true));
    check_sound(clip);
    ck_assert_double_eq_tol(check_sync(clip, 0.5, 3), 1, 0.15);

    /* If the clip begins at a later key frame, earlier audio is cut, and both stay in time. */
    size_t from = n_packets / 3;
    while (!packets[from]->times.key)
        from++;
    write_both(clip, from, audio);
    check_sound(clip);
    check_sync(clip, 0.3, 1);
    free_packets();
}
END_TEST

/* If audio is not asked for, there is no packet of it. */
START_TEST(only_where_asked)
{
    make("unasked.mkv", h264, "-c:a aac");
    with_audio = false;
    read_packets(clip_path("unasked.mkv"));
    with_audio = true;
    ck_assert_uint_eq(count(true), 0);
    ck_assert_uint_eq(count(false), 150);
    write_both("unasked.mp4", 0, NULL);
    run_command(text, sizeof text, "ffprobe -v error -show_entries stream=codec_type -of csv=p=0 @/unasked.mp4");
    ck_assert_str_eq(text, "video\n");
    free_packets();
}
END_TEST

/* A clip as a crash leaves it: never closed, up to its last whole fragment. */
START_TEST(plays_after_a_crash)
{
    const char *file = _i ? "crash.mkv" : "crash.mp4";
    make("crash.src.mkv", h264, _i ? "-c:a pcm_alaw -ar 8000 -ac 1" : "-c:a aac");
    read_packets(clip_path("crash.src.mkv"));
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    char command[200];
    int fd = create_clip("crash.open");
    ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, audio_stream(), &err), 0);
    for (size_t i = 0; i < n_packets; i++)
        ck_assert_msg(clip_file_add(clip, packets[i], &err) == 0, "%s", err.text);
    clip_file_stats(clip, &stats);
    snprintf(command, sizeof command, "head -c %lld @/crash.open > @/%s", (long long)stats.bytes, file);
    run_command(text, sizeof text, command);
    ck_assert_int_eq(clip_file_close(clip, NULL, &err), 0);
    close(fd);
    ck_assert_int_gt(stats.duration_us, 5000000);
    check_sound(file);
    check_sync(file, 0.5, 2);
    free_packets();
}
END_TEST

/* Returns the packet with other times. */
static struct packet *with_times(const struct packet *packet, int64_t pts, int64_t later_us)
{
    struct packet_times times = packet->times;
    times.pts = times.dts = pts;
    times.arrival_us += later_us;
    struct packet *other = packet_new(packet->stream, &times, packet->data, packet->size);
    ck_assert_ptr_nonnull(other);
    return other;
}

/* Sets the arrival of each packet to the time at which it is shown. */
static void set_arrivals(void)
{
    int64_t last_us = 0;
    for (size_t i = 0; i < n_packets; i++) {
        const struct packet_format *f = &packets[i]->stream->format;
        int64_t at_us = 1000000 + packets[i]->times.pts * 1000000 * f->time_base_num / f->time_base_den;
        last_us = at_us > last_us ? at_us : last_us;
        packets[i]->times.arrival_us = last_us;
    }
}

/* Faults of audio: wrong time stamps, or none; it begins late, pauses, or is garbage. */
static const char *const faults[] = {"ahead", "behind", "leaps back and forth", "stands still", "no times", "huge", "garbage",
                                     "late", "pauses", "mirrored"};

/* The packet number n of the audio with fault k; NULL: it is not sent. */
static struct packet *with_fault(size_t k, const struct packet *packet, size_t n)
{
    const int64_t t = packet->times.pts, sign = n % 2 ? -1 : 1;
    const int64_t huge = (INT64_C(1) << 60) - 1;
    const int64_t times[] = {t + 3600000, t - 5000, t + sign * 700000, 5, PACKET_NO_TIME, sign * huge, t, t, t, 6000 - t};
    if ((k == 7 && t < 2500) || (k == 8 && t > 2000 && t < 4000))
        return NULL;
    struct packet *other = with_times(packet, times[k], 0);
    if (k == 6)
        memset(other->data, 0xff, other->size);
    return other;
}

/* The test's number is twice that of the fault, plus 1 for Matroska. */
START_TEST(costs_no_video)
{
    const size_t k = (size_t)_i / 2;
    const char *file = _i % 2 ? "liar.mkv" : "liar.mp4";
    make("liar.src.mkv", h264, _i % 2 ? "-c:a pcm_alaw -ar 8000 -ac 1" : "-c:a aac");
    read_packets(clip_path("liar.src.mkv"));
    set_arrivals();
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    size_t n_audio = 0;
    int fd = create_clip(file);
    ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, audio_stream(), &err), 0);
    for (size_t i = 0; i < n_packets; i++) {
        struct packet *packet = packets[i]->times.audio ? with_fault(k, packets[i], n_audio++) : packet_ref(packets[i]);
        ck_assert_msg(!packet || clip_file_add(clip, packet, &err) == 0, "%s: %s", faults[k], err.text);
        packet_unref(packet);
    }
    ck_assert_msg(clip_file_close(clip, &stats, &err) == 0, "%s: %s", faults[k], err.text);
    close(fd);
    ck_assert_uint_eq(stats.packets, 150);
    ck_assert_uint_eq(stats.repaired, 0);
    if (k != 6)
        check_sound(file);
    if (k == 6 && strcmp(file, "liar.mp4") == 0)        /* MP4's muxer takes no garbage, and `codecs` names no audio */
        ck_assert_msg(stats.audio_packets == 0 && stats.audio_lost > 0 && !strchr(stats.codecs, ','), "%s", stats.codecs);
    if (k == 0 || k == 1)               /* such audio is placed by its arrival */
        check_sync(file, 2.5, 2);
    if (k == 7 || k == 8)
        check_sync(file, 4.5, 1);
    free_packets();
}
END_TEST

/* Packets of audio for which there is no memory are left out and counted. Those after them are there. */
START_TEST(memory_is_short)
{
    make("large.mkv", h264, "-c:a pcm_s16le");
    read_packets(clip_path("large.mkv"));
    size_t n_audio = 0, n_large = 0;
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    int fd = create_clip("large.clip.mkv");
    ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, audio_stream(), &err), 0);
    for (size_t i = 0; i < n_packets; i++) {
        struct packet *packet = packet_ref(packets[i]);
        bool large = packet->times.audio && n_audio++ % 10 == 5;
        if (large) {
            static const uint8_t data[60000];
            packet_unref(packet);
            packet = packet_new(packets[i]->stream, &packets[i]->times, data, sizeof data);
            av_max_alloc(50000);        /* the most that FFmpeg may allocate */
            n_large++;
        }
        ck_assert_msg(clip_file_add(clip, packet, &err) == 0, "%s", err.text);
        av_max_alloc(INT32_MAX);
        packet_unref(packet);
    }
    ck_assert_msg(clip_file_close(clip, &stats, &err) == 0, "%s", err.text);
    close(fd);
    ck_assert_uint_gt(n_large, 3);
    ck_assert_uint_eq(stats.audio_lost, n_large);
    ck_assert_uint_eq(stats.audio_packets + n_large, n_audio);
    ck_assert_uint_eq(stats.packets, 150);
    check_sound("large.clip.mkv");
    free_packets();
}
END_TEST

/* If there is no memory to describe the audio, the clip has no audio. */
START_TEST(memory_is_short_at_first)
{
    static const uint8_t extradata[PACKET_MAX_EXTRADATA] = {0x11, 0x88};
    make("first.mkv", h264, "-c:a aac");
    read_packets(clip_path("first.mkv"));
    struct packet_format format = audio_stream()->format;
    format.extradata_size = sizeof extradata;
    struct packet_stream *large = packet_stream_new(&format, extradata);
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    int fd = create_clip("first.mp4");
    av_max_alloc(sizeof extradata + 1); /* too little: FFmpeg adds a few zeros behind the extradata */
    ck_assert_msg(clip_file_open(&clip, fd, packets[0]->stream, large, &err) == 0, "%s", err.text);
    av_max_alloc(INT32_MAX);
    for (size_t i = 0; i < n_packets; i++)
        ck_assert_msg(clip_file_add(clip, packets[i], &err) == 0, "%s", err.text);
    ck_assert_msg(clip_file_close(clip, &stats, &err) == 0, "%s", err.text);
    close(fd);
    packet_stream_unref(large);
    ck_assert_uint_eq(stats.packets, 150);
    ck_assert_uint_eq(stats.audio_packets, 0);
    ck_assert_uint_eq(stats.audio_lost, count(true));
    ck_assert_msg(!strchr(stats.codecs, ','), "%s", stats.codecs);
    check_sound("first.mp4");
    free_packets();
}
END_TEST

/* If the muxer cannot describe the audio, the clip has no audio. */
START_TEST(refused_audio_is_left_out)
{
    make("mp3.mkv", h264, "-c:a libmp3lame");
    read_packets(clip_path("mp3.mkv"));
    struct packet_format format = audio_stream()->format;
    format.sample_rate = 8000;          /* for FFmpeg, this is not standard in MP4 */
    struct packet_stream *slow = packet_stream_new(&format, audio_stream()->extradata);
    struct clip_file_stats stats = write_both("refused.mp4", 0, slow);
    packet_stream_unref(slow);
    ck_assert_uint_eq(stats.packets, 150);
    ck_assert_uint_eq(stats.audio_packets, 0);
    ck_assert_uint_eq(stats.audio_lost, count(true));
    ck_assert_msg(strncmp(stats.codecs, "avc1.", 5) == 0 && !strchr(stats.codecs, ','), "%s", stats.codecs);
    check_sound("refused.mp4");
    free_packets();
}
END_TEST

int main(void)
{
    if (!clips_open())
        return 0;
    with_audio = true;
    source_set_log(NULL);
    TCase *tc = tcase_create("clip_audio");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, holds_both, 0, sizeof kinds / sizeof *kinds);
    tcase_add_test(tc, only_where_asked);
    tcase_add_loop_test(tc, plays_after_a_crash, 0, 2);
    tcase_add_loop_test(tc, costs_no_video, 0, 2 * sizeof faults / sizeof *faults);
    tcase_add_test(tc, memory_is_short);
    tcase_add_test(tc, memory_is_short_at_first);
    tcase_add_test(tc, refused_audio_is_left_out);
    Suite *suite = suite_create("clip_audio");
    suite_add_tcase(suite, tc);
    int failed = suite_run(suite);
    clips_close();
    return failed;
}

/* A clip holds the packets as they were. FFmpeg plays it without a complaint. Wherever it is cut, it plays up to the cut. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "io/video/packets/codec_string.h"
#include "tests/io/video/packets/packets.h"

struct kind {
    const char *name, *encoder, *clip, *codecs;
    const char *codec;
};

static const struct kind kinds[] = {
    {"h264.mkv", "libx264 -preset ultrafast -g 25 -bf 0", "h264.mp4", "avc1.", "h264"},
    {"h264b.mp4", "libx264 -preset veryfast -g 50 -bf 3", "h264b.clip.mp4", "avc1.", "h264"},
    {"h264.ts", "libx264 -preset veryfast -g 50 -bf 2", "h264ts.mp4", "avc1.", "h264"},
    {"hevc.mkv", "libx265 -preset ultrafast -x265-params log-level=error:keyint=25", "hevc.mp4", "hvc1.", "hevc"},
    {"hevc.ts", "libx265 -preset ultrafast -x265-params log-level=error:keyint=50", "hevcts.mp4", "hvc1.", "hevc"},
    {"mjpeg.mkv", "mjpeg -q:v 5", "mjpeg.clip.mkv", "", "mjpeg"},
    {"mpeg4.avi", "mpeg4 -g 25 -bf 0", "mpeg4.mp4", "mp4v.20", "mpeg4"},
    {"vp9.mkv", "libvpx-vp9 -deadline realtime -cpu-used 8 -g 25", "vp9.clip.mkv", "", "vp9"},
    {"av1.mkv", "libsvtav1 -preset 12 -g 25", "av1.mp4", "av01.", "av1"},
    {"mpeg2.ts", "mpeg2video -g 12 -bf 2", "mpeg2.clip.mkv", "", "mpeg2video"},
};

static char text[1 << 16];

static void make(const struct kind *kind)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=4 -pix_fmt yuv420p -c:v %s @/%s", kind->encoder, kind->name);
}

/* The MD5 of each picture of a file, one line each, as FFmpeg decodes it. */
static void pictures(char *ret, size_t size, const char *name)
{
    char command[300];
    snprintf(command, sizeof command,
             "ffmpeg -v error -i @/%s -map 0:v -fps_mode passthrough -f framemd5 - 2>&1 | grep -v '^#' | "
             "sed 's/.*, *//'", name);
    run_command(ret, size, command);
}

START_TEST(holds_the_packets)
{
    const struct kind *kind = &kinds[_i];
    static char before[1 << 16], after[1 << 16], command[300];
    make(kind);
    read_packets(clip_path(kind->name));
    ck_assert_str_eq(clip_file_extension(&packets[0]->stream->format, NULL), strrchr(kind->clip, '.') + 1);
    char name[CODEC_NAME_SIZE], codecs[CODEC_STRING_SIZE];
    codec_name(name, packets[0]->stream);
    codec_string(codecs, packets[0]->stream);
    ck_assert_str_eq(name, kind->codec);
    ck_assert_msg(strncmp(codecs, kind->codecs, strlen(kind->codecs)) == 0 && (!*kind->codecs == !*codecs), "%s", codecs);

    struct clip_file_stats stats = write_clip(kind->clip, 0, n_packets);
    ck_assert_uint_eq(stats.packets, n_packets);
    ck_assert_uint_eq(stats.repaired, 0);
    ck_assert_int_gt(stats.duration_us, 3900000);
    ck_assert_int_lt(stats.duration_us, 4100000);

    size_t size;
    free(clip_read(kind->clip, &size));
    ck_assert_int_eq(stats.bytes, (int64_t)size);

    /* ffprobe complains of nothing, the first picture is a key frame at 0, and the pictures are those of the footage. */
    snprintf(command, sizeof command, "ffprobe -v warning -show_entries packet=flags,pts_time -of csv=p=0 @/%s 2>&1", kind->clip);
    ck_assert_int_eq(run_command(text, sizeof text, command), 0);
    ck_assert_msg(strncmp(text, "0.0", 3) == 0 && strchr(text, 'K') && strchr(text, 'K') < strchr(text, '\n'), "%s: %.300s",
                  kind->name, text);
    ck_assert_msg(!strchr(text, '[') && !strstr(text, "rror"), "%s: %s", kind->name, text);
    pictures(before, sizeof before, kind->name);
    pictures(after, sizeof after, kind->clip);
    ck_assert_str_eq(after, before);
    ck_assert_uint_gt(strlen(after), 3000);
}
END_TEST

/* FFmpeg seeks by the index, and the duration is in the file. */
START_TEST(has_an_index)
{
    make(&kinds[0]);
    read_packets(clip_path(kinds[0].name));
    write_clip("indexed.mp4", 0, n_packets);
    ck_assert_int_eq(run_command(text, sizeof text,
                                 "ffprobe -v warning -show_entries format=duration -of csv=p=0 @/indexed.mp4 2>&1"),
                     0);
    ck_assert_double_eq_tol(strtod(text, NULL), 4.0, 0.05);
    ck_assert_int_eq(run_command(text, sizeof text,
                                 "ffprobe -v warning -read_intervals 2.5%+#1 -show_entries packet=pts_time,flags "
                                 "-of csv=p=0 @/indexed.mp4 2>&1"), 0);
    ck_assert_double_eq_tol(strtod(text, NULL), 2.0, 0.001);
}
END_TEST

/* Returns how many pictures FFmpeg decodes of the first n bytes. */
static int pictures_of(const char *name, const uint8_t *bytes, size_t n)
{
    char command[300];
    clip_write(name, bytes, n);
    snprintf(command, sizeof command,
             "ffmpeg -v quiet -i @/%s -map 0:v -fps_mode passthrough -f framemd5 - 2>/dev/null | grep -vc '^#'", name);
    run_command(text, sizeof text, command);
    return atoi(text);
}

/* A clip that was never closed is cut at any byte. It decodes up to half a second before the cut. */
START_TEST(plays_up_to_any_cut)
{
    static const int which[] = {1, 3, 5};       /* with and without B-frames, in MP4 and Matroska */
    const struct kind *kind = &kinds[which[_i]];
    const char *cut = strstr(kind->clip, "mp4") ? "cut.mp4" : "cut.mkv";
    struct clip_file *clip;
    struct clip_file_stats before = {0}, stats;
    struct error err = {""};
    size_t size;
    int last = 0;
    make(kind);
    read_packets(clip_path(kind->name));
    int fd = create_clip("unended");
    ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, NULL, &err), 0);
    for (size_t i = 0; i < n_packets; i++) {
        ck_assert_int_eq(clip_file_add(clip, packets[i], &err), 0);
        clip_file_stats(clip, &stats);
        if (stats.bytes == before.bytes)
            continue;
        ck_assert_uint_le(stats.packets - before.packets, 13);          /* packets of half a second */
        uint8_t *bytes = clip_read("unended", &size);
        ck_assert_int_eq((int64_t)size, stats.bytes);
        int whole = pictures_of(cut, bytes, size);
        ck_assert_msg(whole == (int)stats.packets, "%s: %d pictures of %d packets", kind->name, whole, (int)stats.packets);
        for (int k = 1; k < 4; k++) {
            int there = pictures_of(cut, bytes, (size_t)(before.bytes + (stats.bytes - before.bytes) * k / 4));
            ck_assert_msg(there >= (int)before.packets - 1, "%s: %d pictures, and %d before", kind->name, there,
                          (int)before.packets);
        }
        free(bytes);
        before = stats;
        last = whole;
    }
    ck_assert_int_gt(last, 85);
    clip_file_close(clip, NULL, NULL);
    close(fd);
}
END_TEST

/* ---- times ------------------------------------------------------------------------------------------------------------ */

/* Returns a packet with the data of packets[i] and other time stamps. Packets arrive every 40 ms. */
static struct packet *with_times(size_t i, int64_t pts, int64_t dts)
{
    struct packet_times times = packets[i]->times;
    times.pts = pts;
    times.dts = dts;
    times.arrival_us = 1000000 + 40000 * (int64_t)i;
    struct packet *packet = packet_new(packets[i]->stream, &times, packets[i]->data, packets[i]->size);
    ck_assert_ptr_nonnull(packet);
    return packet;
}

/* Time stamps that go back, leap, stand still or are missing. */
START_TEST(times_are_repaired)
{
    static const char *const faults[] = {"back", "leap", "still", "none", "pts-only", "huge"};
    make(&kinds[0]);
    read_packets(clip_path(kinds[0].name));
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        struct clip_file *clip;
        struct clip_file_stats stats;
        struct error err = {""};
        int fd = create_clip("times.mp4");
        ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, NULL, &err), 0);
        for (size_t i = 0; i < n_packets; i++) {
            int64_t t = 40 * (int64_t)i, pts = t, dts = t;      /* in milliseconds, as in Matroska */
            if (k == 0 && i >= 50)
                pts = dts = t - 1500;
            if (k == 1 && i >= 50)
                pts = dts = t + 3600000;
            if (k == 2 && i >= 50)
                pts = dts = 2000;
            if (k == 3)
                pts = dts = PACKET_NO_TIME;
            if (k == 4)
                dts = PACKET_NO_TIME;
            if (k == 5)
                pts = dts = (i % 2 ? 1 : -1) * ((INT64_C(1) << 60) - 1 - (int64_t)i);
            struct packet *packet = with_times(i, pts, dts);
            ck_assert_msg(clip_file_add(clip, packet, &err) == 0, "%s: %s", faults[k], err.text);
            packet_unref(packet);
        }
        ck_assert_int_eq(clip_file_close(clip, &stats, &err), 0);
        close(fd);
        run_command(text, sizeof text, "ffprobe -v warning -show_entries packet=pts_time -of csv=p=0 @/times.mp4 2>&1");
        ck_assert_msg(!strstr(text, "rror") && !strchr(text, '['), "%s: %s", faults[k], text);
        double last = -1;
        int n = 0;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
            double t = strtod(line, NULL);
            ck_assert_msg(t > last, "%s: %g after %g", faults[k], t, last);
            last = t;
        }
        ck_assert_int_eq(n, 100);
        ck_assert_msg(last > (k == 2 ? 2.0 : 3.8) && last < 4.3, "%s: ends at %g", faults[k], last);
        ck_assert_int_eq(stats.repaired > 0, k != 4);
    }
}
END_TEST

/* Parameter sets may change within a stream that holds them in its packets. */
START_TEST(parameter_sets_may_change)
{
    static struct packet *first[MAX_PACKETS];
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=2 -pix_fmt yuv420p -c:v libx264 -g 25 -bf 0 @/sets-a.ts");
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=2 -pix_fmt yuv420p -c:v libx264 -g 25 -bf 0 -coder vlc @/sets-b.ts");
    read_packets(clip_path("sets-a.ts"));
    size_t n = n_packets;
    memcpy(first, packets, n * sizeof *first);
    n_packets = 0;
    read_packets(clip_path("sets-b.ts"));
    ck_assert(!packet_stream_equal(packets[0]->stream, first[0]->stream));
    ck_assert(packet_stream_follows(packets[0]->stream, first[0]->stream));
    int fd = create_clip("sets.mp4");
    ck_assert_int_eq(clip_file_open(&clip, fd, first[0]->stream, NULL, &err), 0);
    for (size_t i = 0; i < n + n_packets; i++)
        ck_assert_msg(clip_file_add(clip, i < n ? first[i] : packets[i - n], &err) == 0, "%s", err.text);
    ck_assert_int_eq(clip_file_close(clip, &stats, &err), 0);
    close(fd);
    ck_assert_uint_eq(stats.packets, 100);
    run_command(text, sizeof text,
                "ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 @/sets.mp4 2>&1");
    ck_assert_str_eq(text, "100\n");

    make(&kinds[0]);            /* here parameter sets are only in the extradata */
    read_packets(clip_path(kinds[0].name));
    ck_assert(!packet_stream_follows(packets[0]->stream, first[0]->stream));
    struct packet_format other = first[0]->stream->format;
    other.width *= 2;
    struct packet_stream *wide = packet_stream_new(&other, first[0]->stream->extradata);
    ck_assert(!packet_stream_follows(wide, first[0]->stream));
    packet_stream_unref(wide);
    for (size_t i = 0; i < n; i++)
        packet_unref(first[i]);
}
END_TEST

/* ---- faults ----------------------------------------------------------------------------------------------------------- */

/* On a full disk the error names its cause, and the part on disk plays. */
START_TEST(a_full_disk_is_told)
{
    struct rlimit before, small;
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    make(&kinds[0]);
    read_packets(clip_path(kinds[0].name));
    size_t whole = (size_t)write_clip("whole.mp4", 0, n_packets).bytes;
    int fd = create_clip("full.mp4");
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = whole / 2 + 5000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, NULL, &err), 0);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n_packets; i++)
        r = clip_file_add(clip, packets[i], &err);
    ck_assert_int_eq(r, -EFBIG);
    ck_assert_str_eq(err.text, "writing the clip: File too large");
    ck_assert_int_eq(clip_file_add(clip, packets[0], &err), -EFBIG);
    clip_file_close(clip, &stats, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_gt(stats.bytes, 0);
    ck_assert_int_eq(ftruncate(fd, stats.bytes), 0);
    close(fd);
    run_command(text, sizeof text,
                "ffmpeg -v error -i @/full.mp4 -map 0:v -fps_mode passthrough -f framemd5 - 2>&1 | grep -v '^#' | wc -l");
    ck_assert_int_ge(atoi(text), 20);
    ck_assert_int_eq(atoi(text), (int)stats.packets);
}
END_TEST

static void *make_room(void *arg)
{
    usleep(500000);
    ck_assert_int_eq(unlink(arg), 0);
    return NULL;
}

/* Another program's file fills the disk, and is deleted while the clip is being written. */
START_TEST(a_write_waits_for_room)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/mnt", "tmpfs", 0, "size=4m,mode=700") < 0) {
        printf("SKIP a_write_waits_for_room: no tmpfs can be mounted: %s\n", strerror(errno));
        return;
    }
    static const char zeros[4096];
    static char others[] = "/mnt/others";
    make(&kinds[0]);
    read_packets(clip_path(kinds[0].name));
    int fd = open("/mnt/clip.mp4", O_RDWR | O_CREAT, 0600), full = open(others, O_WRONLY | O_CREAT, 0600);
    while (write(full, zeros, sizeof zeros) > 0)
        ;
    ck_assert_int_eq(errno, ENOSPC);
    close(full);
    pthread_t thread;
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    ck_assert_int_eq(pthread_create(&thread, NULL, make_room, others), 0);
    ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, NULL, &err), 0);
    for (size_t i = 0; i < n_packets; i++)
        ck_assert_msg(clip_file_add(clip, packets[i], &err) == 0, "%s", err.text);
    ck_assert_msg(clip_file_close(clip, &stats, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(stats.packets, n_packets);
    pthread_join(thread, NULL);
    close(fd);
}
END_TEST

START_TEST(faults_are_named)
{
    struct clip_file *clip;
    struct error err = {""};
    make(&kinds[0]);
    read_packets(clip_path(kinds[0].name));
    int fd = create_clip("fault.mp4");
    ck_assert_int_eq(clip_file_open(&clip, fd, packets[0]->stream, NULL, &err), 0);
    ck_assert(!packets[1]->times.key);
    ck_assert_int_eq(clip_file_add(clip, packets[1], &err), -EINVAL);
    ck_assert_str_eq(err.text, "expected a key frame at the beginning of a clip, got another one");
    ck_assert_int_eq(clip_file_close(clip, NULL, &err), 0);     /* nothing was added */

    struct packet_format format = packets[0]->stream->format;
    format.width = format.height = 0;
    struct packet_stream *stream = packet_stream_new(&format, packets[0]->stream->extradata);
    ck_assert_int_eq(clip_file_open(&clip, fd, stream, NULL, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "expected a stream that names the size of its pictures, got one that does not"));
    packet_stream_unref(stream);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("clip_file");
    tcase_set_timeout(tc, 180);
    tcase_add_loop_test(tc, holds_the_packets, 0, sizeof kinds / sizeof *kinds);
    tcase_add_test(tc, has_an_index);
    tcase_add_loop_test(tc, plays_up_to_any_cut, 0, 3);
    tcase_add_test(tc, times_are_repaired);
    tcase_add_test(tc, parameter_sets_may_change);
    tcase_add_test(tc, a_full_disk_is_told);
    tcase_add_test(tc, a_write_waits_for_room);
    tcase_add_test(tc, faults_are_named);
    return clips_run("clip_file", tc);
}

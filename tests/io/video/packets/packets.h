/* For the tests of io/video/packets: packets of footage, as a source's tap sees them, and clips that are made of them. */
#ifndef MEMAED_TESTS_IO_VIDEO_PACKETS_PACKETS_H
#define MEMAED_TESTS_IO_VIDEO_PACKETS_PACKETS_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/video/packets/clip_file.h"
#include "io/video/packets/packet_ring.h"
#include "io/video/packets/packet_tap.h"
#include "io/video/source.h"
#include "tests/clips.h"

enum { MAX_PACKETS = 4096 };

static struct packet *packets[MAX_PACKETS];
static size_t n_packets;
static bool with_audio;         /* read_packets() also reads packets of the audio */

static void ring_begin(void *arg, const struct packet_format *format, const void *extradata)
{
    ck_assert_int_eq(packet_ring_begin(arg, format, extradata), 0);
}

static void ring_add(void *arg, const struct packet_times *times, const void *data, size_t size)
{
    ck_assert_int_eq(packet_ring_add(arg, times, data, size), 0);
}

static inline void free_packets(void)
{
    while (n_packets > 0)
        packet_unref(packets[--n_packets]);
}

/* Reads all packets of footage from its first key frame on. */
static inline void read_packets(const char *path)
{
    struct packet_ring *ring;
    struct packet_tap *tap;
    struct source *source;
    struct error err = {""};
    static uint8_t pixels[32 * 24];
    struct source_frame frame;
    uint64_t next = 0;
    free_packets();
    ck_assert_int_eq(packet_ring_open(&ring, (size_t)1 << 30, INT64_MAX), 0);
    ck_assert_int_eq(packet_tap_open(&tap, &(struct packet_consumer){.arg = ring, .begin = ring_begin, .add = ring_add}), 0);
    const struct source_options options = {.width = 32, .height = 24, .decoder_threads = 1, .audio = with_audio,
                                           .tap = packet_tap_source(tap)};
    ck_assert_msg(source_open(&source, path, &options, &err) == 0, "%s", err.text);
    while (source_read(source, pixels, &frame, &err) == 1)
        ;
    source_close(source);
    packet_tap_close(tap);
    n_packets = packet_ring_take(ring, &next, packets, MAX_PACKETS);
    packet_ring_unref(ring);
    ck_assert_uint_gt(n_packets, 0);
}

/* Reads the packets of four seconds in H.264: 160x120, 25 pictures a second, and a key frame every second. */
static inline void read_four_seconds(void)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=4 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 @/footage.mkv");
    read_packets(clip_path("footage.mkv"));
}

/* Creates a file in the folder. Returns its descriptor, open for writing. */
static inline int create_clip(const char *name)
{
    int fd = open(clip_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Writes packets [from, to) as a clip. */
static inline struct clip_file_stats write_clip(const char *name, size_t from, size_t to)
{
    struct clip_file *clip;
    struct clip_file_stats stats;
    struct error err = {""};
    int fd = create_clip(name);
    ck_assert_msg(clip_file_open(&clip, fd, packets[from]->stream, NULL, &err) == 0, "%s", err.text);
    for (size_t i = from; i < to; i++)
        ck_assert_msg(clip_file_add(clip, packets[i], &err) == 0, "%s", err.text);
    ck_assert_msg(clip_file_close(clip, &stats, &err) == 0, "%s", err.text);
    close(fd);
    return stats;
}

/* Runs a command and reads what it prints, its standard error included, at most size - 1 bytes. "@" stands for the folder.
 * Returns its exit status. */
static inline int run_command(char *ret, size_t size, const char *command)
{
    char line[4096];
    size_t n = 0;
    const char *folder = clip_path("");
    for (const char *p = command; *p && n + strlen(folder) + 2 < sizeof line; p++)
        n += (size_t)snprintf(line + n, sizeof line - n, *p == '@' ? "%.*s" : "%c", *p == '@' ? (int)strlen(folder) - 1 : *p,
                              folder);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t got = fread(ret, 1, size - 1, pipe);
    ret[got] = '\0';
    return pclose(pipe);
}

#endif

#include "daemon/watch/evidence/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/capture/capture.h"
#include "io/capture/clip_writer.h"

enum { PACKETS_MOST = 16384, PACKETS_FIRST = 512 };

/* A picture may be predicted from the group before its own, so the search begins some time earlier. */
#define EARLIER_US INT64_C(1000000)
/* Half the shortest time between two pictures: time stamps are rounded as they are copied. */
#define ROUNDING_US INT64_C(2000)
/* A packet reaches the ring at most this long after it was read. */
#define LATE_US INT64_C(500000)

/* Pixels around a privacy mask that are black, too. */
enum { MASK_MARGIN = 2 };

void snapshot_masks(struct snapshot_masks *ret, const struct zones *zones)
{
    ret->n = 0;
    for (int i = 0; zones && i < zones->n_masks; i++) {
        const struct mask *mask = &zones->mask[i];
        if (!mask->privacy)
            continue;
        for (int k = 0; k < mask->area.n; k++)
            ret->points[ret->n][k] = (struct draw_point){mask->area.points[k].x, mask->area.points[k].y};
        ret->polygons[ret->n] = (struct draw_polygon){ret->points[ret->n], mask->area.n};
        ret->n++;
    }
}

void snapshot_hide(struct picture *picture, const struct zones *zones)
{
    struct snapshot_masks masks;
    snapshot_masks(&masks, zones);
    draw_masks(picture, masks.polygons, masks.n, MASK_MARGIN);
}

struct packets {
    struct packet **list;       /* [room], n of them; references */
    size_t n, room;
};

static void clear(struct packets *packets)
{
    for (size_t i = 0; i < packets->n; i++)
        packet_unref(packets->list[i]);
    free(packets->list);
}

/* Drops the audio among the last n packets. */
static void drop_audio(struct packets *packets, size_t n)
{
    size_t from = packets->n - n, kept = from;
    for (size_t i = from; i < packets->n; i++)
        if (packets->list[i]->times.audio)
            packet_unref(packets->list[i]);
        else
            packets->list[kept++] = packets->list[i];
    packets->n = kept;
}

/* Takes what the ring has of the video from `next` on, up to the first packet that arrived after until_us. */
static int collect(struct packets *packets, struct packet_ring *ring, uint64_t next, int64_t until_us)
{
    while (packets->n == 0 || packets->list[packets->n - 1]->times.arrival_us <= until_us) {
        if (packets->n == packets->room) {
            size_t room = packets->room ? 2 * packets->room : PACKETS_FIRST;
            struct packet **more = room > PACKETS_MOST ? NULL : realloc(packets->list, room * sizeof *more);
            if (!more)
                return -ENOMEM;
            packets->list = more;
            packets->room = room;
        }
        size_t n = packet_ring_take(ring, &next, packets->list + packets->n, packets->room - packets->n);
        if (n == 0)
            break;
        packets->n += n;
        drop_audio(packets, n);
    }
    return 0;
}

/* The picture's packet; -1: it is not there. */
static ssize_t find_own(const struct packets *packets, const struct snapshot_options *options)
{
    ssize_t before = -1;
    for (size_t i = 0; i < packets->n; i++) {
        int64_t late_us = packets->list[i]->times.arrival_us - options->arrival_us;
        if (options->is_exact && late_us >= 0)
            return late_us <= LATE_US ? (ssize_t)i : before;
        if (late_us <= 0)
            before = (ssize_t)i;
    }
    return before;
}

/* The key frame from which the picture can be decoded: the last one at or before it that is not shown later. */
static ssize_t find_key(const struct packets *packets, size_t own)
{
    const struct packet *picture = packets->list[own];
    for (size_t i = own + 1; i-- > 0;) {
        const struct packet *packet = packets->list[i];
        if (packet->stream != picture->stream && !packet_stream_follows(picture->stream, packet->stream))
            return -1;
        bool later = packet->times.pts != PACKET_NO_TIME && picture->times.pts != PACKET_NO_TIME &&
                     packet->times.pts > picture->times.pts;
        if (packet->times.key && !later)
            return (ssize_t)i;
    }
    return -1;
}

/* The time in µs by which the picture is shown later than the key frame; INT64_MAX: not known, but no picture is later. */
static int64_t shown_after(const struct packet *key, const struct packet *own)
{
    const struct packet_format *f = &key->stream->format;
    if (key->times.pts == PACKET_NO_TIME || own->times.pts == PACKET_NO_TIME || f->time_base_num < 1 || f->time_base_den < 1)
        return INT64_MAX;
    double us = 1e6 * ((double)own->times.pts - (double)key->times.pts) * f->time_base_num / f->time_base_den;
    return us < 1e15 ? (int64_t)us + ROUNDING_US : INT64_MAX;
}

/* Copies n packets into a file in memory. Its descriptor, or -errno. */
static int write_file(struct packet *const *packets, size_t n, struct capture_host *host, struct error *err)
{
    struct clip_writer *writer;
    struct clip_file_stats stats;
    struct error ignored;
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    if (fd < 0)
        return error_set(err, -errno, "cannot make a file in memory: %s", strerror(errno));
    int r = clip_writer_open(&writer, host, fd, packets[0]->stream, NULL, err);
    if (r == 0) {
        r = clip_writer_add(writer, packets, n, err);
        int end = clip_writer_close(writer, &stats, r < 0 ? &ignored : err);
        r = r < 0 ? r : end;
    }
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

static int decode(struct picture *ret, int fd, int64_t pts_us, const struct snapshot_options *options, struct error *err)
{
    struct moment moment;
    int r = capture_moment_of(&moment, fd, pts_us,
                              &(struct moment_options){.source = {.stop = options->stop}, .longest = options->longest,
                                                       .limit_ms = options->limit_ms},
                              options->host, options->memory_mib, err);
    if (r < 0)
        return r;
    if (moment.corrupt && options->is_masked) {
        picture_close(&moment.picture);
        return error_set(err, -EBADMSG, "the picture is damaged, and may show what a privacy mask covers at another place");
    }
    *ret = moment.picture;
    return 0;
}

int snapshot_decode_key(struct picture *ret, struct packet *key, const struct snapshot_options *options, struct error *err)
{
    int fd = write_file(&key, 1, options->host, err), r = fd;
    if (fd >= 0) {
        r = decode(ret, fd, shown_after(key, key), options, err);
        close(fd);
    }
    return r;
}

int snapshot_decode(struct picture *ret, struct packet_ring *ring, const struct snapshot_options *options, struct error *err)
{
    struct packets packets = {0};
    int r = collect(&packets, ring, packet_ring_find(ring, options->arrival_us - EARLIER_US), options->arrival_us + LATE_US);
    if (r < 0)
        error_set(err, r, "out of memory");
    ssize_t own = r < 0 ? -1 : find_own(&packets, options), key = own < 0 ? -1 : find_key(&packets, (size_t)own);
    if (r == 0 && key < 0)
        r = error_set(err, -ENOENT, "no packets were kept at that time");
    int fd = r < 0 ? r : write_file(packets.list + key, (size_t)(own - key) + 1, options->host, err);
    if (fd >= 0) {
        r = decode(ret, fd, shown_after(packets.list[key], packets.list[own]), options, err);
        close(fd);
    }
    clear(&packets);
    return fd < 0 ? fd : r;
}

#include "io/footage/picture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavutil/crc.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/new_file.h"

static const char magic[16] = "memaed-footage1";
enum { MAX_TABLES = 4096, IDLE_DECODERS = 64 };

struct header {
    char magic[16];
    int32_t width, height;
    double fps;
    uint32_t tables_size;       /* the codec's tables follow */
    uint32_t zero;
};

struct record {
    uint32_t size, crc, run;    /* size: of the picture that follows; crc: over the picture, run and interval; run 0: it was
                                 * damaged, and is left out */
    float interval;
};

struct decoder {
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
};

struct entry {
    uint64_t offset;            /* of the record in the file */
    struct record record;
};

struct picture_file {
    struct picture_file_options options;
    char *path;
    int fd;
    uint64_t end;               /* of the last sound record in the file */
    size_t lost;                /* pictures that opening left out, */
    uint64_t lost_bytes;        /* and their bytes */
    int64_t synced_us;          /* when the last sync began */
    bool dirty;                 /* pictures were added since */
    size_t n, room;
    struct entry *entries;
    AVCodecContext *encoder;
    AVFrame *frame;
    AVPacket *packet;
    struct lock lock;           /* guards the fields below */
    struct decoder *idle[IDLE_DECODERS];        /* [n_idle] decoders that no thread uses at the moment */
    int n_idle;
};

static uint32_t crc_of(const struct record *record, const uint8_t *data)
{
    const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE_LE);
    uint32_t crc = av_crc(table, 0, data, record->size);
    crc = av_crc(table, crc, (const uint8_t *)&record->run, sizeof record->run);
    return av_crc(table, crc, (const uint8_t *)&record->interval, sizeof record->interval);
}

static int failed(const struct picture_file *file, int r, const char *what, struct error *err)
{
    return error_set(err, r, "%s: %s: %s", file->path, what, strerror(-r));
}

/* ---- decoders ---------------------------------------------------------------------------------------------------- */

static void decoder_close(struct decoder *d)
{
    if (!d)
        return;
    avcodec_free_context(&d->codec);
    av_packet_free(&d->packet);
    av_frame_free(&d->frame);
    free(d);
}

static struct decoder *decoder_open(const struct picture_file *file)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_FFVHUFF);
    struct decoder *d = calloc(1, sizeof *d);
    if (!codec || !d)
        goto fail;
    d->codec = avcodec_alloc_context3(codec);
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    if (!d->codec || !d->packet || !d->frame)
        goto fail;
    size_t size = (size_t)file->encoder->extradata_size;
    d->codec->width = file->options.width;
    d->codec->height = file->options.height;
    d->codec->thread_count = 1;
    d->codec->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!d->codec->extradata)
        goto fail;
    memcpy(d->codec->extradata, file->encoder->extradata, size);
    d->codec->extradata_size = (int)size;
    if (avcodec_open2(d->codec, codec, NULL) == 0)
        return d;
fail:
    decoder_close(d);
    return NULL;
}

static struct decoder *take_decoder(struct picture_file *file)
{
    lock_take(&file->lock);
    struct decoder *d = file->n_idle > 0 ? file->idle[--file->n_idle] : NULL;
    lock_give(&file->lock);
    return d ? d : decoder_open(file);
}

static void give_decoder(struct picture_file *file, struct decoder *d)
{
    lock_take(&file->lock);
    bool kept = file->n_idle < IDLE_DECODERS;
    if (kept)
        file->idle[file->n_idle++] = d;
    lock_give(&file->lock);
    if (!kept)
        decoder_close(d);
}

static int decode(const struct picture_file *file, struct decoder *d, const struct entry *e, uint8_t *pixels)
{
    size_t w = (size_t)file->options.width;
    if (av_new_packet(d->packet, (int)e->record.size) < 0)
        return -ENOMEM;
    int r = 0;
    ssize_t n = pread(file->fd, d->packet->data, e->record.size, (off_t)(e->offset + sizeof e->record));
    if (n != (ssize_t)e->record.size || crc_of(&e->record, d->packet->data) != e->record.crc)
        r = n < 0 ? -errno : -EIO;
    d->packet->flags |= AV_PKT_FLAG_KEY;
    if (r == 0 && (avcodec_send_packet(d->codec, d->packet) < 0 || avcodec_receive_frame(d->codec, d->frame) < 0 ||
                   d->frame->format != AV_PIX_FMT_GRAY8 || d->frame->width != file->options.width ||
                   d->frame->height != file->options.height))
        r = -EIO;
    for (int y = 0; r == 0 && y < file->options.height; y++)
        memcpy(pixels + (size_t)y * w, d->frame->data[0] + y * d->frame->linesize[0], w);
    av_frame_unref(d->frame);
    av_packet_unref(d->packet);
    return r;
}

int picture_file_read(struct picture_file *file, size_t i, uint8_t *pixels, struct error *err)
{
    struct decoder *d = take_decoder(file);
    if (!d)
        return failed(file, -ENOMEM, "cannot open the decoder", err);
    int r = decode(file, d, &file->entries[i], pixels);
    give_decoder(file, d);
    return r < 0 ? error_set(err, r, "%s: picture %zu is damaged: %s", file->path, i, strerror(-r)) : 0;
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

static int encoder_open(struct picture_file *file, struct error *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_FFVHUFF);
    file->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    file->frame = av_frame_alloc();
    file->packet = av_packet_alloc();
    if (!file->encoder || !file->frame || !file->packet)
        return failed(file, -ENOMEM, "cannot open the encoder", err);
    file->encoder->width = file->frame->width = file->options.width;
    file->encoder->height = file->frame->height = file->options.height;
    file->encoder->pix_fmt = AV_PIX_FMT_GRAY8;
    file->frame->format = AV_PIX_FMT_GRAY8;
    file->encoder->time_base = (AVRational){1, 25};
    file->encoder->thread_count = 1;
    file->encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    av_opt_set(file->encoder->priv_data, "pred", "median", 0);
    if (avcodec_open2(file->encoder, codec, NULL) < 0 || av_frame_get_buffer(file->frame, 0) < 0 ||
        file->encoder->extradata_size > MAX_TABLES)
        return failed(file, -EINVAL, "cannot open the encoder for pictures of this size", err);
    return 0;
}

static int write_all(int fd, const void *data, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

static int note(struct picture_file *file, const struct record *record)
{
    if (file->n == file->room) {
        size_t room = file->room ? 2 * file->room : 1024;
        struct entry *entries = realloc(file->entries, room * sizeof *entries);
        if (!entries)
            return -ENOMEM;
        file->entries = entries;
        file->room = room;
    }
    file->entries[file->n++] = (struct entry){file->end, *record};
    file->end += sizeof *record + record->size;
    return 0;
}

int picture_file_add(struct picture_file *file, const uint8_t *pixels, uint32_t run, float interval, struct error *err)
{
    size_t w = (size_t)file->options.width;
    if (av_frame_make_writable(file->frame) < 0)
        return failed(file, -ENOMEM, "cannot compress a picture", err);
    for (int y = 0; y < file->options.height; y++)
        memcpy(file->frame->data[0] + y * file->frame->linesize[0], pixels + (size_t)y * w, w);
    file->frame->pts = (int64_t)file->n;
    if (avcodec_send_frame(file->encoder, file->frame) < 0 || avcodec_receive_packet(file->encoder, file->packet) < 0)
        return failed(file, -EIO, "cannot compress a picture", err);
    struct record record = {.size = (uint32_t)file->packet->size, .run = run, .interval = interval};
    record.crc = crc_of(&record, file->packet->data);
    bool due = file->options.sync_us > 0 && monotonic_us() - file->synced_us >= file->options.sync_us;
    int r = due ? picture_file_sync(file, err) : 0;
    if (r == 0 && file->end + sizeof record + record.size > file->options.max_bytes)
        r = error_set(err, -EFBIG, "%s: the footage exceeds %zu MiB on disk", file->path, file->options.max_bytes >> 20);
    if (r == 0 && ((r = write_all(file->fd, file->packet->data, record.size, file->end + sizeof record)) < 0 ||
                   (r = write_all(file->fd, &record, sizeof record, file->end)) < 0 || (r = note(file, &record)) < 0))
        failed(file, r, "cannot be written", err);
    file->dirty = file->dirty || r == 0;
    av_packet_unref(file->packet);
    return r;
}

int picture_file_sync(struct picture_file *file, struct error *err)
{
    file->synced_us = monotonic_us();
    if (!file->dirty)
        return 0;
    if (fdatasync(file->fd) < 0)
        return failed(file, -errno, "cannot be written to the disk", err);
    file->dirty = false;
    return 0;
}

int picture_file_clear(struct picture_file *file, struct error *err)
{
    if (file->n == 0)
        return 0;
    if (ftruncate(file->fd, (off_t)file->entries[0].offset) < 0)
        return failed(file, -errno, "cannot be emptied", err);
    file->end = file->entries[0].offset;
    file->n = 0;
    file->dirty = true;
    return 0;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Reads bytes that the file has. */
static int read_all(int fd, void *data, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* Notes the sound records up to `size`, and marks those whose picture is damaged. data: room for `most` bytes. */
static int scan_records(struct picture_file *file, uint64_t size, uint8_t *data, size_t most)
{
    struct record record;
    uint64_t at = file->end, first = at;
    int r = 0;
    while (r == 0 && at + sizeof record <= size) {
        if ((r = read_all(file->fd, &record, sizeof record, at)) < 0)
            break;
        uint64_t next = at + sizeof record + record.size;
        if (record.size == 0 || record.size > most || next > size)
            break;
        if ((r = read_all(file->fd, data, record.size, at + sizeof record)) < 0)
            break;
        if (crc_of(&record, data) != record.crc) {
            file->lost++;
            file->lost_bytes += next - at;
            record.run = 0;
            record.interval = 0;
            record.crc = crc_of(&record, data);
            r = write_all(file->fd, &record, sizeof record, at);
        } else if (record.run > 0) {
            file->end = at;
            r = note(file, &record);
        }
        at = next;
    }
    if (at < size) {
        uint64_t mean = file->n > 0 ? (file->end - first) / file->n : size;
        file->lost += (size_t)((size - at + mean - 1) / mean);
        file->lost_bytes += size - at;
    }
    return r;
}

/* Checks that an existing file has the header that a new one would get, and all of its records. */
static int scan(struct picture_file *file, const void *expected, size_t header_size, uint64_t size, struct error *err)
{
    unsigned char found[sizeof(struct header) + MAX_TABLES];
    if (pread(file->fd, found, header_size, 0) != (ssize_t)header_size || memcmp(found, expected, header_size) != 0)
        return error_set(err, -EINVAL, "%s: expected recorded footage of %dx%d at %g frames a second, got another file; "
                         "remove it to begin anew", file->path, file->options.width, file->options.height,
                         file->options.fps);
    file->end = header_size;
    /* A Huffman code has at most 32 bits, so that no picture takes more than four times its pixels. */
    size_t most = 4 * (size_t)file->options.width * (size_t)file->options.height + 65536;
    uint8_t *data = malloc(most);
    if (!data)
        return failed(file, -ENOMEM, "cannot be read", err);
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    int r = scan_records(file, size, data, most);
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_NORMAL);
    free(data);
    if (r < 0)
        return failed(file, r, "cannot be read", err);
    /* Cut the rest: once pictures are written over it, what is left of it could be read as a record behind them. */
    if (ftruncate(file->fd, (off_t)file->end) < 0)
        return failed(file, -errno, "cannot be cut to its sound pictures", err);
    file->dirty = file->lost > 0;
    return 0;
}

/* Opens the file that stays, or creates it. Never follows a symbolic link. */
static int open_kept(struct picture_file *file, off_t *size, struct error *err)
{
    struct stat st;
    file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (file->fd < 0 && errno == ELOOP)
        return error_set(err, -ELOOP, "%s: expected a file, got a symbolic link; remove the link", file->path);
    if (file->fd < 0 || fstat(file->fd, &st) < 0)
        return failed(file, -errno, "cannot be opened", err);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%s: expected a regular file, got a device, a pipe or a socket; remove it", file->path);
    if (flock(file->fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, -EBUSY, "%s: another process writes this file; wait until it has ended", file->path);
    *size = st.st_size;
    return 0;
}

/* Creates a file that loses its name at once. A file at the path stays. */
static int open_unnamed(struct picture_file *file, struct error *err)
{
    struct new_file unnamed;
    int r = new_file_open(&unnamed, file->path, true, err);
    if (r < 0)
        return r;
    unlink(unnamed.temporary);
    file->fd = unnamed.fd;
    return 0;
}

int picture_file_open(struct picture_file **ret, const char *path, const struct picture_file_options *options,
                      struct error *err)
{
    struct picture_file *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path))) {
        free(file);
        return error_set(err, -ENOMEM, "out of memory");
    }
    file->options = *options;
    file->fd = -1;
    lock_init(&file->lock, LOCK_PICTURE_FILE);
    int r = encoder_open(file, err);
    if (r < 0)
        goto fail;
    unsigned char bytes[sizeof(struct header) + MAX_TABLES] = {0};
    struct header header = {.width = options->width, .height = options->height, .fps = options->fps,
                            .tables_size = (uint32_t)file->encoder->extradata_size};
    memcpy(header.magic, magic, sizeof magic);
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, file->encoder->extradata, header.tables_size);
    size_t header_size = sizeof header + header.tables_size;

    off_t size = 0;
    if ((r = options->keep ? open_kept(file, &size, err) : open_unnamed(file, err)) < 0)
        goto fail;
    if (size > 0) {
        r = scan(file, bytes, header_size, (uint64_t)size, err);
    } else {
        if ((r = write_all(file->fd, bytes, header_size, 0)) < 0)
            failed(file, r, "cannot be written", err);
        file->end = header_size;
        file->dirty = options->keep;
    }
    if (r < 0 || (r = picture_file_sync(file, err)) < 0)
        goto fail;
    if (options->keep)
        new_file_sync_folder(path);
    *ret = file;
    return 0;
fail:
    picture_file_close(file);
    return r;
}

int picture_file_size(const char *path, int *width, int *height, struct error *err)
{
    enum { MAX_SIDE = 8192 };
    struct header header = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    ssize_t n = fd < 0 ? -1 : pread(fd, &header, sizeof header, 0);
    int r = n < 0 ? -errno : n > 0;
    if (fd >= 0)
        close(fd);
    if (r < 0)
        return error_set(err, r, "%s: cannot be read: %s", path, strerror(-r));
    if (r == 0)
        return 0;
    if (n != (ssize_t)sizeof header || memcmp(header.magic, magic, sizeof magic) != 0 || header.width < 1 ||
        header.width > MAX_SIDE || header.height < 1 || header.height > MAX_SIDE)
        return error_set(err, -EINVAL, "%s: expected footage that memaed recorded, got another file; remove it to begin anew",
                         path);
    *width = header.width;
    *height = header.height;
    return 1;
}

void picture_file_close(struct picture_file *file)
{
    if (!file)
        return;
    while (file->n_idle > 0)
        decoder_close(file->idle[--file->n_idle]);
    lock_destroy(&file->lock);
    avcodec_free_context(&file->encoder);
    av_frame_free(&file->frame);
    av_packet_free(&file->packet);
    if (file->fd >= 0)
        close(file->fd);
    free(file->entries);
    free(file->path);
    free(file);
}

size_t picture_file_count(const struct picture_file *file)
{
    return file->n;
}

size_t picture_file_bytes(const struct picture_file *file)
{
    return file->end;
}

size_t picture_file_lost(const struct picture_file *file, uint64_t *bytes)
{
    if (bytes)
        *bytes = file->lost_bytes;
    return file->lost;
}

bool picture_file_follows(const struct picture_file *file, size_t i)
{
    const struct entry *e = &file->entries[i];
    return i > 0 && e[-1].offset + sizeof e->record + e[-1].record.size == e->offset;
}

void picture_file_numbers(const struct picture_file *file, size_t i, uint32_t *run, float *interval)
{
    *run = file->entries[i].record.run;
    *interval = file->entries[i].record.interval;
}

/* Writes a clip (io/video/packets/clip_file.h) in a process of its own, with least rights: the muxers parse what a camera
 * sent. The process has the shared memory that the packets lie in, and one descriptor, to which it may write. What it tells is
 * checked as if an attacker had written it. An attacker could write anything to the clip of his camera, and nothing else.
 *
 * Without a host, the caller writes the file itself.
 *
 * One thread owns a writer. Calls wait for the process, and thereby for the disk, for CLIP_WRITER_WAIT_MS at most. Never logs. */
#ifndef MEMAED_IO_CAPTURE_CLIP_WRITER_H
#define MEMAED_IO_CAPTURE_CLIP_WRITER_H

#include <stdbool.h>

#include "core/error.h"
#include "core/zones/burning.h"
#include "io/capture/host.h"
#include "io/video/packets/clip_file.h"

enum { CLIP_WRITER_WAIT_MS = 5000, CLIP_WRITER_LONGEST = 1920 };        /* pixels of the longer side of a masked clip */

struct clip_writer;

/* host NULL: none. fd is empty, and stays the caller's. The others are as in clip_file_open(); also -EPROTO, -EIO, -ETIMEDOUT
 * of a process that breaks the protocol, dies or hangs. */
int clip_writer_open(struct clip_writer **ret, struct capture_host *host, int fd, const struct packet_stream *stream,
                     const struct packet_stream *audio, struct error *err);
/* The same, of a file in H.264 with privacy masks burned in (io/reencode/reencode.h), MP4 whatever the stream is. privacy is
 * copied. A process works at its own pace; without a host, clip_writer_add() waits. */
int clip_writer_open_masked(struct clip_writer **ret, struct capture_host *host, int fd, const struct packet_stream *stream,
                            const struct packet_stream *audio, const struct privacy *privacy, struct error *err);
/* Adds as many of n packets as there is room for now; *taken of them. Waits for no encoder where there is a host. Returns as
 * clip_writer_add(). */
int clip_writer_offer(struct clip_writer *writer, struct packet *const *packets, size_t n, size_t *taken, struct error *err);
/* Returns true if packets that were taken are still to be encoded. clip_writer_close() would drop them. */
bool clip_writer_is_behind(const struct clip_writer *writer);
/* Adds n packets. 0; -errno with the cause in err: nothing more can be added. */
int clip_writer_add(struct clip_writer *writer, struct packet *const *packets, size_t n, struct error *err);
/* As clip_file_stats(), as of the last answer of the process. */
void clip_writer_stats(const struct clip_writer *writer, struct clip_file_stats *ret);
/* As clip_file_close(). Takes NULL, and *ret is then untouched. After a failure, the file may go on behind ret->bytes. */
int clip_writer_close(struct clip_writer *writer, struct clip_file_stats *ret, struct error *err);

#endif

/* Decodes a clip and encodes it again. Packets of any codec go in; a fragmented MP4 with H.264 (io/video/packets/clip_file.h)
 * comes out, as every browser plays it. Pictures are as a viewer shows them: turned, with square pixels. Privacy masks are burned
 * in before anything is encoded (core/zones/burning.h).
 *
 * The packets' times stay; those that are missing or leap are replaced as in any clip. The picture of a packet that cannot be
 * decoded is left out. With masks, a damaged picture is left out, too, because it may show at another place what a mask covers.
 *
 * Audio is copied as it was coded if browsers play it in MP4 (AAC, MP3, Opus); else it becomes AAC (audio_encoder.h). Without a
 * decoder or an encoder for it, the file has none. Masks do not change it. MP2 out of an MP4 is taken for MP3, because MP4 has
 * one name for both.
 *
 * Decoders read what a camera sent, so this belongs into a process with least rights (io/capture/). One thread owns it. Never
 * logs. */
#ifndef MEMAED_IO_REENCODE_REENCODE_H
#define MEMAED_IO_REENCODE_REENCODE_H

#include "core/error.h"
#include "core/zones/burning.h"
#include "io/video/packets/clip_file.h"

struct reencode;

struct reencode_options {
    const struct privacy *privacy;      /* copied; privacy_check() accepts it. NULL: none */
    int longest;                        /* pixels of the longer side at most */
    bool live;                          /* packets come as a camera sends them: each is encoded at once, and fast */
};

/* fd is empty, and stays the caller's. audio NULL: there is none; copied. 0; -ENOSYS: there is no encoder; -EINVAL: no decoder
 * for the codec; -ENOMEM; with the cause in err. */
int reencode_open(struct reencode **ret, int fd, const struct packet_stream *stream, const struct packet_stream *audio,
                  const struct reencode_options *options, struct error *err);
/* The next packet of the stream or its audio. One of the audio is kept until its pictures are encoded. Returns as
 * clip_file_add(). */
int reencode_add(struct reencode *reencode, struct packet *packet, struct error *err);
/* Figures of the file. */
void reencode_stats(const struct reencode *reencode, struct clip_file_stats *ret);
/* Writes what is still being decoded and encoded, and ends the file. Returns as clip_file_close(), and -EINVAL if there was no
 * picture. Frees it in any case. Takes NULL, and *ret is then untouched. */
int reencode_close(struct reencode *reencode, struct clip_file_stats *ret, struct error *err);

#endif

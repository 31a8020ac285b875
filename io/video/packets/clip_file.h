/* A clip: the packets of a stream, and of the audio beside it where there is some, copied into a file, without decoding.
 *
 * The file is fragmented MP4, or Matroska for codecs that MP4 holds badly or not at all. It can be played from its first byte
 * while it is written, and after a crash. What is written ends with a whole fragment or cluster, of half a second at most. A
 * fragment begins with a key frame where there is one. clip_file_close() adds an index for seeking: in MP4 a `sidx` box, in the
 * place that a `free` box has kept behind the header.
 *
 * Audio begins with the first picture. It is heard when its time stamp says, on the time line of the pictures; audio_clock.h
 * says what is done about stamps that lie. Audio that the muxer refuses, or for which memory is short, is left out: it never
 * costs the video.
 *
 * Times begin at 0. Time stamps that are missing, go back or leap are replaced by the time of arrival, so that they rise
 * strictly. The difference between decoding and presentation time stays.
 *
 * The muxers of libavformat parse parameter sets and packets, which may be hostile. io/capture/clip_writer.h runs this in a
 * process with least rights. It needs only write(2) and lseek(2) on its descriptor.
 *
 * One thread owns a clip file. Never logs. */
#ifndef MEMAED_IO_VIDEO_PACKETS_CLIP_FILE_H
#define MEMAED_IO_VIDEO_PACKETS_CLIP_FILE_H

#include "core/error.h"
#include "io/video/packets/codec_string.h"
#include "io/video/packets/packet.h"

struct clip_file;

struct clip_file_stats {
    int64_t bytes;              /* of the file up to its last whole fragment or cluster: the rest can be cut off */
    int64_t duration_us;        /* of what lies there */
    uint64_t packets;           /* the same; of the video */
    uint64_t repaired;          /* packets of the video whose times were replaced */
    uint64_t audio_packets;     /* that were written */
    uint64_t audio_lost;        /* that the muxer refused, or that there was no memory for */
    char codecs[CODEC_STRING_SIZE];     /* of the streams of an MP4, by codec_string(): "avc1.64001f,mp4a.40.2"; else "" */
};

/* "mp4" or "mkv": how a file of these streams ends. audio NULL: there is none. */
const char *clip_file_extension(const struct packet_format *format, const struct packet_format *audio);

/* Begins a file at the start of fd, which is empty and stays the caller's. audio NULL: there is none. 0; -EINVAL: no file can
 * hold the stream, with the cause in err; -ENOMEM. The header is written with the first packets. */
int clip_file_open(struct clip_file **ret, int fd, const struct packet_stream *stream, const struct packet_stream *audio,
                   struct error *err);

/* Adds the next packet; the first one of the video is a key frame. packet is borrowed for the call. One of the video may be of
 * another stream that follows (packet_stream_follows()); one of the audio is of the stream that the file was opened with. 0;
 * -errno with the cause in err: nothing more can be added, and what is there can be played. */
int clip_file_add(struct clip_file *clip, const struct packet *packet, struct error *err);

void clip_file_stats(const struct clip_file *clip, struct clip_file_stats *ret);

/* Ends the file, and writes the last figures to *ret. 0; -errno with the cause in err: as with clip_file_add(). Frees it in
 * any case. */
int clip_file_close(struct clip_file *clip, struct clip_file_stats *ret, struct error *err);

#endif

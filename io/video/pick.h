/* Picks the pictures of a stream that are analysed, by their timestamps (io/video/pacing.h). Before that, finds packets
 * that need not be decoded (io/video/skip.h); after that, the gray picture at the model's size (io/video/gray.h). One
 * thread owns a pick. */
#ifndef MEMAED_IO_VIDEO_PICK_H
#define MEMAED_IO_VIDEO_PICK_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "io/video/demux.h"
#include "io/video/source.h"

struct pick;

/* fps: pictures to pick a second; 0: every picture. 0, -ENOMEM. */
int pick_open(struct pick **ret, double fps);
void pick_close(struct pick *pick);             /* takes NULL */

/* The gray pictures have this size from now on. 0; -EINVAL (not 1 to 8192), -ENOMEM: the size stays. */
int pick_resize(struct pick *pick, int width, int height);

/* The stream, before its first packet and whenever its codec has changed. Borrowed for the call. */
void pick_start(struct pick *pick, const struct demux_stream *stream);

/* Says how much of the stream's next packet, which came at arrival_us (CLOCK_MONOTONIC), the decoder may skip. AVDISCARD_ALL:
 * the packet need not be decoded. */
enum AVDiscard pick_packet(struct pick *pick, const AVPacket *packet, int64_t arrival_us);

/* Takes the stream's next picture. arrival_us: when the packet came after which the decoder gave it; not used for a source
 * that is not live. true: it is picked. *pts_us is its time, on a clock that starts at 0 and rises strictly. *cause, written only
 * if it is picked: why the sequence broke since the picture picked before. */
bool pick_picture(struct pick *pick, const AVFrame *picture, int64_t arrival_us, int64_t *pts_us, enum source_break *cause);
/* The sequence breaks before the next picture: packets were lost. */
void pick_break(struct pick *pick);

/* The picture's size as a viewer shows it (io/video/display.h). */
void pick_display(const struct pick *pick, const AVFrame *picture, int *width, int *height);

/* The picture turned to gray, into pixels [height * width]; pick_resize() has set the size. 0; -EINVAL, -ENOMEM, with the
 * cause in err. */
int pick_gray(struct pick *pick, const AVFrame *picture, uint8_t *pixels, struct error *err);

/* Pictures a second that the stream gives, by its last timestamps; 0: unknown. */
double pick_fps(const struct pick *pick);
/* The present source of the times of pictures: time stamps, arrivals or a rate. */
enum source_time pick_time(const struct pick *pick);

#endif

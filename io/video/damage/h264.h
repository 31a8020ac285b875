/* Finds pictures that an H.264 stream has lost, by the frame numbers in its slice headers (ITU-T H.264, 7.4.3). FFmpeg's
 * decoder does not report them: it repeats an earlier picture in place of the lost one. Frame numbers count pictures that
 * others are predicted from, so that a lost picture that no other needs is no damage. After a loss, everything in decoding
 * order is damaged up to the next key frame (an IDR picture, or one with a recovery point).
 *
 * Streams that may leave out frame numbers (gaps_in_frame_num_value_allowed_flag) are not followed. One thread at a time. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_H264_H
#define MEMAED_IO_VIDEO_DAMAGE_H264_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/video/damage/nal.h"

struct h264;

/* extradata [size]: the stream's parameter sets, borrowed for the call; may be NULL. 0, -ENOMEM (*ret untouched). */
int h264_open(struct h264 **ret, const uint8_t *extradata, size_t size);
void h264_close(struct h264 *h264);             /* takes NULL */

/* Other parameter sets follow. */
void h264_extradata(struct h264 *h264, const uint8_t *extradata, size_t size);

/* The stream's next packet, data [size]. corrupt: its picture is damaged, whatever its headers say. */
enum follow_result h264_packet(struct h264 *h264, const uint8_t *data, size_t size, bool corrupt);

#endif

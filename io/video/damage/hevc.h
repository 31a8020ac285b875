/* Follows the references of an HEVC stream by the headers of its packets. FFmpeg's decoder does not report when a picture is
 * predicted from a missing one: it takes a gray picture instead and logs a line.
 *
 * Each picture names the pictures that it may be predicted from, its reference picture set (ITU-T H.265, 8.3.2), by their
 * picture order counts (8.3.1). hevc_packet() keeps the set of pictures that a decoder has, with a mark on those that are
 * damaged. It reads parameter sets and the first slice header of each picture, in Annex B or with lengths (hvcC). Layers
 * above the base layer are left out. A picture may count as damaged although no block of it uses the missing picture.
 *
 * One thread at a time. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_HEVC_H
#define MEMAED_IO_VIDEO_DAMAGE_HEVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/video/damage/nal.h"

struct hevc;

/* extradata [size]: the stream's parameter sets, borrowed for the call; may be NULL. 0, -ENOMEM (*ret untouched). */
int hevc_open(struct hevc **ret, const uint8_t *extradata, size_t size);
void hevc_close(struct hevc *hevc);             /* takes NULL */

/* Other parameter sets follow. */
void hevc_extradata(struct hevc *hevc, const uint8_t *extradata, size_t size);

/* The stream's next packet, data [size]. corrupt: its picture is damaged, whatever its headers say. */
enum follow_result hevc_packet(struct hevc *hevc, const uint8_t *data, size_t size, bool corrupt);

#endif

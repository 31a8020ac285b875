/* NAL units of H.264 and HEVC, and the bits in them. A packet holds them behind start codes (Annex B) or behind their
 * lengths (avcC, hvcC). Nothing is allocated; damaged data gives zeros, never a read past its end. Any thread. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_NAL_H
#define MEMAED_IO_VIDEO_DAMAGE_NAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most bytes of a parameter set that are read; its known parts take fewer. */
enum { NAL_BYTES = 8192 };

/* The result of following the references of a packet's picture. */
enum follow_result {
    FOLLOW_WHOLE,               /* every picture that it may be predicted from is there and whole */
    FOLLOW_NONE,                /* no picture begins in the packet, or it cannot be followed yet: no parameter sets */
    FOLLOW_SPREAD,              /* it may be predicted from a picture that is damaged */
    FOLLOW_DAMAGED,             /* a picture before it is missing, it is corrupt itself, or its headers are broken */
};

/* Reads one NAL unit, nal [size] with its header. */
typedef enum follow_result nal_reader(void *arg, const uint8_t *nal, size_t size, bool corrupt);

/* Calls read for each NAL unit of data [size]; length_bytes 0: Annex B. Returns the worst that it returned, and
 * FOLLOW_DAMAGED if corrupt. */
enum follow_result nal_each(const uint8_t *data, size_t size, int length_bytes, bool corrupt, nal_reader *read, void *arg);
/* The same for the parameter sets of extradata [size], which may be NULL. Returns the length_bytes of packets. */
int nal_each_avcc(const uint8_t *extradata, size_t size, nal_reader *read, void *arg);
int nal_each_hvcc(const uint8_t *extradata, size_t size, nal_reader *read, void *arg);

struct bits {
    const uint8_t *data;
    size_t at, end;             /* in bits */
    bool bad;                   /* read past the end, or a value out of range: the rest is zeros */
};

/* The bytes of a NAL unit behind its header, without emulation prevention, in buffer [most]. */
struct bits nal_payload(uint8_t *buffer, size_t most, const uint8_t *nal, size_t size, size_t header);

unsigned bits_read(struct bits *bits, int n);           /* n: 0 to 32 */
void bits_skip(struct bits *bits, int n);
int bits_ue(struct bits *bits, unsigned most);          /* ue(v); bad where it exceeds most or 2^31 - 2 */
bool bits_left(const struct bits *bits);

#endif

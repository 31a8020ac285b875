#include "io/video/damage/h264.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sections and names are those of ITU-T H.264. */
enum { SLICE = 1, PARTITION_A = 2, IDR = 5, SEI = 6, SPS = 7, PPS = 8, RECOVERY_POINT = 6 };
enum { SPS_MAX = 32, PPS_MAX = 256, HEADER_BYTES = 64 };

struct sps {
    bool set, separate_planes, gaps_allowed;
    int number_bits;            /* of a frame number */
};

struct h264 {
    int length_bytes;           /* before each NAL unit; 0: Annex B */
    struct sps sps[SPS_MAX];
    uint8_t pps_sps[PPS_MAX];   /* 1 + its SPS; 0: not set */
    int number;                 /* of the last picture that others are predicted from; -1: not known */
    bool damaged;               /* all in decoding order, up to the next key frame */
    bool recovery;              /* the packet has a recovery point */
    uint8_t bytes[NAL_BYTES];   /* of the NAL unit being read, without emulation prevention */
};

static void skip_scaling_list(struct bits *b, int n)
{
    int last = 8, next = 8;
    for (int i = 0; i < n && next && !b->bad; i++) {
        int code = bits_ue(b, 1024), delta = code & 1 ? (code + 1) / 2 : -code / 2;
        next = (last + delta + 256) % 256;
        last = next ? next : last;
    }
}

/* seq_parameter_set_data() of 7.3.2.1.1, up to what is needed of it and the flag of gaps. */
static void read_sps(struct h264 *h264, const uint8_t *nal, size_t size)
{
    struct bits bits = nal_payload(h264->bytes, NAL_BYTES, nal, size, 1), *b = &bits;
    struct sps sps = {0};
    int profile = (int)bits_read(b, 8);
    bits_read(b, 16);
    int id = bits_ue(b, SPS_MAX - 1);
    if (profile == 100 || profile == 110 || profile == 122 || profile == 244 || profile == 44 || profile == 83 ||
        profile == 86 || profile == 118 || profile == 128) {
        int chroma = bits_ue(b, 3);
        if (chroma == 3)
            sps.separate_planes = bits_read(b, 1);
        bits_ue(b, 6);                          /* bit depths */
        bits_ue(b, 6);
        bits_read(b, 1);
        if (bits_read(b, 1))
            for (int i = 0; i < (chroma == 3 ? 12 : 8); i++)
                if (bits_read(b, 1))
                    skip_scaling_list(b, i < 6 ? 16 : 64);
    }
    sps.number_bits = bits_ue(b, 12) + 4;
    int order = bits_ue(b, 2);
    if (order == 0) {
        bits_ue(b, 12);
    } else if (order == 1) {
        bits_read(b, 1);
        bits_ue(b, UINT32_MAX);                 /* se(v), as many bits */
        bits_ue(b, UINT32_MAX);
        for (int n = bits_ue(b, 255); n > 0; n--)
            bits_ue(b, UINT32_MAX);
    }
    bits_ue(b, 32);
    sps.gaps_allowed = bits_read(b, 1);
    sps.set = !b->bad;
    if (sps.set)
        h264->sps[id] = sps;
}

static void read_pps(struct h264 *h264, const uint8_t *nal, size_t size)
{
    struct bits bits = nal_payload(h264->bytes, HEADER_BYTES, nal, size, 1), *b = &bits;
    int id = bits_ue(b, PPS_MAX - 1), sps = bits_ue(b, SPS_MAX - 1);
    if (!b->bad)
        h264->pps_sps[id] = (uint8_t)(1 + sps);
}

/* 7.3.2.3 */
static void read_sei(struct h264 *h264, const uint8_t *nal, size_t size)
{
    struct bits bits = nal_payload(h264->bytes, NAL_BYTES, nal, size, 1), *b = &bits;
    while (bits_left(b) && !b->bad) {
        unsigned type = 0, length = 0, byte;
        while ((byte = bits_read(b, 8)) == 255)
            type += byte;
        type += byte;
        while ((byte = bits_read(b, 8)) == 255)
            length += byte;
        length += byte;
        if (type == RECOVERY_POINT && !b->bad) {
            /* With gradual refresh the frame count is above 0, and the decoder tells when the picture is whole. */
            h264->recovery = true;
            return;
        }
        b->at = b->end - b->at > 8 * (size_t)length ? b->at + 8 * (size_t)length : b->end;
    }
}

/* slice_header() of 7.3.3 up to the frame number. */
static enum follow_result read_slice(struct h264 *h264, const uint8_t *nal, size_t size, bool corrupt)
{
    struct bits bits = nal_payload(h264->bytes, HEADER_BYTES, nal, size, 1), *b = &bits;
    bool idr = (nal[0] & 31) == IDR, needed = nal[0] >> 5 & 3;
    bits_ue(b, 1 << 20);                        /* the first macroblock */
    bits_ue(b, 9);
    int pps = bits_ue(b, PPS_MAX - 1);
    if (b->bad || !h264->pps_sps[pps])
        return FOLLOW_NONE;
    const struct sps *sps = &h264->sps[h264->pps_sps[pps] - 1];
    if (!sps->set)
        return FOLLOW_NONE;
    if (sps->separate_planes)
        bits_read(b, 2);
    int number = (int)bits_read(b, sps->number_bits), next = (h264->number + 1) & ((1 << sps->number_bits) - 1);
    if (b->bad)
        return FOLLOW_NONE;
    bool missing = !idr && !sps->gaps_allowed && h264->number >= 0 && number != h264->number && number != next;
    if (idr || h264->recovery)
        h264->damaged = missing = false;
    bool was_damaged = h264->damaged;
    h264->damaged |= missing || (corrupt && needed);
    if (needed)
        h264->number = number;
    return missing || corrupt ? FOLLOW_DAMAGED : was_damaged ? FOLLOW_SPREAD : FOLLOW_WHOLE;
}

static enum follow_result read_nal(void *arg, const uint8_t *nal, size_t size, bool corrupt)
{
    struct h264 *h264 = arg;
    if (size < 2)
        return FOLLOW_NONE;
    switch (nal[0] & 31) {
    case SLICE: case PARTITION_A: case IDR:
        return read_slice(h264, nal, size, corrupt);
    case SEI:
        read_sei(h264, nal, size);
        break;
    case SPS:
        read_sps(h264, nal, size);
        break;
    case PPS:
        read_pps(h264, nal, size);
        break;
    default:
        break;
    }
    return FOLLOW_NONE;
}

enum follow_result h264_packet(struct h264 *h264, const uint8_t *data, size_t size, bool corrupt)
{
    h264->recovery = false;
    return nal_each(data, size, h264->length_bytes, corrupt, read_nal, h264);
}

void h264_extradata(struct h264 *h264, const uint8_t *extradata, size_t size)
{
    h264->length_bytes = nal_each_avcc(extradata, size, read_nal, h264);
}

int h264_open(struct h264 **ret, const uint8_t *extradata, size_t size)
{
    struct h264 *h264 = calloc(1, sizeof *h264);
    if (!h264)
        return -ENOMEM;
    h264->number = -1;
    h264_extradata(h264, extradata, size);
    *ret = h264;
    return 0;
}

void h264_close(struct h264 *h264)
{
    free(h264);
}

#include "io/video/damage/hevc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/video/damage/nal.h"

/* Sections and names are those of ITU-T H.265. */
enum {
    RASL_N = 8, RASL_R = 9, IRAP_FIRST = 16, BLA_LAST = 18, IDR_FIRST = 19, IDR_LAST = 20, CRA = 21, IRAP_LAST = 23,
    SLICE_LAST = 31, SPS = 33, PPS = 34, END_OF_SEQUENCE = 36, END_OF_BITSTREAM = 37,
};
enum { SPS_MAX = 16, PPS_MAX = 64, RPS_MAX = 64, REFS_MAX = 16, LONG_MAX = 33, PICTURES_MAX = 2 * REFS_MAX + LONG_MAX };
enum { HEADER_BYTES = 256 };    /* of a slice: enough for what is read */

/* A short-term reference picture set (7.4.8): differences of picture order counts, the n_before negative ones first. */
struct rps {
    int n_before, n;
    int delta[REFS_MAX];
    bool used[REFS_MAX];        /* by the picture itself, not only by later ones */
};

struct sps {
    bool set, separate_planes, long_term;
    int lsb_bits;               /* of a picture order count in a slice header */
    int n_rps, n_long;
    struct rps rps[RPS_MAX];
    int long_lsb[LONG_MAX];
    bool long_used[LONG_MAX];
};

struct pps {
    bool set, output_flag;
    int sps, extra_bits;
};

struct picture {
    int poc;
    bool damaged;
};

struct hevc {
    int length_bytes;           /* before each NAL unit; 0: Annex B */
    struct sps sps[SPS_MAX];
    struct pps pps[PPS_MAX];
    struct picture pictures[PICTURES_MAX];      /* [n] that may be referred to */
    int n;
    int base_poc;               /* prevTid0Pic of 8.3.1 */
    bool sequence_ended;        /* the next picture begins a coded video sequence; so does the first one */
    bool parsed;                /* a slice header was read without a fault */
    uint8_t bytes[NAL_BYTES];   /* of the NAL unit being read, without emulation prevention */
};

static int bits_for(int values)
{
    int n = 0;
    while (1 << n < values)
        n++;
    return n;
}

/* ---- parameter sets ------------------------------------------------------------------------------------------------ */

static void skip_profile(struct bits *b, int sub_layers)
{
    bool profile[8], level[8];
    bits_skip(b, 88 + 8);
    for (int i = 0; i < sub_layers; i++) {
        profile[i] = bits_read(b, 1);
        level[i] = bits_read(b, 1);
    }
    if (sub_layers > 0)
        bits_skip(b, 2 * (8 - sub_layers));
    for (int i = 0; i < sub_layers; i++)
        bits_skip(b, 88 * profile[i] + 8 * level[i]);
}

static void skip_scaling_lists(struct bits *b)
{
    for (int size = 0; size < 4; size++)
        for (int matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
            if (!bits_read(b, 1)) {
                bits_ue(b, 5);
                continue;
            }
            int coefficients = size == 0 ? 16 : 64;
            if (size > 1)
                bits_ue(b, 1024);
            for (int i = 0; i < coefficients; i++)
                bits_ue(b, 1024);
        }
}

static void add_delta(struct bits *b, struct rps *rps, int delta, bool used)
{
    if (rps->n == REFS_MAX || delta < -(1 << 20) || delta > 1 << 20) {
        b->bad = true;
        return;
    }
    rps->used[rps->n] = used;
    rps->delta[rps->n++] = delta;
}

/* The set `index` of the sequence's n, predicted from an earlier one (7.4.8, equations 7-61 and 7-62). */
static void predict_rps(struct bits *b, struct rps *ret, const struct sps *sps, int index, int n)
{
    int back = index == n ? bits_ue(b, (unsigned)index - 1) + 1 : 1;
    bool negative = bits_read(b, 1);
    int shift = bits_ue(b, 0x7fff) + 1;
    const struct rps *from = &sps->rps[index - back];
    bool used[REFS_MAX + 1], taken[REFS_MAX + 1];
    shift = negative ? -shift : shift;
    for (int j = 0; j <= from->n; j++) {
        used[j] = bits_read(b, 1);
        taken[j] = used[j] || bits_read(b, 1);
    }
    int before = from->n_before;
    for (int j = from->n - 1; j >= before; j--)
        if (from->delta[j] + shift < 0 && taken[j])
            add_delta(b, ret, from->delta[j] + shift, used[j]);
    if (shift < 0 && taken[from->n])
        add_delta(b, ret, shift, used[from->n]);
    for (int j = 0; j < before; j++)
        if (from->delta[j] + shift < 0 && taken[j])
            add_delta(b, ret, from->delta[j] + shift, used[j]);
    ret->n_before = ret->n;
    for (int j = before - 1; j >= 0; j--)
        if (from->delta[j] + shift > 0 && taken[j])
            add_delta(b, ret, from->delta[j] + shift, used[j]);
    if (shift > 0 && taken[from->n])
        add_delta(b, ret, shift, used[from->n]);
    for (int j = before; j < from->n; j++)
        if (from->delta[j] + shift > 0 && taken[j])
            add_delta(b, ret, from->delta[j] + shift, used[j]);
}

/* st_ref_pic_set(index) of 7.3.7, where the sequence has n; index n is a slice's own. */
static void read_rps(struct bits *b, struct rps *ret, const struct sps *sps, int index, int n)
{
    struct rps rps = {0};
    if (index > 0 && bits_read(b, 1)) {
        predict_rps(b, &rps, sps, index, n);
    } else {
        int before = bits_ue(b, REFS_MAX), after = bits_ue(b, REFS_MAX), delta = 0;
        for (int i = 0; i < before && !b->bad; i++) {
            delta -= bits_ue(b, 0x7fff) + 1;
            add_delta(b, &rps, delta, bits_read(b, 1));
        }
        rps.n_before = rps.n;
        delta = 0;
        for (int i = 0; i < after && !b->bad; i++) {
            delta += bits_ue(b, 0x7fff) + 1;
            add_delta(b, &rps, delta, bits_read(b, 1));
        }
    }
    *ret = rps;
}

/* seq_parameter_set_rbsp() of 7.3.2.2, up to what slice headers depend on. */
static void read_sps(struct hevc *hevc, const uint8_t *nal, size_t size)
{
    struct bits bits = nal_payload(hevc->bytes, NAL_BYTES, nal, size, 2), *b = &bits;
    static const struct sps none;
    bits_read(b, 4);
    int sub_layers = (int)bits_read(b, 3);
    bits_read(b, 1);
    skip_profile(b, sub_layers);
    int id = bits_ue(b, SPS_MAX - 1);
    if (b->bad)
        return;
    struct sps *sps = &hevc->sps[id];
    *sps = none;
    if (bits_ue(b, 3) == 3)
        sps->separate_planes = bits_read(b, 1);
    bits_ue(b, 65535);                          /* width, height */
    bits_ue(b, 65535);
    if (bits_read(b, 1))
        for (int i = 0; i < 4; i++)             /* the conformance window */
            bits_ue(b, 65535);
    bits_ue(b, 8);                              /* bit depths */
    bits_ue(b, 8);
    sps->lsb_bits = bits_ue(b, 12) + 4;
    for (int i = bits_read(b, 1) ? 0 : sub_layers; i <= sub_layers; i++)
        for (int k = 0; k < 3; k++)             /* buffering, reordering, latency */
            bits_ue(b, UINT32_MAX);
    for (int i = 0; i < 6; i++)                 /* sizes and depths of blocks */
        bits_ue(b, 32);
    if (bits_read(b, 1) && bits_read(b, 1))
        skip_scaling_lists(b);
    bits_read(b, 2);
    if (bits_read(b, 1)) {                      /* PCM */
        bits_read(b, 8);
        bits_ue(b, 8);
        bits_ue(b, 8);
        bits_read(b, 1);
    }
    sps->n_rps = bits_ue(b, RPS_MAX);
    for (int i = 0; i < sps->n_rps && !b->bad; i++)
        read_rps(b, &sps->rps[i], sps, i, sps->n_rps);
    sps->long_term = bits_read(b, 1);
    sps->n_long = sps->long_term ? bits_ue(b, LONG_MAX - 1) : 0;
    for (int i = 0; i < sps->n_long; i++) {
        sps->long_lsb[i] = (int)bits_read(b, sps->lsb_bits);
        sps->long_used[i] = bits_read(b, 1);
    }
    sps->set = !b->bad;
}

/* pic_parameter_set_rbsp() of 7.3.2.3, up to what slice headers depend on. */
static void read_pps(struct hevc *hevc, const uint8_t *nal, size_t size)
{
    struct bits bits = nal_payload(hevc->bytes, HEADER_BYTES, nal, size, 2), *b = &bits;
    struct pps pps = {0};
    int id = bits_ue(b, PPS_MAX - 1);
    pps.sps = bits_ue(b, SPS_MAX - 1);
    bits_read(b, 1);
    pps.output_flag = bits_read(b, 1);
    pps.extra_bits = (int)bits_read(b, 3);
    pps.set = true;
    if (!b->bad)
        hevc->pps[id] = pps;
}

/* ---- pictures ------------------------------------------------------------------------------------------------------ */

/* The pictures that stay as references behind the current one. */
struct kept {
    struct picture pictures[PICTURES_MAX];
    int n;
    enum follow_result result;    /* of the current picture */
};

/* Keeps the picture whose picture order count, masked, is poc. used: the current picture may be predicted from it. */
static void keep(const struct hevc *hevc, struct kept *kept, int poc, int mask, bool used)
{
    const struct picture *found = NULL;
    for (int i = 0; i < hevc->n && !found; i++)
        if ((hevc->pictures[i].poc & mask) == (poc & mask))
            found = &hevc->pictures[i];
    if (found && kept->n < PICTURES_MAX - 1)
        kept->pictures[kept->n++] = *found;
    if (used && !found)
        kept->result = FOLLOW_DAMAGED;
    else if (used && found->damaged && kept->result == FOLLOW_WHOLE)
        kept->result = FOLLOW_SPREAD;
}

/* The long-term pictures of a slice header (7.3.6.1, 7.4.7.1). */
static void keep_long(const struct hevc *hevc, struct bits *b, const struct sps *sps, int poc, struct kept *kept)
{
    int named = sps->n_long ? bits_ue(b, LONG_MAX - 1) : 0, n = named + bits_ue(b, LONG_MAX - 1), cycles = 0;
    int lsbs = 1 << sps->lsb_bits;
    for (int i = 0; i < n && !b->bad; i++) {
        int at, lsb;
        bool used;
        if (i < named) {
            at = (int)bits_read(b, bits_for(sps->n_long));
            b->bad |= at >= sps->n_long;
            lsb = b->bad ? 0 : sps->long_lsb[at];
            used = !b->bad && sps->long_used[at];
        } else {
            lsb = (int)bits_read(b, sps->lsb_bits);
            used = bits_read(b, 1);
        }
        bool whole = bits_read(b, 1);
        int more = whole ? bits_ue(b, 1 << 15) : 0;
        cycles = i == 0 || i == named ? more : cycles + more;
        if (b->bad || cycles > 1 << 15)
            b->bad = true;
        else if (whole)
            keep(hevc, kept, (int)((unsigned)poc - (unsigned)cycles * (unsigned)lsbs - (unsigned)(poc & (lsbs - 1)) +
                                   (unsigned)lsb), -1, used);
        else
            keep(hevc, kept, lsb, lsbs - 1, used);
    }
}

/* 8.3.1 */
static int picture_order_count(const struct hevc *hevc, const struct sps *sps, int lsb)
{
    unsigned lsbs = 1u << sps->lsb_bits, base = (unsigned)hevc->base_poc;
    int base_lsb = (int)(base & (lsbs - 1)), half = (int)lsbs / 2;
    unsigned msb = base - (unsigned)base_lsb;
    if (lsb < base_lsb && base_lsb - lsb >= half)
        msb += lsbs;
    else if (lsb > base_lsb && lsb - base_lsb > half)
        msb -= lsbs;
    return (int)(msb + (unsigned)lsb);
}

/* A sub-layer non-reference picture, or a leading picture, is no prevTid0Pic. */
static bool is_base(int type, int temporal_id)
{
    bool leading = type >= 6 && type <= RASL_R, unreferred = type <= 14 && type % 2 == 0;
    return temporal_id == 0 && !leading && !unreferred;
}

/* The first slice of a picture: slice_segment_header() of 7.3.6.1 up to the reference picture sets. */
static enum follow_result read_slice(struct hevc *hevc, const uint8_t *nal, size_t size, bool corrupt)
{
    int type = nal[0] >> 1 & 63, temporal_id = (nal[1] & 7) - 1;
    struct bits bits = nal_payload(hevc->bytes, HEADER_BYTES, nal, size, 2), *b = &bits;
    bool irap = type >= IRAP_FIRST && type <= IRAP_LAST, idr = type == IDR_FIRST || type == IDR_LAST;
    if (!bits_read(b, 1))                       /* not the first of its picture */
        return FOLLOW_NONE;
    if (irap)
        bits_read(b, 1);
    const struct pps *pps = &hevc->pps[bits_ue(b, PPS_MAX - 1)];
    const struct sps *sps = &hevc->sps[pps->sps];
    if (b->bad || !pps->set || !sps->set)
        return hevc->parsed ? FOLLOW_DAMAGED : FOLLOW_NONE;
    bits_skip(b, pps->extra_bits);
    bits_ue(b, 2);
    if (pps->output_flag)
        bits_read(b, 1);
    if (sps->separate_planes)
        bits_read(b, 2);

    bool begins = idr || (irap && (type <= BLA_LAST || hevc->sequence_ended));
    struct kept kept = {.result = FOLLOW_WHOLE};
    int poc = 0;
    if (!idr) {
        int lsb = (int)bits_read(b, sps->lsb_bits);
        struct rps rps;
        poc = begins ? lsb : picture_order_count(hevc, sps, lsb);
        if (!bits_read(b, 1)) {
            read_rps(b, &rps, sps, sps->n_rps, sps->n_rps);
        } else {
            int i = sps->n_rps > 0 ? (int)bits_read(b, bits_for(sps->n_rps)) : 0;
            b->bad |= i >= sps->n_rps;
            rps = sps->rps[b->bad ? 0 : i];
        }
        for (int i = 0; i < rps.n && !b->bad && !begins; i++)
            keep(hevc, &kept, (int)((unsigned)poc + (unsigned)rps.delta[i]), -1, rps.used[i]);
        if (sps->long_term && !begins)
            keep_long(hevc, b, sps, poc, &kept);
    }
    if (b->bad)
        return hevc->parsed ? FOLLOW_DAMAGED : FOLLOW_NONE;
    hevc->parsed = true;
    hevc->sequence_ended = false;
    if (is_base(type, temporal_id))
        hevc->base_poc = poc;
    if (irap)
        kept.result = FOLLOW_WHOLE;               /* its references are for the leading pictures that follow */
    if (corrupt)
        kept.result = FOLLOW_DAMAGED;
    kept.pictures[kept.n++] = (struct picture){poc, kept.result != FOLLOW_WHOLE};
    memcpy(hevc->pictures, kept.pictures, sizeof hevc->pictures);
    hevc->n = kept.n;
    return kept.result;
}

/* ---- NAL units ------------------------------------------------------------------------------------------------------ */

static enum follow_result read_nal(void *arg, const uint8_t *nal, size_t size, bool corrupt)
{
    struct hevc *hevc = arg;
    if (size < 3 || (nal[0] & 1) || nal[1] >> 3)        /* of another layer */
        return FOLLOW_NONE;
    int type = nal[0] >> 1 & 63;
    if (type <= SLICE_LAST)
        return read_slice(hevc, nal, size, corrupt);
    if (type == SPS)
        read_sps(hevc, nal, size);
    else if (type == PPS)
        read_pps(hevc, nal, size);
    else if (type == END_OF_SEQUENCE || type == END_OF_BITSTREAM)
        hevc->sequence_ended = true;
    return FOLLOW_NONE;
}

enum follow_result hevc_packet(struct hevc *hevc, const uint8_t *data, size_t size, bool corrupt)
{
    return nal_each(data, size, hevc->length_bytes, corrupt, read_nal, hevc);
}

void hevc_extradata(struct hevc *hevc, const uint8_t *extradata, size_t size)
{
    hevc->length_bytes = nal_each_hvcc(extradata, size, read_nal, hevc);
}

int hevc_open(struct hevc **ret, const uint8_t *extradata, size_t size)
{
    struct hevc *hevc = calloc(1, sizeof *hevc);
    if (!hevc)
        return -ENOMEM;
    hevc->sequence_ended = true;
    hevc_extradata(hevc, extradata, size);
    *ret = hevc;
    return 0;
}

void hevc_close(struct hevc *hevc)
{
    free(hevc);
}

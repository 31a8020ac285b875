/* Convolution and its transpose in 8 bits, for the frozen network: the same walk as core/network/convolution/conv3d.h, with weights that are
 * bytes with a scale for each output channel, and activations that are bytes with a step for each channel.
 *
 * A byte q stands for (q - zero) * step. What an output sees beside the source reads the byte nearest to zero, which is
 * zero itself unless zero is no whole number (a picture whose mean is no gray level): then half a step off at most; what it
 * sees before and after it is left out. All else of the zero point goes into the bias. Sums are exact; so a layer is as
 * right as its weights and bytes are.
 *
 * Activations are channels-last, one sample a call. Immutable once open: any thread, with scratch of its own. */
#ifndef MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_INT8_H
#define MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_INT8_H

#include <stdint.h>

#include "core/network/convolution/conv3d.h"

struct quantum {
    float step, zero;           /* step > 0; 0 <= zero <= 255 */
};

/* The quantum whose bytes reach from low <= 0 to high >= 0, low < high, with 0 a byte of its own. */
struct quantum quantum_of(float low, float high);

struct conv3d_int8_options {
    struct conv3d geometry;
    bool gather;                /* else scatter */
    const float *weight;        /* as PyTorch has it; borrowed for the call, as all here */
    const float *scale;         /* by output channel (a folded norm), or NULL */
    const float *bias;          /* by output channel */
    const struct quantum *in;   /* by input channel */
    enum activation activation;
    float slope;
    const struct quantum *out;  /* the output is bytes, by output channel; NULL: floats */
};

struct conv3d_int8;

/* Whether an output's inputs are few enough: their sum fits 32 bits. */
bool conv3d_int8_possible(const struct conv3d *g, bool gather);

/* 0 or -ENOMEM; for the kernels chosen. It must be possible. */
int conv3d_int8_open(struct conv3d_int8 **ret, const struct conv3d_int8_options *options);
void conv3d_int8_close(struct conv3d_int8 *c);          /* takes NULL */

size_t conv3d_int8_scratch(const struct conv3d_int8 *c);        /* bytes */

/* in: bytes of the input, and INT8_GROUP - 1 more that may be read; out: bytes or floats; scratch aligned as floats are.
 * None overlap. */
void conv3d_int8_run(const struct conv3d_int8 *c, const uint8_t *in, void *out, void *scratch);
/* The same for a gather, of the output's frames begin … end - 1 alone, 0 <= begin < end <= coarse.t, to their places. Of
 * the input the frames from the first to the last that these see are read. */
void conv3d_int8_run_frames(const struct conv3d_int8 *c, int begin, int end, const uint8_t *in, void *out, void *scratch);

#endif

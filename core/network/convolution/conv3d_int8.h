/* Convolution and its transpose in 8 bits, for the frozen network, with the geometry of conv3d.h. Weights are signed bytes
 * with a scale for each output channel. Activations are unsigned bytes with a quantum for each channel: the byte q has the
 * value (q - zero) * step.
 *
 * Padding in space reads the byte nearest to `zero`. Its value is exactly 0 if `zero` is an integer. A picture whose mean is not
 * a gray level has no such `zero`; the error is then at most half a step. Padding in time is left out of the sums. The zero
 * points of the inputs are folded into the bias. Sums are exact, so only weights and activations are rounded.
 *
 * Tensors are one sample, channels last: [t, h, w, c]. A conv3d_int8 is immutable once open: any number of threads run it,
 * each with scratch of its own. */
#ifndef MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_INT8_H
#define MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_INT8_H

#include <stdint.h>

#include "core/network/convolution/conv3d.h"

struct quantum {
    float step, zero;           /* step > 0; 0 <= zero <= 255 */
};

/* The quantum whose bytes cover low <= 0 to high >= 0, low < high, with an integer `zero`, so that 0 is exact. */
struct quantum quantum_of(float low, float high);

struct conv3d_int8_options {
    struct conv3d geometry;
    bool gather;                /* else scatter */
    const float *weight;        /* in PyTorch's layout */
    const float *scale;         /* [output channels], multiplies the weight (a folded norm); NULL: 1 */
    const float *bias;          /* [output channels] */
    const struct quantum *in;   /* [input channels] */
    enum activation activation;
    float slope;
    const struct quantum *out;  /* [output channels] of output bytes; NULL: the output is floats */
};

struct conv3d_int8;

/* Returns true if 8 bits suffice: an output has so few inputs that their sum fits 32 bits. */
bool conv3d_int8_possible(const struct conv3d *g, bool gather);

/* Packs the weights for the kernels that are chosen now. The options and their arrays are borrowed for the call;
 * conv3d_int8_possible() must hold. 0 or -ENOMEM, *ret untouched. */
int conv3d_int8_open(struct conv3d_int8 **ret, const struct conv3d_int8_options *options);
void conv3d_int8_close(struct conv3d_int8 *c);          /* takes NULL */

size_t conv3d_int8_scratch(const struct conv3d_int8 *c);        /* bytes */

/* in: the input's bytes, followed by INT8_GROUP - 1 bytes that may be read. out: bytes or floats. scratch: as aligned as
 * floats. All are borrowed and must not alias. */
void conv3d_int8_run(const struct conv3d_int8 *c, const uint8_t *in, void *out, void *scratch);
/* For a gather: writes only frames begin … end - 1 of the output, to their places; 0 <= begin < end <= coarse.t. Reads only
 * the frames of the input under the taps of these. */
void conv3d_int8_run_frames(const struct conv3d_int8 *c, int begin, int end, const uint8_t *in, void *out, void *scratch);

#endif

/* Strided 3-D convolution and its transpose, direct: register tiles (core/kernels/kernels.h) read their inputs where they lie,
 * through pointers to the channels of each tap, and no im2row ever exists.
 *
 * One geometry serves both. A convolution relates a fine tensor [t, h, w, fine.c] to a coarse one [t', h', w', coarse.c]:
 *   gather    coarse = Σ over taps of fine · W            conv3d forward,  deconv3d backward to its input
 *   scatter   fine   = Σ over taps of coarse · Wᵀ         deconv3d forward, conv3d backward to its input
 *   gradient  of W from both                              of either
 * and PyTorch's weight is [coarse.c, fine.c, kt, kh, kw] for either. Scatter runs by output phase: the fine positions that
 * are equal modulo the stride see the same taps, so no zero is multiplied and each output is written once; where the fine
 * side has a few channels only it multiplies first and adds up the taps afterwards.
 *
 * Activations are channels-last, one sample a call. Pointers are borrowed for the call and must not alias; scratch is
 * conv3d_scratch() floats. Pure, any thread. */
#ifndef MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_H
#define MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_H

#include "core/network/arch.h"

struct conv3d {
    struct dims fine, coarse;
    int kernel[3], stride[3], padding[3];
};

/* What is done to each output while it is in cache: + bias [channels of the output, or NULL], then the activation. */
struct epilogue {
    const float *bias;
    enum activation activation;
    float slope;
};

/* in and out are the layer's, as arch_shapes() gives them. */
void conv3d_init(struct conv3d *ret, const struct layer_spec *spec, struct dims in, struct dims out);

size_t conv3d_weights(const struct conv3d *g);          /* floats of a weight, and of conv3d_gradient()'s */
size_t conv3d_packed(const struct conv3d *g);           /* floats of a packed weight, either way */
size_t conv3d_scratch(const struct conv3d *g);          /* floats */

/* The weight in the order in which the kernels take it, in panels of KERNEL_PANEL output channels: for gather
 * [panels, taps, fine.c, KERNEL_PANEL]; for scatter, phase by phase, [panels, taps of the phase, coarse.c, KERNEL_PANEL].
 * scale multiplies by output channel (a folded norm); NULL: none. */
void conv3d_pack_gather(const struct conv3d *g, const float *weight, const float *scale, float *packed);
void conv3d_pack_scatter(const struct conv3d *g, const float *weight, const float *scale, float *packed);

void conv3d_gather(const struct conv3d *g, const float *fine, const float *packed, const struct epilogue *e,
                   float *coarse, float *scratch);
/* The same, of coarse's frames begin … end - 1 alone, 0 <= begin < end <= coarse.t, to their places. Of fine the frames from
 * the first to the last that these see are read. */
void conv3d_gather_frames(const struct conv3d *g, int begin, int end, const float *fine, const float *packed,
                          const struct epilogue *e, float *coarse, float *scratch);
void conv3d_scatter(const struct conv3d *g, const float *coarse, const float *packed, const struct epilogue *e,
                    float *fine, float *scratch);
/* gradient [taps, fine.c, coarse.c] += … */
void conv3d_gradient(const struct conv3d *g, const float *fine, const float *coarse, float *gradient, float *scratch);
/* From the order of conv3d_gradient to PyTorch's. */
void conv3d_unpack(const struct conv3d *g, const float *gradient, float *weight);

#endif

/* Strided 3-D convolution and its transpose, without im2row: register tiles (core/kernels/kernels.h) read the inputs in
 * place, through a pointer to the channels of each tap.
 *
 * One geometry serves both. A convolution relates a fine tensor [t, h, w, fine.c] and a coarse one [t', h', w', coarse.c] by
 * a weight W. PyTorch stores W as [coarse.c, fine.c, kt, kh, kw] in both cases.
 *   gather    coarse = Σ over taps of fine · W            forward of conv3d, gradient by the input of deconv3d
 *   scatter   fine   = Σ over taps of coarse · Wᵀ         forward of deconv3d, gradient by the input of conv3d
 *   gradient  by W, from fine and coarse                  of both
 *
 * Scatter works by output phase: fine positions that are equal modulo the stride read the same taps. So no zero is multiplied,
 * and each output is written once. If the fine side has few channels, scatter multiplies all taps first and adds them up
 * afterwards.
 *
 * Tensors are one sample, channels last: [t, h, w, c] floats. Pointers are borrowed for the call, must not alias, and need
 * no more than the alignment of floats. scratch has conv3d_scratch() floats. Pure, any thread. */
#ifndef MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_H
#define MEMAED_CORE_NETWORK_CONVOLUTION_CONV3D_H

#include "core/network/arch.h"

struct conv3d {
    struct dims fine, coarse;
    int kernel[3], stride[3], padding[3];
};

/* The last step for each output, done while the output is in cache: activation(sum + bias). */
struct epilogue {
    const float *bias;          /* [output channels] or NULL */
    enum activation activation;
    float slope;
};

/* The geometry of a layer with these shapes of arch_shapes(). */
void conv3d_init(struct conv3d *ret, const struct layer_spec *spec, struct dims in, struct dims out);

size_t conv3d_weights(const struct conv3d *g);          /* floats of a weight, and of its gradient */
size_t conv3d_packed(const struct conv3d *g);           /* floats of a packed weight, for gather or scatter */
size_t conv3d_scratch(const struct conv3d *g);          /* floats */

/* Packs PyTorch's weight for the kernels, in panels of KERNEL_PANEL output channels:
 *   gather                        [panels, taps, fine.c, KERNEL_PANEL]
 *   scatter, phase by phase       [panels, taps of the phase, coarse.c, KERNEL_PANEL]
 *   scatter to few channels       [panels of (taps, fine.c), coarse.c, KERNEL_PANEL]
 * Each weight is multiplied by the scale of its output channel, such as a folded norm's. scale may be NULL. */
void conv3d_pack_gather(const struct conv3d *g, const float *weight, const float *scale, float *packed);
void conv3d_pack_scatter(const struct conv3d *g, const float *weight, const float *scale, float *packed);

void conv3d_gather(const struct conv3d *g, const float *fine, const float *packed, const struct epilogue *e,
                   float *coarse, float *scratch);
/* Writes only frames begin … end - 1 of coarse, to their places; 0 <= begin < end <= coarse.t. Reads only the frames of fine
 * under the taps of these. */
void conv3d_gather_frames(const struct conv3d *g, int begin, int end, const float *fine, const float *packed,
                          const struct epilogue *e, float *coarse, float *scratch);
void conv3d_scatter(const struct conv3d *g, const float *coarse, const float *packed, const struct epilogue *e,
                    float *fine, float *scratch);
/* Adds the gradient by the weight to gradient [taps, fine.c, coarse.c]. One of fine and coarse is the layer's input, the
 * other the gradient by its output. */
void conv3d_gradient(const struct conv3d *g, const float *fine, const float *coarse, float *gradient, float *scratch);
/* Reorders a gradient of conv3d_gradient() to PyTorch's layout of the weight. */
void conv3d_unpack(const struct conv3d *g, const float *gradient, float *weight);

#endif

/* The memory module: every query z (a row of channels) is rewritten as a sparse mixture of the slots. Source: Gong et al.,
 * ICCV 2019, section 3.3, equations 3 to 7; docs/model-format.md for the exact arithmetic.
 *
 * z, ẑ and gradients are [q, c]; slots [n, c]; weights [q, n]. All pointers are borrowed for the call and must not alias.
 * Pure, any thread; different rows may be done by different threads. */
#ifndef MEMAED_CORE_NETWORK_MEMORY_H
#define MEMAED_CORE_NETWORK_MEMORY_H

#include "core/network/arch.h"

struct memory {
    struct memory_spec spec;
    int channels;
};

/* keys [n, c]: what queries are compared with: the slots, of length one for cosine addressing. norms [n] or NULL.
 * columns [c, n]: the keys transposed, as memory_forward() takes them. */
void memory_keys(const struct memory *m, const float *slots, float *keys, float *columns, float *norms);

/* ẑ and weights of q queries. softmax [q, n]: the weights before shrinkage, for the way back; or NULL. scratch: [q, c],
 * used with cosine addressing: the queries of length one. */
void memory_forward(const struct memory *m, const float *slots, const float *columns, const float *z, int q,
                    float *z_hat, float *weights, float *softmax, float *scratch);

/* Mean over queries of -Σ ŵ log(ŵ + 1e-12) is the loss's entropy; this is its sum. */
double memory_entropy(const float *weights, size_t n);

/* The way back. g_z_hat [q, c] is the gradient by ẑ; entropy_scale is what the entropy's sum is multiplied by in the loss.
 * Writes the gradient by z [q, c] and adds to that of the slots [n, c]. norms from memory_keys(); scratch:
 * memory_backward_scratch() floats. */
size_t memory_backward_scratch(const struct memory *m, int q);
void memory_backward(const struct memory *m, const float *slots, const float *keys, const float *norms, const float *z,
                     const float *weights, const float *softmax, int q, const float *g_z_hat, float entropy_scale,
                     float *g_z, float *g_slots, float *scratch);

#endif

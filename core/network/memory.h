/* The memory module: it replaces every query (a position's channels of z) by a sparse mixture of the slots. Source: Gong et
 * al., ICCV 2019, section 3.3, equations 3 to 7; docs/model-format.md has the exact arithmetic.
 *
 * q queries, n slots, c channels, row-major: z, ẑ and their gradients are [q, c]; slots [n, c]; weights [q, n]. Floats need
 * no more than their own alignment. All pointers are borrowed for the call and must not alias. Pure, any thread; several
 * threads may work on different rows at once. */
#ifndef MEMAED_CORE_NETWORK_MEMORY_H
#define MEMAED_CORE_NETWORK_MEMORY_H

#include "core/network/arch.h"

struct memory {
    struct memory_spec spec;
    int channels;
};

/* Prepares the slots for addressing. Writes
 *   keys [n, c]      the vectors that queries are compared with: the slots, scaled to length 1 for cosine similarity
 *   columns [c, n]   the keys transposed, for memory_forward()
 *   norms [n]        the lengths of the slots, for memory_backward(); only for cosine similarity; may be NULL */
void memory_keys(const struct memory *m, const float *slots, float *keys, float *columns, float *norms);

/* Writes ẑ and the weights of q queries. softmax [q, n] receives the weights before shrinkage, for memory_backward(); it may
 * be NULL. scratch: [q, c], used for cosine similarity only. */
void memory_forward(const struct memory *m, const float *slots, const float *columns, const float *z, int q,
                    float *z_hat, float *weights, float *softmax, float *scratch);

/* Returns -Σ ŵ log(ŵ + 1e-12) over n weights. The loss contains the mean of it over queries. */
double memory_entropy(const float *weights, size_t n);

/* The backward pass, from the gradient by ẑ, g_z_hat [q, c], and the results of memory_keys() and memory_forward().
 * entropy_scale is the factor of memory_entropy() in the loss. Writes the gradient by z, g_z [q, c], and adds to the
 * gradient by the slots, g_slots [n, c]. scratch: memory_backward_scratch() floats. */
size_t memory_backward_scratch(const struct memory *m, int q);
void memory_backward(const struct memory *m, const float *slots, const float *keys, const float *norms, const float *z,
                     const float *weights, const float *softmax, int q, const float *g_z_hat, float entropy_scale,
                     float *g_z, float *g_slots, float *scratch);

#endif

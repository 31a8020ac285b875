/* Kernels: the loops that run over every element, one table of them per instruction set. All tables come from one body in C
 * (kernels_body.h), compiled for each instruction set. So one binary runs on every x86-64 and uses its newest set.
 * kernels_choose() sets `kernels` once, by CPU flags and MEMAED_CPU; until then it is the C table.
 *
 * Pure, any thread. Arrays are borrowed for the call, must not alias unless stated, and need only the alignment of their
 * elements. Shapes are given as [outer, inner], row-major. */
#ifndef MEMAED_CORE_KERNELS_KERNELS_H
#define MEMAED_CORE_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kernels/activation.h"

/* The sums of kernels->motion(): products of the gradients along x, y and t, then three sums of squares: of the change of the
 * residual, of the difference from the previous frame, and of the residual. */
enum { MOTION_XX, MOTION_XY, MOTION_YY, MOTION_XT, MOTION_YT, MOTION_CHANGE, MOTION_DIFFERENCE, MOTION_ERROR, MOTION_SUMS };

/* Convolution multiplies rows of inputs in place, without im2row, by weights in panels of KERNEL_PANEL output channels. The
 * last panel is padded with zeros. */
enum { KERNEL_PANEL = 16,
       KERNEL_MAX_TILE_ROWS = 16 };

/* Products of n_rows output positions. A run is k successive inputs, such as a tap's channels.
 * out[r][j] = activation(Σ over runs and i < k of rows[run][r][i] * w[j][run*k + i] + bias[j]), j < n. */
struct row_products {
    const void *const *rows;        /* [tiles, runs, tile_rows] pointers to k floats; those past n_rows are not read */
    void *const *out;               /* [n_rows] pointers to n floats that do not overlap */
    size_t n_rows, runs, k, n;
    const float *weight;            /* [panels, panel_step]; of each panel the first [runs*k, KERNEL_PANEL] are used */
    size_t panel_step;              /* floats from a panel to the next */
    const float *bias;              /* [n] or NULL */
    bool add;                       /* add to the old values of out instead of to the bias */
    enum activation activation;
    float slope;
};

/* Outer products, for the gradient of a weight.
 * c[r*ldc + j] += Σ over l < lines and i < count of rows[r][l*a_line + i*a_step] * b[l*b_line + i*b_step + j], for
 * r < n_rows <= tile_rows, j < n. Reads b in whole panels: KERNEL_PANEL * ⌈n / KERNEL_PANEL⌉ floats per row. */
struct outer_products {
    const float *rows[KERNEL_MAX_TILE_ROWS];
    size_t n_rows, a_step, a_line;
    const float *b;
    size_t b_step, b_line, count, lines, n;
    float *c;
    size_t ldc;
};

struct kernels {
    const char *name;               /* "c", "avx2", "avx512" */
    size_t tile_rows;               /* of row_products and outer_products; at most KERNEL_MAX_TILE_ROWS */

    void (*row_products)(const struct row_products *p);
    void (*outer_products)(const struct outer_products *p);

    /* to[j][r] += x[r*n + j] for r < rows and all j < n with to[j] not NULL. n is a multiple of KERNEL_PANEL. The arrays of
     * `to` do not overlap. */
    void (*add_columns)(float *const *to, const float *x, size_t rows, size_t n);

    /* to[i*step] = activation(Σ over p < n_from of from[p][i] + bias), i < n. */
    void (*join_columns)(float *to, size_t step, const float *const *from, size_t n_from, size_t n, float bias,
                         enum activation activation, float slope);

    /* dst[r*stride + i] = activation(src[r*n + i] * scale[i] + shift[i]) for r < rows, i < n. scale, shift: [n] or NULL.
     * dst may alias src if stride is n. */
    void (*affine_activation)(float *dst, size_t stride, const float *src, const float *scale, const float *shift,
                              size_t rows, size_t n, enum activation activation, float slope);

    /* dst[i] = src[i] * scale + shift */
    void (*bytes_to_float)(float *dst, const uint8_t *src, size_t n, float scale, float shift);

    /* c = a · b, row-major and dense: a [m, k], b [k, n], c [m, n]. For small products; see core/network/product.h. */
    void (*product)(float *c, const float *a, const float *b, size_t m, size_t n, size_t k);

    /* Σ over rows of the Euclidean norm of a - b over n channels. */
    double (*residual_norm)(const float *a, const float *b, size_t rows, size_t n);

    double (*sum)(const float *x, size_t n);

    /* Adds one row of n pixels to sums [MOTION_SUMS, n], from
     *   gx = (row[i+1] - row[i-1])/2, and 0 at both ends;  gy = (down - up) * half;  gt = (after - before)/2 - light
     *   difference = row - before - step;  change of the residual = hat - hat_before - step_hat - difference
     *   error = hat - row */
    void (*motion)(float *sums, size_t n, const float *row, const float *up, const float *down, const float *before,
                   const float *after, const float *hat, const float *hat_before, float half, float light, float step,
                   float step_hat);

    /* Turns the scores of a query against n slots into its weights, in place: softmax(s / temperature). With shrink > 0, hard
     * shrinkage and division by the sum follow (all zero if all are shrunk). softmax [n] receives the weights before shrinkage.
     * It may be NULL. Source: docs/model-format.md; Gong et al., ICCV 2019, equations 4 to 7. */
    void (*address)(float *scores, size_t n, float temperature, float shrink, float *softmax);

    /* dst[r] = src[r] / norms[r] for each row of n channels, norms[r] = max(Euclidean norm of src[r], 1e-12). norms [rows]
     * may be NULL. dst may alias src. */
    void (*normalize)(float *dst, const float *src, size_t rows, size_t n, float *norms);

    /* sum[i] += Σ_r (x[r*n+i] - origin[i]), square[i] += Σ_r (x[r*n+i] - origin[i])². work: scratch [2n]. */
    void (*channel_moments)(const float *x, const float *origin, size_t rows, size_t n, double *sum, double *square,
                            float *work);

    /* The backward pass of u = x*scale + shift, a = activation(u): turns g [rows, n], the gradient by a, into the gradient
     * by u, in place. With that new g, sum_g[i] += Σ g, sum_gx[i] += Σ g*(x - origin[i]). scale, shift: [n], not NULL. work:
     * scratch [2n]. */
    void (*activation_backward)(float *g, const float *x, const float *scale, const float *shift, const float *origin,
                                size_t rows, size_t n, enum activation activation, float slope, double *sum_g,
                                double *sum_gx, float *work);

    /* g[r*n+i] = g[r*n+i]*a[i] + x[r*n+i]*b[i] + c[i] */
    void (*norm_backward)(float *g, const float *x, const float *a, const float *b, const float *c, size_t rows,
                          size_t n);

    /* m = beta1*m + (1-beta1)*g; v = beta2*v + (1-beta2)*g²; p -= step * m / (sqrt(v) * root + eps) */
    void (*adam)(float *p, float *m, float *v, const float *g, size_t n, float beta1, float beta2, float step, float root,
                 float eps);
};

extern const struct kernels kernels_c, kernels_avx2, kernels_avx512;
extern const struct kernels *kernels;

/* Sets `kernels` and `int8_kernels`: the best that this CPU has, or the tables of `limit`: "c", "avx2", "avxvnni", "avx512" or
 * "amx". avxvnni and amx differ from avx2 and avx512 in the 8-bit kernels only. NULL: no limit. Call it before other threads
 * start. 0; -EINVAL for another limit; -ENOTSUP if the CPU lacks it. On failure nothing changes. */
int kernels_choose(const char *limit);

#endif

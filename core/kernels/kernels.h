/* The loops that run over every element, one table of them per instruction set. kernels_c.c states the contract in plain
 * C; the others are the same body (kernels_body.h) compiled for their instruction set, so that one binary runs on every
 * x86-64 and uses the newest. `kernels` is chosen once, by CPU flags and MEMAED_CPU (kernels_choose()); until then it is
 * the C table. All are pure, any thread; arrays must not alias unless said, and need no alignment. */
#ifndef MEMAED_CORE_KERNELS_KERNELS_H
#define MEMAED_CORE_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kernels/activation.h"

/* The sums of kernels->motion(): of the products of gradients along x, y and t; of the squared change of the residual;
 * of the squared difference to the frame before. */
enum { MOTION_XX, MOTION_XY, MOTION_YY, MOTION_XT, MOTION_YT, MOTION_CHANGE, MOTION_DIFFERENCE, MOTION_SUMS };

/* Convolution without im2row: sums of products over rows that lie anywhere. Weights come in panels of this many output
 * channels, zeros where the last is not full. */
enum { KERNEL_PANEL = 16,
       KERNEL_MAX_TILE_ROWS = 16 };

/* out[r][j] = activation(Σ over runs and i < k of rows[run][r][i] * w[j][run*k + i] + bias[j]), j < n. */
struct row_products {
    const void *const *rows;        /* [tiles, runs, tile_rows]: where the k floats lie; what is of no row is not read */
    void *const *out;               /* [n_rows], n floats each; no two overlap */
    size_t n_rows, runs, k, n;
    const float *weight;            /* [panels, panel_step]: a panel's part for these runs, [runs*k, KERNEL_PANEL] */
    size_t panel_step;
    const float *bias;              /* [n] or NULL */
    bool add;                       /* to what out holds, instead of the bias */
    enum activation activation;
    float slope;
};

/* c[r*ldc + j] += Σ over lines l and i < count of rows[r][l*a_line + i*a_step] * b[l*b_line + i*b_step + j], r < n_rows <=
 * tile_rows, j < n. Reads b in whole panels: KERNEL_PANEL * ⌈n / KERNEL_PANEL⌉ floats a row. */
struct outer_products {
    const float *rows[KERNEL_MAX_TILE_ROWS];
    size_t n_rows, a_step, a_line;
    const float *b;
    size_t b_step, b_line, count, lines, n;
    float *c;
    size_t ldc;
};

struct kernels {
    const char *name;
    size_t tile_rows;

    void (*row_products)(const struct row_products *p);
    void (*outer_products)(const struct outer_products *p);

    /* to[j][r] += x[r*n + j], r < rows, j < n, but for j where to[j] is NULL. n: a multiple of KERNEL_PANEL. No two of to
     * overlap. */
    void (*add_columns)(float *const *to, const float *x, size_t rows, size_t n);

    /* to[i*step] = activation(Σ over p < n_from of from[p][i] + bias), i < n. */
    void (*join_columns)(float *to, size_t step, const float *const *from, size_t n_from, size_t n, float bias,
                         enum activation activation, float slope);

    /* dst[r*stride + i] = activation(src[r*n + i] * scale[i] + shift[i]) for r < rows, i < n. scale, shift: [n] or NULL.
     * dst may be src where stride is n. */
    void (*affine_activation)(float *dst, size_t stride, const float *src, const float *scale, const float *shift,
                              size_t rows, size_t n, enum activation activation, float slope);

    /* dst[i] = src[i] * scale + shift */
    void (*bytes_to_float)(float *dst, const uint8_t *src, size_t n, float scale, float shift);

    /* c = a · b, row-major and dense: a [m, k], b [k, n], c [m, n]. For small products; see core/network/product.h. */
    void (*product)(float *c, const float *a, const float *b, size_t m, size_t n, size_t k);

    /* Sum over rows of the norm over n channels of a - b. */
    double (*residual_norm)(const float *a, const float *b, size_t rows, size_t n);

    double (*sum)(const float *x, size_t n);

    /* Adds one row of n pixels to sums [MOTION_SUMS, n]. gx = (row[i+1] - row[i-1])/2, 0 at either end; gy = (down - up) *
     * half; gt = (after - before)/2 - light; the residual's change is (hat - hat_before - step_hat) - (row - before - step);
     * the difference row - before - step. */
    void (*motion)(float *sums, size_t n, const float *row, const float *up, const float *down, const float *before,
                   const float *after, const float *hat, const float *hat_before, float half, float light, float step,
                   float step_hat);

    /* Scores of one query against n slots become its weights, in place: softmax(s / temperature), and with shrink > 0
     * hard shrinkage and division by the sum (all zero where all are shrunk). softmax: [n], the weights before shrinkage,
     * or NULL. */
    void (*address)(float *scores, size_t n, float temperature, float shrink, float *softmax);

    /* dst = src / max(norm of src, 1e-12), row by row, n channels; norms [rows] or NULL. dst may be src. */
    void (*normalize)(float *dst, const float *src, size_t rows, size_t n, float *norms);

    /* sum[i] += Σ_r (x[r*n+i] - origin[i]), square[i] += Σ_r (…)². work: [2n] */
    void (*channel_moments)(const float *x, const float *origin, size_t rows, size_t n, double *sum, double *square,
                            float *work);

    /* Backward through u = x*scale + shift, a = activation(u): g [rows, n], the gradient by a, becomes that by u in
     * place; sum_g[i] += Σ g, sum_gx[i] += Σ g*(x - origin[i]). scale, shift: [n], never NULL. work: [2n] */
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

/* Chooses by what this CPU has; limit ("c", "avx2", "avxvnni", "avx512", "amx", or NULL) caps it; AVX-VNNI and AMX are of
 * the 8-bit kernels alone. Call before other threads start. Returns
 * -EINVAL for a limit that is none of these, -ENOTSUP where the CPU has not got it; kernels is unchanged then. */
int kernels_choose(const char *limit);

#endif

/* Kernels of the 8-bit network, one table per instruction set. kernels_choose() of core/kernels/kernels.h sets
 * `int8_kernels` along with `kernels`. Activations are unsigned bytes, weights signed bytes, sums 32-bit integers.
 *
 * All tables give the same bits as int8_kernels_c.c. Sums are exact, and floats are rounded after each operation: these files
 * are compiled without fused multiply-adds. Pure, any thread. Arrays are borrowed for the call and must not alias; they need
 * only the alignment of their elements. */
#ifndef MEMAED_CORE_KERNELS_INT8_KERNELS_H
#define MEMAED_CORE_KERNELS_INT8_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/kernels/kernels.h"

enum { INT8_GROUP = 4,                  /* bytes that the instructions multiply at once; a run is a multiple of it */
       INT8_MAX_INPUTS = 65536 };       /* of an output: so many products of 255 * 127 fit a 32-bit sum */

/* Products of n_rows output positions; see struct row_products.
 * u = (Σ over runs and i < k of rows[run][r][i] * w[j][run*k + i]) * scale[j] + bias[j], v = activation(u), j < n.
 * To floats: out[r][j] = v. To bytes: out[r][j] = v * gain[j] + zero[j], rounded to nearest, ties to even, clipped to
 * 0 … 255, NaN to 0. */
struct byte_products {
    const void *const *rows;        /* [tiles, runs, tile_rows] pointers to k bytes; those past n_rows are not read */
    void *const *out;               /* [n_rows] pointers to n bytes or floats that do not overlap */
    size_t n_rows, runs, k, n;      /* k: a multiple of INT8_GROUP; runs * k <= INT8_MAX_INPUTS */
    const void *weight;             /* [panels], as int8_pack() writes them */
    size_t panel_step;              /* bytes from a panel to the next */
    const float *scale, *bias;      /* [panels * KERNEL_PANEL] */
    enum activation activation;
    float slope;
    bool to_bytes;                  /* else to floats */
    const float *gain, *zero;       /* [panels * KERNEL_PANEL]; with to_bytes only */
};

struct int8_kernels {
    const char *name;
    size_t tile_rows;               /* at most KERNEL_MAX_TILE_ROWS */
    /* The layout of a panel: the weight of input i and channel j is element [i / group, j, i % group]. An element has
     * weight_size bytes: 1, or 2 if the instructions have no exact sum of products of bytes. */
    size_t group, weight_size;
    /* Inputs with fewer channels than least_channels run faster with the table `narrow`, which has the same layout of
     * weights. NULL: none. */
    size_t least_channels;
    const struct int8_kernels *narrow;

    void (*byte_products)(const struct byte_products *p);

    /* dst[r*n + j] = src[r*n + j] * gain[j] + zero[j], rounded to nearest, ties to even, clipped to 0 … 255, NaN to 0. */
    void (*quantize)(uint8_t *dst, const float *src, size_t rows, size_t n, const float *gain, const float *zero);
};

extern const struct int8_kernels int8_kernels_c, int8_kernels_avx2, int8_kernels_avxvnni, int8_kernels_avx512,
    int8_kernels_amx;
extern const struct int8_kernels *int8_kernels;         /* set by kernels_choose() */

/* Writes the weight, -127 … 127, of input i < n_inputs and output channel j into `panels`, in the layout of the chosen
 * table. A panel has n_inputs * KERNEL_PANEL * weight_size bytes, zero at first. */
void int8_pack(void *panels, size_t n_inputs, size_t i, size_t j, int weight);

#endif

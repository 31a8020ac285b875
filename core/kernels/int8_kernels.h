/* The arithmetic of the 8-bit network, one table per instruction set, as core/kernels/kernels.h has them for floats; chosen with
 * them. Activations are unsigned bytes, weights signed ones, sums 32-bit integers.
 *
 * int8_kernels_c.c states the contract. All tables agree with it bit for bit, in what is stored too: sums are exact, and
 * what follows rounds after each operation (these files are compiled without fused multiply-adds). Pure, any thread. */
#ifndef MEMAED_CORE_KERNELS_INT8_KERNELS_H
#define MEMAED_CORE_KERNELS_INT8_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/kernels/kernels.h"

/* The runs of inputs under an output have a multiple of so many bytes: what a tile instruction multiplies at once. */
enum { INT8_GROUP = 4,
       INT8_MAX_INPUTS = 65536 };       /* under an output: 255 * 127 times as many fit a sum */

/* u = (Σ over runs and i < k of rows[run][r][i] * w[j][run*k + i]) * scale[j] + bias[j], v = activation(u); to floats
 * out[r][j] = v, to bytes out[r][j] = v * gain[j] + zero[j], rounded to the nearest, ties to even, within 0 … 255; j < n. */
struct byte_products {
    const void *const *rows;        /* [tiles, runs, tile_rows]: where the k bytes lie; what is of no row is not read */
    void *const *out;               /* [n_rows], n bytes or floats each; no two overlap */
    size_t n_rows, runs, k, n;      /* k: a multiple of INT8_GROUP; runs * k <= INT8_MAX_INPUTS */
    const void *weight;             /* [panels], panel_step bytes from each to the next: as int8_pack() puts them */
    size_t panel_step;
    const float *scale, *bias;      /* [panels * KERNEL_PANEL] */
    enum activation activation;
    float slope;
    bool to_bytes;
    const float *gain, *zero;       /* likewise; with to_bytes */
};

struct int8_kernels {
    const char *name;
    size_t tile_rows;               /* at most KERNEL_MAX_TILE_ROWS */
    /* Of a panel: inputs i and channels j lie at [i / group, j, i % group]; 1 byte each, or 2 where the instructions have
     * no exact sum of products of bytes. */
    size_t group, weight_size;
    /* Inputs of fewer channels than this are faster done by that table, which takes weights as this one does; or NULL. */
    size_t least_channels;
    const struct int8_kernels *narrow;

    void (*byte_products)(const struct byte_products *p);

    /* dst[r*n + j] = src[r*n + j] * gain[j] + zero[j], rounded to the nearest, ties to even, within 0 … 255; j < n */
    void (*quantize)(uint8_t *dst, const float *src, size_t rows, size_t n, const float *gain, const float *zero);
};

extern const struct int8_kernels int8_kernels_c, int8_kernels_avx2, int8_kernels_avxvnni, int8_kernels_avx512,
    int8_kernels_amx;
extern const struct int8_kernels *int8_kernels;         /* set by kernels_choose() */

/* Puts the weight of input i and output channel j among n_inputs, -127 … 127, into panels of n_inputs * KERNEL_PANEL *
 * weight_size bytes that are zero where nothing is put. For the table chosen. */
void int8_pack(void *panels, size_t n_inputs, size_t i, size_t j, int weight);

#endif

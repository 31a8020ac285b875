/* Announces the arrays of a kernel to ThreadSanitizer.
 *
 * With SAN=thread, the kernels' files are compiled without instrumentation (Makefile), because a call for every load makes
 * them tens of times slower. Each kernel announces once what it reads and writes, before it does. So a race on an array is
 * reported as before; its stack names the kernel's caller. In other builds these functions are empty macros.
 * tests/core/kernels/test_announce.c checks that every kernel does so. */
#ifndef MEMAED_CORE_KERNELS_ANNOUNCE_H
#define MEMAED_CORE_KERNELS_ANNOUNCE_H

#ifdef MEMAED_ANNOUNCE

#include <stddef.h>
#include <stdint.h>

#include "core/kernels/int8_kernels.h"
#include "core/kernels/kernels.h"

/* Functions of ThreadSanitizer; no header declares them. */
void __tsan_read_range(void *at, unsigned long size_bytes);
void __tsan_write_range(void *at, unsigned long size_bytes);

/* `at` may be NULL: no array. */
static inline void announce_read(const void *at, size_t size_bytes)
{
    if (at && size_bytes > 0)
        __tsan_read_range((void *)at, size_bytes);
}

static inline void announce_write(void *at, size_t size_bytes)
{
    if (at && size_bytes > 0)
        __tsan_write_range(at, size_bytes);
}

static inline void reads(const float *x, size_t n)
{
    announce_read(x, n * sizeof *x);
}

static inline void writes(float *x, size_t n)
{
    announce_write(x, n * sizeof *x);
}

/* Pieces of arrays that are announced as one range where they touch or overlap, which takes less time than one by one. */
struct pieces {
    bool write;
    uintptr_t from, to;
};

static inline void announce_pieces(const struct pieces *p)
{
    if (p->write)
        announce_write((void *)p->from, p->to - p->from);
    else
        announce_read((const void *)p->from, p->to - p->from);
}

static inline void add_piece(struct pieces *p, const void *at, size_t size_bytes)
{
    uintptr_t from = (uintptr_t)at, to = from + size_bytes;
    if (from >= p->from && from <= p->to) {
        p->to = to > p->to ? to : p->to;
        return;
    }
    announce_pieces(p);
    p->from = from;
    p->to = to;
}

/* The inputs, weights and outputs that struct row_products and struct byte_products have in common. */
static inline void announce_products(const void *const *rows, void *const *out, size_t n_rows, size_t runs, size_t tile_rows,
                                     size_t run_bytes, size_t out_bytes, const void *weight, size_t panel_step_bytes,
                                     size_t panel_bytes, size_t panels)
{
    struct pieces inputs = {.write = false}, outputs = {.write = true};
    for (size_t r = 0; r < n_rows; r += tile_rows)
        for (size_t run = 0; run < runs; run++, rows += tile_rows) {
            size_t n = n_rows - r < tile_rows ? n_rows - r : tile_rows;
            announce_read(rows, n * sizeof *rows);
            for (size_t i = 0; i < n; i++)
                add_piece(&inputs, rows[i], run_bytes);
        }
    announce_pieces(&inputs);
    announce_read(out, n_rows * sizeof *out);
    for (size_t r = 0; r < n_rows; r++)
        add_piece(&outputs, out[r], out_bytes);
    announce_pieces(&outputs);
    for (size_t q = 0; q < panels; q++)
        announce_read((const char *)weight + q * panel_step_bytes, panel_bytes);
}

static inline void announce_row_products(const struct row_products *p, size_t tile_rows)
{
    announce_read(p, sizeof *p);
    announce_products(p->rows, p->out, p->n_rows, p->runs, tile_rows, p->k * sizeof(float), p->n * sizeof(float), p->weight,
                      p->panel_step * sizeof(float), p->runs * p->k * KERNEL_PANEL * sizeof(float),
                      (p->n + KERNEL_PANEL - 1) / KERNEL_PANEL);
    reads(p->bias, p->n);
}

static inline void announce_byte_products(const struct byte_products *p, size_t tile_rows, size_t weight_size)
{
    announce_read(p, sizeof *p);
    announce_products(p->rows, p->out, p->n_rows, p->runs, tile_rows, p->k, p->n * (p->to_bytes ? 1 : sizeof(float)), p->weight,
                      p->panel_step, p->runs * p->k * KERNEL_PANEL * weight_size, (p->n + KERNEL_PANEL - 1) / KERNEL_PANEL);
    reads(p->scale, p->n);
    reads(p->bias, p->n);
    if (p->to_bytes) {
        reads(p->gain, p->n);
        reads(p->zero, p->n);
    }
}

static inline void announce_outer_products(const struct outer_products *p)
{
    struct pieces a = {.write = false}, b = {.write = false};
    size_t width = (p->n + KERNEL_PANEL - 1) / KERNEL_PANEL * KERNEL_PANEL;
    announce_read(p, sizeof *p);
    for (size_t l = 0; l < p->lines; l++)
        for (size_t i = 0; i < p->count; i++) {
            for (size_t r = 0; r < p->n_rows; r++)
                add_piece(&a, p->rows[r] + l * p->a_line + i * p->a_step, sizeof(float));
            add_piece(&b, p->b + l * p->b_line + i * p->b_step, width * sizeof(float));
        }
    announce_pieces(&a);
    announce_pieces(&b);
    for (size_t r = 0; r < p->n_rows; r++)
        writes(p->c + r * p->ldc, p->n);
}

static inline void announce_add_columns(float *const *to, const float *x, size_t rows, size_t n)
{
    announce_read(to, n * sizeof *to);
    for (size_t j = 0; j < n; j++)
        writes(to[j], rows);
    reads(x, rows * n);
}

static inline void announce_join_columns(float *to, size_t step, const float *const *from, size_t n_from, size_t n)
{
    struct pieces out = {.write = true};
    announce_read(from, n_from * sizeof *from);
    for (size_t p = 0; p < n_from; p++)
        reads(from[p], n);
    for (size_t i = 0; i < n; i++)
        add_piece(&out, to + i * step, sizeof *to);
    announce_pieces(&out);
}

static inline void announce_affine(float *dst, size_t stride, const float *src, const float *scale, const float *shift,
                                   size_t rows, size_t n)
{
    reads(src, rows * n);
    reads(scale, n);
    reads(shift, n);
    for (size_t r = 0; r < rows; r++)
        writes(dst + r * stride, n);
}

static inline void announce_quantize(uint8_t *dst, const float *src, size_t rows, size_t n, const float *gain, const float *zero)
{
    announce_write(dst, rows * n);
    reads(src, rows * n);
    reads(gain, n);
    reads(zero, n);
}

#else
#define announce_read(at, size_bytes)
#define announce_write(at, size_bytes)
#define reads(x, n)
#define writes(x, n)
#define announce_row_products(p, tile_rows)
#define announce_byte_products(p, tile_rows, weight_size)
#define announce_outer_products(p)
#define announce_add_columns(to, x, rows, n)
#define announce_join_columns(to, step, from, n_from, n)
#define announce_affine(dst, stride, src, scale, shift, rows, n)
#define announce_quantize(dst, src, rows, n, gain, zero)
#endif

#endif

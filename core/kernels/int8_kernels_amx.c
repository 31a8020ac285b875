/* AMX: a tile instruction multiplies 16 rows of 64 unsigned bytes by 64 x 16 signed bytes, exactly. Panels of weights have
 * the layout of tiles. Rows of inputs are scattered, so those of 32 outputs are copied into a contiguous buffer first. Sums
 * are two by two tiles, so that each loaded tile is used twice. */
#include <math.h>
#include <string.h>

#include "core/kernels/announce.h"
#include "core/kernels/int8_avx512.h"
#include "core/kernels/int8_kernels.h"

enum { ROWS = 16,               /* of a tile */
       DEPTH = 64,              /* bytes of a tile's row */
       GROUP = 4,
       CHUNK = 112 * DEPTH };   /* inputs copied at once; the paper's widest layer has 27 * 256 */

/* The operand of ldtilecfg: rows, and bytes per row, of each tile. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static const struct tile_config whole_tiles __attribute__((aligned(64))) = {
    .palette = 1,
    .row_bytes = {DEPTH, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH},
    .rows = {ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS},
};

/* Makes the compiler complete its writes to memory: GCC does not know that the tile instructions read it. */
#define WRITTEN() __asm__ volatile("" ::: "memory")

/* Copies n bytes and pads with zeros to a multiple of DEPTH. */
static inline void copy(uint8_t *dst, const uint8_t *src, size_t n)
{
    for (; n >= DEPTH; n -= DEPTH, dst += DEPTH, src += DEPTH)
        _mm512_storeu_si512(dst, _mm512_loadu_si512(src));
    if (n > 0)
        _mm512_storeu_si512(dst, _mm512_maskz_loadu_epi8((UINT64_C(1) << n) - 1, src));
}

/* Copies all inputs of rows r0 … r0 + m - 1 as gather() does, for runs no longer than a register. */
static void gather_short(uint8_t *to, size_t stride, const struct byte_products *p, size_t r0, size_t m)
{
    __mmask64 run = p->k < DEPTH ? (UINT64_C(1) << p->k) - 1 : ~UINT64_C(0);
    for (size_t r = 0; r < m; r++) {
        const void *const *row = p->rows + (r0 + r) / ROWS * ROWS * p->runs + (r0 + r) % ROWS;
        uint8_t *dst = to + r * stride;
        for (size_t i = 0; i < p->runs; i++, row += ROWS, dst += p->k)
            _mm512_storeu_si512(dst, _mm512_maskz_loadu_epi8(run, *row));
    }
}

/* Copies inputs first … first + n - 1 of rows r0 … r0 + m - 1 to contiguous rows, `stride` bytes apart. */
static void gather(uint8_t *to, size_t stride, const struct byte_products *p, size_t r0, size_t m, size_t first, size_t n)
{
    for (size_t r = 0; r < m; r++) {
        const void *const *row = p->rows + (r0 + r) / ROWS * ROWS * p->runs + (r0 + r) % ROWS;
        uint8_t *dst = to + r * stride;
        for (size_t run = first / p->k, from = first % p->k, left = n; left > 0; run++, from = 0) {
            size_t take = p->k - from < left ? p->k - from : left;
            copy(dst, (const uint8_t *)row[run * ROWS] + from, take);
            dst += take;
            left -= take;
        }
    }
}

/* Writes the sums [ROWS, KERNEL_PANEL] of n_rows rows to the columns from j on, as bytes or floats. */
static void finish(const struct byte_products *p, const int32_t *sum, void *const *out, size_t n_rows, size_t j, float slope)
{
    size_t width = p->n - j < KERNEL_PANEL ? p->n - j : KERNEL_PANEL;
    floats scale = load_floats(p->scale + j), bias = load_floats(p->bias + j), gain = scale, zero = scale;
    if (p->to_bytes) {
        gain = load_floats(p->gain + j);
        zero = load_floats(p->zero + j);
    }
    for (size_t r = 0; r < n_rows; r++) {
        floats v = leaky(plus(times(to_floats(load_ints(sum + r * KERNEL_PANEL)), scale), bias), splat(slope));
        if (p->activation == ACTIVATION_TANH) {
            float some[KERNEL_PANEL];
            store_floats(some, v);
            for (size_t i = 0; i < KERNEL_PANEL; i++)
                some[i] = tanhf(some[i]);
            v = load_floats(some);
        }
        float row[KERNEL_PANEL];
        uint8_t bytes[KERNEL_PANEL];
        if (p->to_bytes) {
            store_bytes(width == KERNEL_PANEL ? (uint8_t *)out[r] + j : bytes, plus(times(v, gain), zero));
            if (width < KERNEL_PANEL)
                memcpy((uint8_t *)out[r] + j, bytes, width);
        } else {
            store_floats(width == KERNEL_PANEL ? (float *)out[r] + j : row, v);
            if (width < KERNEL_PANEL)
                memcpy((float *)out[r] + j, row, width * sizeof *row);
        }
    }
}

/* Copies the first n rows of a tile of weights and sets its other rows to zero. */
static inline void begin_tile(uint8_t *tile, const uint8_t *w, size_t n)
{
    for (size_t i = 0; i < ROWS; i++)
        _mm512_store_si512(tile + i * DEPTH, i < n ? _mm512_loadu_si512(w + i * DEPTH) : _mm512_setzero_si512());
}

/* Adds the products of n inputs of up to 32 rows with their weights in one panel or two. The sums are in the tiles 0 (upper
 * rows, first panel), 1 (upper, second), 2 (lower, first) and 3 (lower, second). */
static void add(const uint8_t *a, size_t stride, bool lower, const uint8_t *w, size_t panel_step, bool second, size_t n)
{
    uint8_t rest[2][DEPTH * KERNEL_PANEL] __attribute__((aligned(64)));
    for (size_t i = 0; i < n; i += DEPTH, a += DEPTH, w += DEPTH * KERNEL_PANEL) {
        const uint8_t *one = w, *two = w + panel_step;
        if (n - i < DEPTH) {            /* the bytes after these weights are not weights of these inputs */
            begin_tile(rest[0], one, (n - i) / GROUP);
            if (second)
                begin_tile(rest[1], two, (n - i) / GROUP);
            one = rest[0];
            two = rest[1];
        }
        WRITTEN();
        _tile_loadd(4, a, stride);
        _tile_loadd(6, one, DEPTH);
        _tile_dpbusd(0, 4, 6);
        if (second) {
            _tile_loadd(7, two, DEPTH);
            _tile_dpbusd(1, 4, 7);
        }
        if (lower) {
            _tile_loadd(5, a + ROWS * stride, stride);
            _tile_dpbusd(2, 5, 6);
            if (second)
                _tile_dpbusd(3, 5, 7);
        }
    }
}

static void byte_products(const struct byte_products *p)
{
    announce_byte_products(p, ROWS, 1);
    uint8_t a[2 * ROWS * CHUNK + DEPTH] __attribute__((aligned(64)));
    int32_t sum[4][ROWS * KERNEL_PANEL] __attribute__((aligned(64)));
    float slope = p->activation == ACTIVATION_LEAKY_RELU ? p->slope : p->activation == ACTIVATION_RELU ? 0 : 1;
    size_t n_inputs = p->runs * p->k, chunk = n_inputs < CHUNK ? n_inputs : CHUNK, stride = (chunk + DEPTH - 1) / DEPTH * DEPTH;
    _tile_loadconfig(&whole_tiles);
    for (size_t r = 0; r < p->n_rows; r += 2 * ROWS) {
        size_t m = p->n_rows - r < 2 * ROWS ? p->n_rows - r : 2 * ROWS;
        bool lower = m > ROWS, whole = n_inputs <= chunk;
        if (whole && p->k <= DEPTH)
            gather_short(a, stride, p, r, m);
        else if (whole)
            gather(a, stride, p, r, m, 0, n_inputs);
        for (size_t j = 0; j < p->n; j += 2 * KERNEL_PANEL) {
            const uint8_t *w = (const uint8_t *)p->weight + j / KERNEL_PANEL * p->panel_step;
            bool second = p->n - j > KERNEL_PANEL;
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (size_t i = 0; i < n_inputs; i += chunk) {
                size_t n = n_inputs - i < chunk ? n_inputs - i : chunk;
                if (!whole)
                    gather(a, stride, p, r, m, i, n);
                add(a, stride, lower, w + i * KERNEL_PANEL, p->panel_step, second, n);
            }
            _tile_stored(0, sum[0], DEPTH);
            _tile_stored(1, sum[1], DEPTH);
            _tile_stored(2, sum[2], DEPTH);
            _tile_stored(3, sum[3], DEPTH);
            WRITTEN();
            for (size_t half = 0; half <= lower; half++)
                for (size_t panel = 0; panel <= second; panel++)
                    finish(p, sum[2 * half + panel], p->out + r + half * ROWS, half ? m - ROWS : lower ? ROWS : m,
                           j + panel * KERNEL_PANEL, slope);
        }
    }
    _tile_release();
}

static void quantize(uint8_t *dst, const float *src, size_t rows, size_t n, const float *gain, const float *zero)
{
    int8_kernels_avx512.quantize(dst, src, rows, n, gain, zero);
}

const struct int8_kernels int8_kernels_amx = {
    .name = "amx",
    .tile_rows = ROWS,
    .group = GROUP,
    .weight_size = 1,
    .least_channels = 32,
    .narrow = &int8_kernels_avx512,
    .byte_products = byte_products,
    .quantize = quantize,
};

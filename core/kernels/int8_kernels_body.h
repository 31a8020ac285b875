/* The body of the vector tables of core/kernels/int8_kernels.h. An including file defines
 *   INT8_KERNELS, INT8_KERNELS_NAME      the table and its name
 *   VECTOR                               the number of 32-bit sums in a register
 *   TILE_ROWS, TILE_PANELS               the size of a register tile, whose sums fill the registers
 *   GROUP, WEIGHT_SIZE                   the layout of weights
 *   WIDEN                                optional: the most inputs n that widen(to, from, n) widens at once to 2 bytes each
 * the register types `ints` and `floats`, and operations on them:
 *   zero_ints()  load_ints(p)  store_ints(p, v)  broadcast(group of inputs)  to_floats(ints)
 *   load_floats(p)  store_floats(p, v)  splat(float)  times(a, b)  plus(a, b)
 *   dot(sum, w, x)               adds the products of a group of weights and inputs to each lane of sum
 *   leaky(v, slope)              v > 0 ? v : v * slope
 *   store_bytes(p, v)            stores v rounded and clipped to 0 … 255, NaN as 0 */

#include <math.h>
#include <string.h>

#include "core/kernels/announce.h"
#include "core/kernels/int8_kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { PER_PANEL = KERNEL_PANEL / VECTOR,
       VECTOR_BYTES = VECTOR * GROUP * WEIGHT_SIZE,     /* of weights */
       GROUP_BYTES = GROUP * WEIGHT_SIZE };             /* of inputs, as dot() takes them */

/* Adds the products of one run to sum[r][v]. */
INLINE void add_run(ints (*restrict sum)[TILE_PANELS * PER_PANEL], const void *const *rows, size_t n_rows, size_t panels,
                    const unsigned char *w, size_t panel_step, size_t k)
{
    const unsigned char *a[TILE_ROWS];
    UNROLL for (size_t r = 0; r < n_rows; r++)
        a[r] = rows[r];
    for (size_t i = 0; i < k / GROUP; i++, w += PER_PANEL * VECTOR_BYTES) {
        ints weight[TILE_PANELS * PER_PANEL];
        UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
            weight[v] = load_ints(w + v / PER_PANEL * panel_step + v % PER_PANEL * VECTOR_BYTES);
        UNROLL for (size_t r = 0; r < n_rows; r++) {
            ints x = broadcast(a[r] + i * GROUP_BYTES);
            UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
                dot(sum[r][v], weight[v], x);
        }
    }
}

enum { TILE_COLUMNS = TILE_PANELS * KERNEL_PANEL };

INLINE floats finish(floats v, floats scale, floats bias, floats slope)
{
    return leaky(plus(times(v, scale), bias), slope);
}

/* Writes a row of sums, width columns from j on, as bytes or floats, with any activation. */
static __attribute__((noinline)) void finish_row(const struct byte_products *p, const int32_t *sum, void *out, size_t j,
                                                 size_t width, float slope)
{
    float row[TILE_COLUMNS];
    uint8_t bytes[TILE_COLUMNS];
    for (size_t i = 0; i < width; i += VECTOR)
        store_floats(row + i, finish(to_floats(load_ints(sum + i)), load_floats(p->scale + j + i), load_floats(p->bias + j + i),
                                     splat(slope)));
    if (p->activation == ACTIVATION_TANH)
        for (size_t i = 0; i < width; i++)
            row[i] = tanhf(row[i]);
    if (!p->to_bytes) {
        memcpy((float *)out + j, row, width * sizeof *row);
        return;
    }
    for (size_t i = 0; i < width; i += VECTOR)
        store_bytes(bytes + i, plus(times(load_floats(row + i), load_floats(p->gain + j + i)), load_floats(p->zero + j + i)));
    memcpy((uint8_t *)out + j, bytes, width);
}

/* Computes the columns of `panels` panels from j on. Callers pass constants for n_rows and panels, so the sums stay in
 * registers. Whole panels without tanh are converted and stored from the registers; others go through finish_row(). */
INLINE void tile(const struct byte_products *p, const void *const *rows, void *const *out, size_t j, size_t n_rows,
                 size_t panels, float slope)
{
    ints sum[TILE_ROWS][TILE_PANELS * PER_PANEL];
    UNROLL for (size_t r = 0; r < n_rows; r++)
        UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
            sum[r][v] = zero_ints();
    const unsigned char *w = (const unsigned char *)p->weight + j / KERNEL_PANEL * p->panel_step;
    for (size_t run = 0; run < p->runs; run++, rows += TILE_ROWS) {
#ifdef WIDEN
        unsigned char wide[TILE_ROWS][2 * WIDEN];
        for (size_t i = 0, n; i < p->k; i += n, w += n * KERNEL_PANEL * WEIGHT_SIZE) {
            const void *a[TILE_ROWS];
            n = p->k - i < WIDEN ? p->k - i : WIDEN;
            UNROLL for (size_t r = 0; r < n_rows; r++) {
                widen(wide[r], (const unsigned char *)rows[r] + i, n);
                a[r] = wide[r];
            }
            add_run(sum, a, n_rows, panels, w, p->panel_step, n);
        }
#else
        add_run(sum, rows, n_rows, panels, w, p->panel_step, p->k);
        w += p->k * KERNEL_PANEL * WEIGHT_SIZE;
#endif
    }

    size_t width = p->n - j < panels * KERNEL_PANEL ? p->n - j : panels * KERNEL_PANEL;
    if (p->activation != ACTIVATION_TANH && width == panels * KERNEL_PANEL) {
        floats slopes = splat(slope), gain = slopes, zero = slopes;
        UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++) {
            floats scale = load_floats(p->scale + j + v * VECTOR), bias = load_floats(p->bias + j + v * VECTOR);
            if (p->to_bytes) {
                gain = load_floats(p->gain + j + v * VECTOR);
                zero = load_floats(p->zero + j + v * VECTOR);
            }
            UNROLL for (size_t r = 0; r < n_rows; r++) {
                floats u = finish(to_floats(sum[r][v]), scale, bias, slopes);
                if (p->to_bytes)
                    store_bytes((uint8_t *)out[r] + j + v * VECTOR, plus(times(u, gain), zero));
                else
                    store_floats((float *)out[r] + j + v * VECTOR, u);
            }
        }
        return;
    }
    int32_t some[TILE_ROWS][TILE_COLUMNS];
    UNROLL for (size_t r = 0; r < n_rows; r++)
        UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
            store_ints(some[r] + v * VECTOR, sum[r][v]);
    for (size_t r = 0; r < n_rows; r++)
        finish_row(p, some[r], out[r], j, width, slope);
}

/* The number of panels of the next tile. If TILE_PANELS + 1 are left, it is one less than it could be, so that the last tile has
 * two instead of one. */
static size_t tile_panels(size_t n, size_t j)
{
    size_t left = (n - j + KERNEL_PANEL - 1) / KERNEL_PANEL;
    return left == TILE_PANELS + 1 && TILE_PANELS > 2 ? TILE_PANELS - 1 : left < TILE_PANELS ? left : TILE_PANELS;
}

static void byte_products(const struct byte_products *p)
{
    announce_byte_products(p, TILE_ROWS, WEIGHT_SIZE);
    float slope = p->activation == ACTIVATION_LEAKY_RELU ? p->slope : p->activation == ACTIVATION_RELU ? 0 : 1;
    for (size_t j = 0, panels; j < p->n; j += panels * KERNEL_PANEL) {
        panels = tile_panels(p->n, j);
        for (size_t r = 0; r < p->n_rows; r += TILE_ROWS) {
            const void *const *rows = p->rows + r * p->runs;
            void *const *out = p->out + r;
            if (p->n_rows - r < TILE_ROWS)
                for (size_t i = 0; i < p->n_rows - r; i++)
                    for (size_t q = 0; q < panels; q++)
                        tile(p, rows + i, out + i, j + q * KERNEL_PANEL, 1, 1, slope);
            else if (panels == 1)
                tile(p, rows, out, j, TILE_ROWS, 1, slope);
#if TILE_PANELS > 1
            else if (panels == 2)
                tile(p, rows, out, j, TILE_ROWS, 2, slope);
            else
                tile(p, rows, out, j, TILE_ROWS, TILE_PANELS, slope);
#endif
        }
    }
}

static void quantize(uint8_t *dst, const float *src, size_t rows, size_t n, const float *gain, const float *zero)
{
    announce_quantize(dst, src, rows, n, gain, zero);
    for (size_t r = 0; r < rows; r++, dst += n, src += n) {
        size_t i = 0;
        for (; i + VECTOR <= n; i += VECTOR)
            store_bytes(dst + i, plus(times(load_floats(src + i), load_floats(gain + i)), load_floats(zero + i)));
        float some[3][VECTOR] = {{0}};
        uint8_t bytes[VECTOR];
        if (i == n)
            continue;
        memcpy(some[0], src + i, (n - i) * sizeof *src);
        memcpy(some[1], gain + i, (n - i) * sizeof *src);
        memcpy(some[2], zero + i, (n - i) * sizeof *src);
        store_bytes(bytes, plus(times(load_floats(some[0]), load_floats(some[1])), load_floats(some[2])));
        memcpy(dst + i, bytes, n - i);
    }
}

const struct int8_kernels INT8_KERNELS = {
    .name = INT8_KERNELS_NAME,
    .tile_rows = TILE_ROWS,
    .group = GROUP,
    .weight_size = WEIGHT_SIZE,
    .byte_products = byte_products,
    .quantize = quantize,
};

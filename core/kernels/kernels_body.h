/* The body of every kernel table, compiled once per instruction set by kernels_c.c, kernels_avx2.c and kernels_avx512.c.
 * They define KERNELS and KERNELS_NAME, the table and its name; VECTOR, the floats of a register; TILE_ROWS and TILE_PANELS, the
 * size of a register tile. The tile's sums fill the registers together with a row of weights and one factor. A sum over many
 * elements is split into LANES parallel sums, so that the compiler can vectorise it. */

#include <math.h>
#include <string.h>

#include "core/kernels/announce.h"
#include "core/kernels/kernels.h"

enum { LANES = 16 };

static inline float activate(float u, enum activation activation, float slope)
{
    switch (activation) {
    case ACTIVATION_LEAKY_RELU: return u > 0 ? u : u * slope;
    case ACTIVATION_RELU:       return u > 0 ? u : 0;
    case ACTIVATION_TANH:       return tanhf(u);
    default:                    return u;
    }
}

/* One loop per activation, so that the switch is outside the loop. */
#define EACH_ACTIVATION(LOOP) \
    switch (activation) { \
    case ACTIVATION_LEAKY_RELU: LOOP(ACTIVATION_LEAKY_RELU) break; \
    case ACTIVATION_RELU:       LOOP(ACTIVATION_RELU) break; \
    case ACTIVATION_TANH:       LOOP(ACTIVATION_TANH) break; \
    default:                    LOOP(ACTIVATION_NONE) \
    }

static void affine_activation(float *dst, size_t stride, const float *src, const float *scale, const float *shift,
                              size_t rows, size_t n, enum activation activation, float slope)
{
    if (!scale && !shift && activation == ACTIVATION_NONE && dst == src)
        return;
    announce_affine(dst, stride, src, scale, shift, rows, n);
#define ROWS(A, SCALE, SHIFT) \
    for (size_t r = 0; r < rows; r++, dst += stride, src += n) { \
        _Pragma("GCC ivdep") \
        for (size_t i = 0; i < n; i++) \
            dst[i] = activate(src[i] SCALE SHIFT, A, slope); \
    }
#define LOOP(A) \
    if (scale && shift) { ROWS(A, * scale[i], + shift[i]) } \
    else if (scale) { ROWS(A, * scale[i],) } \
    else if (shift) { ROWS(A,, + shift[i]) } \
    else { ROWS(A,,) }
    EACH_ACTIVATION(LOOP)
#undef LOOP
#undef ROWS
}

static void bytes_to_float(float *restrict dst, const uint8_t *restrict src, size_t n, float scale, float shift)
{
    writes(dst, n);
    announce_read(src, n);
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)src[i] * scale + shift;
}

/* LANES floats at any address; the compiler splits them for narrower registers. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

enum { PRODUCT_ROWS = 4, PRODUCT_COLUMNS = 2 };     /* of a register tile; columns are groups of LANES */

static void product_tile(float *restrict c, const float *restrict a, const float *restrict b, size_t rows, size_t n, size_t k)
{
    lanes sum[PRODUCT_ROWS][PRODUCT_COLUMNS] = {0};
    for (size_t p = 0; p < k; p++, b += n) {
        lanes b0 = *(const lanes *)b, b1 = *(const lanes *)(b + LANES);
        for (size_t r = 0; r < PRODUCT_ROWS; r++) {
            float x = a[(r < rows ? r : 0) * k + p];
            sum[r][0] += x * b0;
            sum[r][1] += x * b1;
        }
    }
    for (size_t r = 0; r < rows; r++) {
        *(lanes *)(c + r * n) = sum[r][0];
        *(lanes *)(c + r * n + LANES) = sum[r][1];
    }
}

static void product(float *restrict c, const float *restrict a, const float *restrict b, size_t m, size_t n, size_t k)
{
    enum { WIDTH = PRODUCT_COLUMNS * LANES };
    writes(c, m * n);
    reads(a, m * k);
    reads(b, k * n);
    size_t whole = n / WIDTH * WIDTH;
    for (size_t i = 0; i < m; i += PRODUCT_ROWS)
        for (size_t j = 0; j < whole; j += WIDTH)
            product_tile(c + i * n + j, a + i * k, b + j, m - i < PRODUCT_ROWS ? m - i : PRODUCT_ROWS, n, k);
    if (whole == n)
        return;
    for (size_t i = 0; i < m; i++) {
        float sum[WIDTH] = {0};
        for (size_t p = 0; p < k; p++)
            for (size_t j = whole; j < n; j++)
                sum[j - whole] += a[i * k + p] * b[p * n + j];
        memcpy(c + i * n + whole, sum, (n - whole) * sizeof *c);
    }
}

#include "core/kernels/kernels_tile.h"

static void join_columns(float *to, size_t step, const float *const *from, size_t n_from, size_t n, float bias,
                         enum activation activation, float slope)
{
    announce_join_columns(to, step, from, n_from, n);
    for (size_t i = 0, count; i < n; i += count, to += count * step) {
        float sum[LANES];
        count = n - i < LANES ? n - i : LANES;
        for (size_t l = 0; l < LANES; l++)
            sum[l] = bias;
        if (count == LANES)
            for (size_t p = 0; p < n_from; p++)
                for (size_t l = 0; l < LANES; l++)
                    sum[l] += from[p][i + l];
        else
            for (size_t p = 0; p < n_from; p++)
                for (size_t l = 0; l < count; l++)
                    sum[l] += from[p][i + l];
        affine_activation(sum, LANES, sum, NULL, NULL, 1, LANES, activation, slope);
        for (size_t l = 0; l < count; l++)
            to[l * step] = sum[l];
    }
}

static float lanes_sum(const float *lane)
{
    float sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

static double residual_norm(const float *restrict a, const float *restrict b, size_t rows, size_t n)
{
    enum { BLOCK = 4096 };      /* rows summed in floats before the sum goes into the double */
    double total = 0;
    reads(a, rows * n);
    reads(b, rows * n);
    if (n == 1) {
        for (size_t r = 0; r < rows; r += BLOCK) {
            float lane[LANES] = {0};
            size_t end = rows - r < BLOCK ? rows : r + BLOCK, i = r;
            for (; i + LANES <= end; i += LANES)
                for (int l = 0; l < LANES; l++)
                    lane[l] += fabsf(a[i + (size_t)l] - b[i + (size_t)l]);
            for (; i < end; i++)
                lane[0] += fabsf(a[i] - b[i]);
            total += (double)lanes_sum(lane);
        }
        return total;
    }
    for (size_t r = 0; r < rows; r++, a += n, b += n) {
        float sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        total += (double)sqrtf(sum);
    }
    return total;
}

static double sum(const float *restrict x, size_t n)
{
    enum { BLOCK = 4096 };
    double total = 0;
    reads(x, n);
    for (size_t r = 0; r < n; r += BLOCK) {
        float lane[LANES] = {0};
        size_t end = n - r < BLOCK ? n : r + BLOCK, i = r;
        for (; i + LANES <= end; i += LANES)
            for (int l = 0; l < LANES; l++)
                lane[l] += x[i + (size_t)l];
        for (; i < end; i++)
            lane[0] += x[i];
        total += (double)lanes_sum(lane);
    }
    return total;
}

static void motion(float *restrict sums, size_t n, const float *row, const float *up, const float *down,
                   const float *before, const float *after, const float *hat, const float *hat_before, float half,
                   float light, float step, float step_hat)
{
    float *restrict xx = sums + MOTION_XX * n, *restrict xy = sums + MOTION_XY * n, *restrict yy = sums + MOTION_YY * n,
          *restrict xt = sums + MOTION_XT * n, *restrict yt = sums + MOTION_YT * n,
          *restrict change = sums + MOTION_CHANGE * n, *restrict difference = sums + MOTION_DIFFERENCE * n,
          *restrict error = sums + MOTION_ERROR * n;
    writes(sums, MOTION_SUMS * n);
    reads(row, n);
    reads(up, n);
    reads(down, n);
    reads(before, n);
    reads(after, n);
    reads(hat, n);
    reads(hat_before, n);
    for (size_t i = 0; i < n; i++) {
        float gy = (down[i] - up[i]) * half, gt = (after[i] - before[i]) * 0.5f - light, d = row[i] - before[i] - step,
              e = hat[i] - hat_before[i] - step_hat - d, r = hat[i] - row[i];
        yy[i] += gy * gy;
        yt[i] += gy * gt;
        change[i] += e * e;
        difference[i] += d * d;
        error[i] += r * r;
    }
    for (size_t i = 1; i + 1 < n; i++) {
        float gx = (row[i + 1] - row[i - 1]) * 0.5f, gy = (down[i] - up[i]) * half,
              gt = (after[i] - before[i]) * 0.5f - light;
        xx[i] += gx * gx;
        xy[i] += gx * gy;
        xt[i] += gx * gt;
    }
}

/* e^x for x <= 0, relative error below 2e-7: e^x = 2^k * e^r, |r| <= ln(2)/2, polynomial of degree 6. */
static inline float exp_negative(float x)
{
    x = x < -87.0f ? -87.0f : x;
    float k = x * 1.44269504f + 12582912.0f;     /* 1.5 * 2^23: rounds to the nearest integer */
    int32_t bits;
    memcpy(&bits, &k, sizeof bits);
    k -= 12582912.0f;
    float r = x - k * 0.693359375f + k * 2.12194440e-4f;
    float p = 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t exponent = (int32_t)((uint32_t)(bits - 0x4b400000 + 127) << 23);
    float two_k;
    memcpy(&two_k, &exponent, sizeof two_k);
    return p * two_k;
}

static void address(float *restrict s, size_t n, float temperature, float shrink, float *restrict softmax)
{
    writes(s, n);
    writes(softmax, n);
    float top = s[0];
    for (size_t i = 1; i < n; i++)
        top = s[i] > top ? s[i] : top;
    float lane[LANES] = {0};
    size_t i = 0;
    float inverse_t = 1 / temperature;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            s[i + (size_t)l] = exp_negative((s[i + (size_t)l] - top) * inverse_t);
            lane[l] += s[i + (size_t)l];
        }
    for (; i < n; i++)
        lane[0] += s[i] = exp_negative((s[i] - top) * inverse_t);
    float inverse = 1 / lanes_sum(lane);
    for (i = 0; i < n; i++)
        s[i] *= inverse;
    if (softmax)
        memcpy(softmax, s, n * sizeof *s);
    if (!(shrink > 0))
        return;

    memset(lane, 0, sizeof lane);
    for (i = 0; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            float w = s[i + (size_t)l], over = w - shrink;
            w = over > 0 ? over * w / (over + 1e-12f) : 0;
            s[i + (size_t)l] = w;
            lane[l] += w;
        }
    for (; i < n; i++) {
        float w = s[i], over = w - shrink;
        lane[0] += s[i] = over > 0 ? over * w / (over + 1e-12f) : 0;
    }
    float sum = lanes_sum(lane);
    inverse = 1 / (sum > 1e-12f ? sum : 1e-12f);
    for (i = 0; i < n; i++)
        s[i] *= inverse;
}

static void normalize(float *dst, const float *src, size_t rows, size_t n, float *norms)
{
    writes(dst, rows * n);
    reads(src, rows * n);
    writes(norms, rows);
    for (size_t r = 0; r < rows; r++, dst += n, src += n) {
        float lane[LANES] = {0};
        size_t i = 0;
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++)
                lane[l] += src[i + (size_t)l] * src[i + (size_t)l];
        for (; i < n; i++)
            lane[0] += src[i] * src[i];
        float norm = sqrtf(lanes_sum(lane));
        norm = norm > 1e-12f ? norm : 1e-12f;
        if (norms)
            norms[r] = norm;
        float inverse = 1 / norm;
        for (i = 0; i < n; i++)
            dst[i] = src[i] * inverse;
    }
}

/* Rows that column sums take in floats before the sums go into the doubles. */
enum { SUM_ROWS = 256 };

static void flush_sums(float *restrict work, size_t n, double *restrict a, double *restrict b)
{
    for (size_t i = 0; i < n; i++) {
        a[i] += (double)work[i];
        b[i] += (double)work[n + i];
    }
    memset(work, 0, 2 * n * sizeof *work);
}

static void channel_moments(const float *restrict x, const float *restrict origin, size_t rows, size_t n,
                            double *restrict sum, double *restrict square, float *restrict work)
{
    reads(x, rows * n);
    reads(origin, n);
    announce_write(sum, n * sizeof *sum);
    announce_write(square, n * sizeof *square);
    writes(work, 2 * n);
    memset(work, 0, 2 * n * sizeof *work);
    for (size_t r = 0; r < rows; r++, x += n) {
        float *restrict s = work, *restrict q = work + n;
        for (size_t i = 0; i < n; i++) {
            float d = x[i] - origin[i];
            s[i] += d;
            q[i] += d * d;
        }
        if (r % SUM_ROWS == SUM_ROWS - 1)
            flush_sums(work, n, sum, square);
    }
    flush_sums(work, n, sum, square);
}

static inline float activation_gradient(float u, enum activation activation, float slope)
{
    switch (activation) {
    case ACTIVATION_LEAKY_RELU: return u > 0 ? 1 : slope;
    case ACTIVATION_RELU:       return u > 0 ? 1 : 0;
    case ACTIVATION_TANH:       { float a = tanhf(u); return 1 - a * a; }
    default:                    return 1;
    }
}

static void activation_backward(float *restrict g, const float *restrict x, const float *restrict scale,
                                const float *restrict shift, const float *restrict origin, size_t rows, size_t n,
                                enum activation activation, float slope, double *restrict sum_g,
                                double *restrict sum_gx, float *restrict work)
{
    writes(g, rows * n);
    reads(x, rows * n);
    reads(scale, n);
    reads(shift, n);
    reads(origin, n);
    announce_write(sum_g, n * sizeof *sum_g);
    announce_write(sum_gx, n * sizeof *sum_gx);
    writes(work, 2 * n);
    memset(work, 0, 2 * n * sizeof *work);
#define LOOP(A) \
    for (size_t r = 0; r < rows; r++, g += n, x += n) { \
        float *restrict s = work, *restrict q = work + n; \
        for (size_t i = 0; i < n; i++) { \
            float d = g[i] * activation_gradient(x[i] * scale[i] + shift[i], A, slope); \
            g[i] = d; \
            s[i] += d; \
            q[i] += d * (x[i] - origin[i]); \
        } \
        if (r % SUM_ROWS == SUM_ROWS - 1) \
            flush_sums(work, n, sum_g, sum_gx); \
    }
    EACH_ACTIVATION(LOOP)
#undef LOOP
    flush_sums(work, n, sum_g, sum_gx);
}

static void norm_backward(float *restrict g, const float *restrict x, const float *restrict a, const float *restrict b,
                          const float *restrict c, size_t rows, size_t n)
{
    writes(g, rows * n);
    reads(x, rows * n);
    reads(a, n);
    reads(b, n);
    reads(c, n);
    for (size_t r = 0; r < rows; r++, g += n, x += n)
        for (size_t i = 0; i < n; i++)
            g[i] = g[i] * a[i] + x[i] * b[i] + c[i];
}

static void adam(float *restrict p, float *restrict m, float *restrict v, const float *restrict g, size_t n, float beta1,
                 float beta2, float step, float root, float eps)
{
    writes(p, n);
    writes(m, n);
    writes(v, n);
    reads(g, n);
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        p[i] -= step * m[i] / (sqrtf(v[i]) * root + eps);
    }
}

const struct kernels KERNELS = {
    .name = KERNELS_NAME,
    .tile_rows = TILE_ROWS,
    .row_products = row_products,
    .outer_products = outer_products,
    .add_columns = add_columns,
    .join_columns = join_columns,
    .affine_activation = affine_activation,
    .bytes_to_float = bytes_to_float,
    .product = product,
    .residual_norm = residual_norm,
    .sum = sum,
    .motion = motion,
    .address = address,
    .normalize = normalize,
    .channel_moments = channel_moments,
    .activation_backward = activation_backward,
    .norm_backward = norm_backward,
    .adam = adam,
};

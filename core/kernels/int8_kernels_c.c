#include "core/kernels/int8_kernels.h"

#include <math.h>

#include "core/kernels/announce.h"

static float activate(float u, enum activation activation, float slope)
{
    if (activation == ACTIVATION_TANH)
        return tanhf(u);
    float s = activation == ACTIVATION_LEAKY_RELU ? slope : activation == ACTIVATION_RELU ? 0 : 1;
    return u > 0 ? u : u * s;
}

static uint8_t to_byte(float v, float gain, float zero)
{
    v = v * gain + zero;
    v = v > 0 ? v : 0;          /* NaN too */
    v = v < 255 ? v : 255;
    return (uint8_t)lrintf(v);
}

static void byte_products(const struct byte_products *p)
{
    announce_byte_products(p, 1, 1);
    for (size_t r = 0; r < p->n_rows; r++)
        for (size_t j = 0; j < p->n; j += KERNEL_PANEL) {
            int32_t sum[KERNEL_PANEL] = {0};
            const int8_t *w = (const int8_t *)p->weight + j / KERNEL_PANEL * p->panel_step;
            for (size_t run = 0; run < p->runs; run++) {
                const uint8_t *x = p->rows[r * p->runs + run];
                for (size_t i = 0; i < p->k; i += INT8_GROUP, w += KERNEL_PANEL * INT8_GROUP)
                    for (size_t c = 0; c < KERNEL_PANEL; c++)
                        for (size_t g = 0; g < INT8_GROUP; g++)
                            sum[c] += x[i + g] * w[c * INT8_GROUP + g];
            }
            for (size_t c = 0; c < KERNEL_PANEL && j + c < p->n; c++) {
                float v = activate((float)sum[c] * p->scale[j + c] + p->bias[j + c], p->activation, p->slope);
                if (p->to_bytes)
                    ((uint8_t *)p->out[r])[j + c] = to_byte(v, p->gain[j + c], p->zero[j + c]);
                else
                    ((float *)p->out[r])[j + c] = v;
            }
        }
}

static void quantize(uint8_t *dst, const float *src, size_t rows, size_t n, const float *gain, const float *zero)
{
    announce_quantize(dst, src, rows, n, gain, zero);
    for (size_t r = 0; r < rows; r++, dst += n, src += n)
        for (size_t j = 0; j < n; j++)
            dst[j] = to_byte(src[j], gain[j], zero[j]);
}

const struct int8_kernels int8_kernels_c = {
    .name = "c",
    .tile_rows = 1,
    .group = INT8_GROUP,
    .weight_size = 1,
    .byte_products = byte_products,
    .quantize = quantize,
};

#include "core/network/memory.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/product.h"

void memory_keys(const struct memory *m, const float *slots, float *keys, float *columns, float *norms)
{
    size_t n = (size_t)m->spec.slots, c = (size_t)m->channels;
    if (m->spec.similarity == SIMILARITY_COSINE)
        kernels->normalize(keys, slots, n, c, norms);
    else
        memcpy(keys, slots, n * c * sizeof *keys);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < c; j++)
            columns[j * n + i] = keys[i * c + j];
}

void memory_forward(const struct memory *m, const float *slots, const float *columns, const float *z, int q,
                    float *z_hat, float *weights, float *softmax, float *scratch)
{
    int n = m->spec.slots, c = m->channels;
    const float *queries = z;
    if (m->spec.similarity == SIMILARITY_COSINE) {
        kernels->normalize(scratch, z, (size_t)q, (size_t)c, NULL);
        queries = scratch;
    }
    product(q, n, c, queries, columns, weights);
    for (int i = 0; i < q; i++) {
        size_t row = (size_t)i * (size_t)n;
        kernels->address(weights + row, (size_t)n, m->spec.temperature, m->spec.shrink, softmax ? softmax + row : NULL);
    }
    product(q, c, n, weights, slots, z_hat);
}

double memory_entropy(const float *weights, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (weights[i] > 0)
            sum -= (double)(weights[i] * logf(weights[i] + 1e-12f));
    return sum;
}

size_t memory_backward_scratch(const struct memory *m, int q)
{
    size_t n = (size_t)m->spec.slots, c = (size_t)m->channels, rows = (size_t)q;
    return rows * n + 2 * rows * c + rows + n * c;
}

/* Turns g, the gradient by a row's final weights, into the gradient by its similarities, in place. */
static void address_backward(const struct memory_spec *spec, float *g, const float *weights, const float *softmax,
                             float entropy_scale)
{
    int n = spec->slots;
    if (entropy_scale != 0)
        for (int i = 0; i < n; i++)
            g[i] -= entropy_scale * (logf(weights[i] + 1e-12f) + weights[i] / (weights[i] + 1e-12f));
    if (spec->shrink > 0) {
        float sum = 0, mean = 0;        /* of the weights after shrinkage; of g under the final weights */
        for (int i = 0; i < n; i++) {
            float over = softmax[i] - spec->shrink;
            sum += over > 0 ? over * softmax[i] / (over + 1e-12f) : 0;
            mean += g[i] * weights[i];
        }
        bool clamped = !(sum > 1e-12f);
        float inverse = 1 / (clamped ? 1e-12f : sum);
        for (int i = 0; i < n; i++) {
            float over = softmax[i] - spec->shrink, d = over + 1e-12f;
            float slope = over > 0 ? over / d + softmax[i] * 1e-12f / d / d : 0;
            g[i] = (g[i] - (clamped ? 0 : mean)) * inverse * slope;
        }
    }
    float mean = 0;
    for (int i = 0; i < n; i++)
        mean += g[i] * softmax[i];
    for (int i = 0; i < n; i++)
        g[i] = softmax[i] * (g[i] - mean) / spec->temperature;
}

/* Turns g, the gradient by normalised rows, into the gradient by the rows before normalisation. Writes to out, or adds to it
 * if add is set. */
static void normalize_backward(const float *unit, const float *norms, const float *g, size_t rows, size_t c, bool add,
                               float *out)
{
    for (size_t r = 0; r < rows; r++, unit += c, g += c, out += c) {
        float along = 0;
        for (size_t i = 0; i < c; i++)
            along += unit[i] * g[i];
        if (norms[r] <= 1e-12f)     /* a zero row was divided by a constant, 1e-12 */
            along = 0;
        for (size_t i = 0; i < c; i++) {
            float value = (g[i] - unit[i] * along) / norms[r];
            out[i] = add ? out[i] + value : value;
        }
    }
}

void memory_backward(const struct memory *m, const float *slots, const float *keys, const float *norms, const float *z,
                     const float *weights, const float *softmax, int q, const float *g_z_hat, float entropy_scale,
                     float *g_z, float *g_slots, float *scratch)
{
    int n = m->spec.slots, c = m->channels;
    size_t rows = (size_t)q, slots_n = (size_t)n, ch = (size_t)c;
    float *g = scratch;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, q, n, c, 1, g_z_hat, c, slots, c, 0, g, n);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, c, q, 1, weights, n, g_z_hat, c, 1, g_slots, c);
    for (size_t i = 0; i < rows; i++)
        address_backward(&m->spec, g + i * slots_n, weights + i * slots_n, softmax + i * slots_n, entropy_scale);

    if (m->spec.similarity == SIMILARITY_DOT) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, q, c, n, 1, g, n, slots, c, 0, g_z, c);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, c, q, 1, g, n, z, c, 1, g_slots, c);
        return;
    }
    float *unit = g + rows * slots_n, *g_unit = unit + rows * ch, *z_norms = g_unit + rows * ch,
          *g_keys = z_norms + rows;
    kernels->normalize(unit, z, rows, ch, z_norms);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, q, c, n, 1, g, n, keys, c, 0, g_unit, c);
    normalize_backward(unit, z_norms, g_unit, rows, ch, false, g_z);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, c, q, 1, g, n, unit, c, 0, g_keys, c);
    normalize_backward(keys, norms, g_keys, slots_n, ch, true, g_slots);
}

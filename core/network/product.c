#include "core/network/product.h"

#include <cblas.h>

#include "core/kernels/kernels.h"

/* OpenBLAS 0.3 uses its small-matrix kernels up to 100^3 multiply-adds. */
#define SMALL_PRODUCT 1000000.0

void product(int m, int n, int k, const float *a, const float *b, float *c)
{
    if ((double)m * (double)n * (double)k <= SMALL_PRODUCT)
        kernels->product(c, a, b, (size_t)m, (size_t)n, (size_t)k);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
}

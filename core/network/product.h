/* The matrix product of the frozen network: c = a · b, row-major and dense, a [m, k], b [k, n], c [m, n]; m, n, k > 0.
 * BLAS computes large products and kernels->product small ones: OpenBLAS allocates in its kernels for small matrices, and
 * scoring a window must not allocate. Pointers are borrowed and must not alias. Any thread. */
#ifndef MEMAED_CORE_NETWORK_PRODUCT_H
#define MEMAED_CORE_NETWORK_PRODUCT_H

void product(int m, int n, int k, const float *a, const float *b, float *c);

#endif

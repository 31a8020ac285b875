/* The matrix product of the frozen network: c = a · b, row-major and dense, a [m, k], b [k, n], c [m, n], all positive.
 * Large ones by BLAS; small ones by our own kernel, because OpenBLAS allocates in its kernels for small matrices, and a
 * window must not. Pointers must not alias. Any thread. */
#ifndef MEMAED_CORE_NETWORK_PRODUCT_H
#define MEMAED_CORE_NETWORK_PRODUCT_H

void product(int m, int n, int k, const float *a, const float *b, float *c);

#endif

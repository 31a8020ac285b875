/* The largest of a list of values, in linear time on average. No value is NAN. The functions reorder the list. Pure, any
 * thread. */
#ifndef MEMAED_CORE_SCORE_LARGEST_H
#define MEMAED_CORE_SCORE_LARGEST_H

#include <stddef.h>

/* Moves the k largest of n values to the front, with the smallest of them at index k - 1; 1 <= k <= n. */
void largest_select(float *values, size_t n, size_t k);

/* Returns n / share, rounded down, but at least 1. */
static inline size_t largest_share(size_t n, size_t share) { return n > share ? n / share : 1; }
/* The mean of the k >= 1 largest of n values. If n < k, the missing ones count as 0. */
float largest_mean(float *values, size_t n, size_t k);

/* The upper median of n > 0 values. */
float largest_median(float *values, size_t n);

#endif

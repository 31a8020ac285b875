/* Selection of the largest of a list of values, in linear time on average. Pure, any thread. */
#ifndef MEMAED_CORE_SCORE_LARGEST_H
#define MEMAED_CORE_SCORE_LARGEST_H

#include <stddef.h>

/* Moves the k largest of n values to the front, with the smallest of them at index k - 1; 1 <= k <= n. No value is NAN. */
void largest_select(float *values, size_t n, size_t k);

#endif

#include "core/score/largest.h"

void largest_select(float *v, size_t n, size_t k)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, wanted = (ptrdiff_t)k - 1;
    while (low < high) {
        float pivot = v[low + (high - low) / 2];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (v[i] > pivot)
                i++;
            while (v[j] < pivot)
                j--;
            if (i <= j) {
                float swap = v[i];
                v[i++] = v[j];
                v[j--] = swap;
            }
        }
        if (wanted <= j)
            high = j;
        else if (wanted >= i)
            low = i;
        else
            return;
    }
}

float largest_mean(float *values, size_t n, size_t k)
{
    double sum = 0;
    if (k < n)
        largest_select(values, n, k);
    for (size_t i = 0; i < k && i < n; i++)
        sum += (double)values[i];
    return (float)(sum / (double)k);
}

float largest_median(float *values, size_t n)
{
    largest_select(values, n, n / 2 + 1);
    return values[n / 2];
}

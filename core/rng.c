#include "core/rng.h"

#include <assert.h>
#include <math.h>

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void rng_seed(struct rng *rng, uint64_t seed)
{
    /* splitmix64 is a bijection of a counter: of four successive outputs at most one is zero, so the state is never zero. */
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        rng->s[i] = z ^ z >> 31;
    }
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s, result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

float rng_uniform(struct rng *rng)
{
    return (float)(rng_next(rng) >> 40) * 0x1p-24f;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    assert(n > 0);
    /* The lowest 2^64 mod n values would favour some remainders, so they are drawn again. */
    uint64_t surplus = -n % n, x;

    do
        x = rng_next(rng);
    while (x < surplus);
    return x % n;
}

double rng_normal(struct rng *rng)
{
    /* Marsaglia's polar method. The second value is discarded, so that the four words are the whole state. */
    double x, y, r;

    do {
        x = (double)(rng_next(rng) >> 11) * 0x1p-52 - 1;
        y = (double)(rng_next(rng) >> 11) * 0x1p-52 - 1;
        r = x * x + y * y;
    } while (r >= 1 || r == 0);
    return x * sqrt(-2 * log(r) / r);
}

void rng_shuffle(struct rng *rng, void *items, size_t n, size_t size)
{
    unsigned char *bytes = items;

    for (size_t i = n; i > 1; i--) {
        unsigned char *a = bytes + (i - 1) * size, *b = bytes + rng_below(rng, i) * size;
        for (size_t k = 0; k < size; k++) {
            unsigned char swap = a[k];
            a[k] = b[k];
            b[k] = swap;
        }
    }
}

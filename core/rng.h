/* A small seeded generator: xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM
 * TOMS 47, 2021), its state filled by splitmix64. The sequence depends on the seed alone and is the same on every machine.
 * Not for secrets. Plain data: a copy continues the same sequence. One thread per generator. */
#ifndef MEMAED_CORE_RNG_H
#define MEMAED_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);          /* any seed, including 0 */
uint64_t rng_next(struct rng *rng);                     /* 64 uniform bits */
float rng_uniform(struct rng *rng);                     /* [0, 1), a multiple of 2^-24 */
uint64_t rng_below(struct rng *rng, uint64_t n);        /* 0 … n-1 without bias; n > 0 */
double rng_normal(struct rng *rng);                     /* mean 0, variance 1 */

/* Shuffles n items of `size` bytes each in place. Every order is equally likely. */
void rng_shuffle(struct rng *rng, void *items, size_t n, size_t size);

#endif

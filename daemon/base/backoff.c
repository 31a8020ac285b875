#include "daemon/base/backoff.h"

void backoff_init(struct backoff *backoff, uint64_t seed)
{
    rng_seed(&backoff->rng, seed);
    backoff_reset(backoff);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next_us = BACKOFF_FIRST_US;
}

int64_t backoff_next_us(struct backoff *backoff)
{
    int64_t base = backoff->next_us;
    backoff->next_us = base < BACKOFF_LAST_US / 2 ? 2 * base : BACKOFF_LAST_US;
    int64_t drawn = base * 3 / 4 + (int64_t)rng_below(&backoff->rng, (uint64_t)base / 2 + 1);
    return drawn < BACKOFF_LAST_US ? drawn : BACKOFF_LAST_US;
}

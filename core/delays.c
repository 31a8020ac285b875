#include "core/delays.h"

const double delays_bound_s[DELAYS_BOUNDS] = {0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400};

void delays_add(struct delays *delays, int64_t happened_us, int64_t acknowledged_us)
{
    double delay_s = acknowledged_us > happened_us ? (double)(acknowledged_us - happened_us) / 1e6 : 0;
    int class = 0;
    while (class < DELAYS_BOUNDS && delay_s > delays_bound_s[class])
        class++;
    delays->n[class]++;
    delays->sum_s += delay_s;
}

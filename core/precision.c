#include "core/precision.h"

#include <string.h>

static const char *const names[] = {[PRECISION_FP32] = "fp32", [PRECISION_INT8] = "int8", [PRECISION_AUTO] = "auto"};
enum { N_NAMES = sizeof names / sizeof names[0] };

const char *precision_name(enum precision precision)
{
    return names[precision];
}

bool precision_find(enum precision *ret, const char *name)
{
    for (int i = 0; i < N_NAMES; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = (enum precision)i;
            return true;
        }
    return false;
}

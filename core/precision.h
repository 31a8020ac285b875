/* What the frozen network computes in, and what may be asked for. Pure, any thread. */
#ifndef MEMAED_CORE_PRECISION_H
#define MEMAED_CORE_PRECISION_H

#include <stdbool.h>

enum precision {
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_AUTO              /* as a wish: whichever calibration_precision() finds */
};

const char *precision_name(enum precision precision);                  /* "fp32", "int8", "auto" */
bool precision_find(enum precision *ret, const char *name);            /* false: none of these; ret untouched */

#endif

/* The precision in which the frozen network computes, and the precision that a user asks for. Pure, any thread. */
#ifndef MEMAED_CORE_PRECISION_H
#define MEMAED_CORE_PRECISION_H

#include <stdbool.h>

enum precision {
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_AUTO              /* only as a request: calibration_precision() chooses */
};

const char *precision_name(enum precision precision);                  /* "fp32", "int8", "auto" */
bool precision_find(enum precision *ret, const char *name);            /* false for another name; ret untouched */

#endif

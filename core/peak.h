/* How fast this CPU multiplies and adds: a loop of independent fused multiply-adds on registers, for `memaed bench` to
 * hold the network against. There is no clock here: the caller times it, one call a thread, all threads at once. */
#ifndef MEMAED_CORE_PEAK_H
#define MEMAED_CORE_PEAK_H

/* Runs `rounds` rounds with the widest vectors that the CPU has and returns the floating-point operations done, two a
 * multiply-add. *sink takes a value that depends on all of them, so that no compiler leaves them out. Any thread. */
double peak_run(long rounds, float *sink);

/* What it runs with: "avx512", "avx2" or "c". */
const char *peak_kernel(void);

/* One per instruction set (peak_kernel.h compiled three times); the caller sees to it that the CPU has it. */
double peak_run_c(long rounds, float *sink);
double peak_run_avx2(long rounds, float *sink);
double peak_run_avx512(long rounds, float *sink);

#endif

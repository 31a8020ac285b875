/* Makes OpenBLAS use the kernels that fit the CPU, and one thread a call.
 *
 * OpenBLAS chooses its kernels while it is loaded, by the CPU's family and model. Version 0.3.21 of Debian 12 does not know
 * newer Intel server CPUs (Sapphire Rapids, Emerald Rapids and later). It takes them for "Prescott" and multiplies with
 * SSE3: measured 25 GFLOP/s a core, where its AVX-512 kernels reach 140. OPENBLAS_CORETYPE overrides the choice.
 *
 * OpenBLAS also starts a thread for each core while it is loaded. Under a memory limit (ulimit -v) that may fail, and then
 * exit() waits for ever. OPENBLAS_NUM_THREADS overrides their number. OpenBLAS reads both variables before main(), so the
 * program sets them and executes itself again, once. That doubles the time it takes to start. */
#ifndef MEMAED_DAEMON_BASE_BLAS_H
#define MEMAED_DAEMON_BASE_BLAS_H

/* Call first in main(), before any thread exists.
 *
 * The wanted kernels follow from the CPU's flags (AVX-512 F, BW, DQ, VL and CD: SKYLAKEX; AVX2 and FMA: HASWELL) and from
 * MEMAED_CPU (c, avx2, avx512). If OpenBLAS chose others, or was not held to one thread, the function sets the
 * environment and executes the program again with argv.
 * The process keeps its id, so systemd still accepts its notifications. An OPENBLAS_CORETYPE that is already set, by the user or
 * by this function, is kept. If executing fails, the program continues with the kernels that it has.
 *
 * Then sets one thread a call, because the program's own threads share the work. */
void blas_init(char **argv);

/* OpenBLAS's name of the kernels in use: "SkylakeX", "Haswell", "Prescott" … */
const char *blas_kernels(void);

#endif

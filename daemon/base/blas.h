/* OpenBLAS as this program needs it: the kernels that the CPU deserves, and one thread a call.
 *
 * OpenBLAS chooses its kernels while it is loaded, by the CPU's family and model. Debian 12's 0.3.21 does not know the
 * newer Intel server CPUs (Sapphire Rapids, Emerald Rapids and later): it takes them for "Prescott" and multiplies with
 * SSE3, measured at 25 GFLOP/s a core where its AVX-512 kernels reach 140. OPENBLAS_CORETYPE overrides the choice, but
 * is read before main; so the program sets it and starts itself again, once. */
#ifndef MEMAED_DAEMON_BASE_BLAS_H
#define MEMAED_DAEMON_BASE_BLAS_H

/* First thing in main, before any thread. Where OpenBLAS chose other kernels than the CPU's flags (AVX-512 F, BW, DQ, VL
 * and CD: SKYLAKEX; AVX2 and FMA: HASWELL) and MEMAED_CPU (c, avx2, avx512) ask for, sets OPENBLAS_CORETYPE and executes
 * the program again with argv: the process keeps its id, so that systemd's notification still fits. Where
 * OPENBLAS_CORETYPE is set already, by the user or by this function, it stands. If the program can't be executed again,
 * it goes on with the kernels that it has. Then sets one thread a call: this program's own threads share the work. */
void blas_init(char **argv);

/* The kernels in use, as OpenBLAS names them: "SkylakeX", "Haswell", "Prescott" … */
const char *blas_kernels(void);

#endif

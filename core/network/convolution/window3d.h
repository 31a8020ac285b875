/* Which inputs each output of a convolution sees, and where they lie: pointers to them, for kernels that read them there.
 * For tensors of any element, channels-last; shared by core/network/convolution/conv3d.c and core/network/convolution/conv3d_int8.c. Pure, any thread. */
#ifndef MEMAED_CORE_NETWORK_CONVOLUTION_WINDOW3D_H
#define MEMAED_CORE_NETWORK_CONVOLUTION_WINDOW3D_H

#include "core/network/convolution/conv3d.h"

/* Position j on an axis reads the source at step*j + first … + n - 1; what is not of the source stands for zero. */
struct window3d {
    struct dims src;
    int n[3], first[3], step[3], out[3];
};

/* Those of a scatter's output phase: the fine positions origin, origin + stride, …; tap n - 1 - i of the window is
 * last_tap - i*stride of the kernel. */
struct phase3d {
    struct window3d w;
    int origin[3], last_tap[3];
};

/* Where outputs go, in bytes: position (t, y, x) at base + t*step[0] + y*step[1] + x*step[2]. */
struct placement3d {
    void *base;
    size_t step[3];
};

/* A source of fewer channels is copied with what stands for zero around it, so that the columns of a window are one run. */
enum { WINDOW3D_NARROW = 8,
       WINDOW3D_RUNS = 128 };           /* at most, of one window3d_rows() */

struct window3d window3d_gather(const struct conv3d *g);
int window3d_phases(const struct conv3d *g);
bool window3d_phase(const struct conv3d *g, int index, struct phase3d *ret);   /* false: it has no position */
size_t window3d_positions(const struct window3d *w);    /* outputs */
size_t window3d_taps(const struct window3d *w);

/* Output frames that see the same of their taps in time, and of the source the frames under these: at its ends the other
 * taps see nothing, and are not multiplied. */
struct span3d {
    struct window3d w;          /* of them alone, frame 0 first, on source frame `source` and what follows */
    int tap, source;            /* the first tap that w has, and the source frame under it */
};

/* Such frames from begin on, to end - 1 at most. */
struct span3d window3d_span(const struct window3d *w, int begin, int end);

/* Axes that a window does not look along become one long axis: rows of a table are one line. */
void window3d_merge(struct window3d *w);

bool window3d_is_narrow(const struct window3d *w);
/* Runs of a window: a tap's channels each; of a narrow one, a line of taps each. */
int window3d_runs(const struct window3d *w);
/* Positions of the copy that window3d_pad() makes, element bytes each with its channels; outside fills what is not of the
 * source, a position's bytes; NULL: zeros. w is then that of the copy. */
size_t window3d_padded(const struct window3d *w);
const void *window3d_pad(struct window3d *w, const void *src, size_t element, const void *outside, void *dst);

/* Where the runs first … first + runs - 1 of n output positions from m0 on lie, and where their outputs go: rows
 * [tiles, runs, tile], out [n]. outside: what a run reads that is not of the source. */
struct window3d_block {
    size_t m0, n, tile;
    int first, runs;
};
void window3d_rows(const struct window3d *w, const void *src, size_t element, const void *outside,
                   const struct placement3d *to, const struct window3d_block *block, const void **rows, void **out);

#endif

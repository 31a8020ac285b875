/* Windows: the inputs of each output of a convolution, as pointers for kernels that read them in place. Tensors [t, h, w, c] have
 * elements of any size, so conv3d.c and conv3d_int8.c share this. Pointers are borrowed for the call. Pure, any thread. */
#ifndef MEMAED_CORE_NETWORK_CONVOLUTION_WINDOW3D_H
#define MEMAED_CORE_NETWORK_CONVOLUTION_WINDOW3D_H

#include "core/network/convolution/conv3d.h"

/* On each axis (t, h, w), output j reads the source positions step*j + first … step*j + first + n - 1. Those outside the
 * source have the value 0. */
struct window3d {
    struct dims src;
    int n[3], first[3], step[3], out[3];
};

/* The windows of an output phase of a scatter, the fine positions origin, origin + stride, …. Tap i of the window is tap
 * last_tap - i*stride of the kernel. */
struct phase3d {
    struct window3d w;
    int origin[3], last_tap[3];
};

/* The places of outputs: position (t, y, x) is at base + t*step[0] + y*step[1] + x*step[2], in bytes. */
struct placement3d {
    void *base;
    size_t step[3];
};

/* A source with fewer than WINDOW3D_NARROW channels is narrow. It is copied with padding around it, so that the columns of a
 * window's line are contiguous and form one run. */
enum { WINDOW3D_NARROW = 8,
       WINDOW3D_RUNS = 128 };           /* the most runs of a window3d_rows() */

struct window3d window3d_gather(const struct conv3d *g);
int window3d_phases(const struct conv3d *g);
bool window3d_phase(const struct conv3d *g, int index, struct phase3d *ret);   /* false: the phase has no position */
size_t window3d_positions(const struct window3d *w);    /* outputs */
size_t window3d_taps(const struct window3d *w);

/* A span: successive output frames whose windows have the same taps inside the source in time. At the ends of the source the
 * other taps read only padding, so they are not multiplied. */
struct span3d {
    struct window3d w;          /* the windows of these frames, reduced to those taps; source frame 0 is frame `source` */
    int tap, source;            /* the first of those taps, and the source frame under it */
};

/* The longest span from frame begin on, up to frame end - 1. */
struct span3d window3d_span(const struct window3d *w, int begin, int end);

/* Merges t into h, and h into w, where the window has extent 1, stride 1 and no padding along both. So all rows of a table become
 * one line. */
void window3d_merge(struct window3d *w);

bool window3d_is_narrow(const struct window3d *w);
/* The number of runs of a window, contiguous inputs each: a tap's channels, or for a narrow source a line of taps. */
int window3d_runs(const struct window3d *w);
/* Copies src with padding to dst and returns dst. w becomes the window on the copy. dst has window3d_padded() positions of
 * w->src.c elements, `element` bytes each. outside holds the padding, the bytes of one position; NULL: zeros. */
size_t window3d_padded(const struct window3d *w);
const void *window3d_pad(struct window3d *w, const void *src, size_t element, const void *outside, void *dst);

/* Finds the inputs and the places of n output positions from m0 on. Writes the pointers to runs first … first + runs - 1 to
 * rows [tiles, runs, tile] and the pointers to the outputs to out [n]. A run outside the source points to `outside`, which
 * has the length of a run. */
struct window3d_block {
    size_t m0, n, tile;
    int first, runs;
};
void window3d_rows(const struct window3d *w, const void *src, size_t element, const void *outside,
                   const struct placement3d *to, const struct window3d_block *block, const void **rows, void **out);

#endif

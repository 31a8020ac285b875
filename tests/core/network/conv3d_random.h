/* Layers of random geometry, and the definition of convolution, for the tests of core/network/convolution/. */
#ifndef MEMAED_TESTS_CORE_NETWORK_CONV3D_RANDOM_H
#define MEMAED_TESTS_CORE_NETWORK_CONV3D_RANDOM_H

#include "core/network/convolution/conv3d.h"
#include "core/rng.h"

static struct rng rng;

static int between(int low, int high)
{
    return low + (int)rng_below(&rng, (uint64_t)(high - low + 1));
}

static int some_channels(bool wide)
{
    return wide && between(0, 1) ? between(5, 70) : between(1, 9);
}

/* A layer of random geometry. wide: a row is wide enough for several blocks of a kernel, and there may be many channels. */
static void random_layer(struct layer_spec *spec, struct dims *in, struct dims *out, bool wide)
{
    for (;;) {
        int channels = some_channels(wide);
        int size[3] = {between(1, 6), between(1, 14), wide ? between(10, 40) : between(1, 14)}, o[3];
        struct layer_spec s = {.type = between(0, 1) ? LAYER_CONV3D : LAYER_DECONV3D, .out = some_channels(wide)};
        for (int i = 0; i < 3; i++) {
            s.kernel[i] = between(1, 4);
            s.stride[i] = between(1, 3);
            s.padding[i] = between(0, 2);
            if (s.type == LAYER_DECONV3D)
                s.output_padding[i] = between(0, s.stride[i] - 1);
        }
        bool fits = true;
        for (int i = 0; i < 3; i++) {
            o[i] = s.type == LAYER_CONV3D ? (size[i] + 2 * s.padding[i] - s.kernel[i]) / s.stride[i] + 1
                                          : (size[i] - 1) * s.stride[i] - 2 * s.padding[i] + s.kernel[i] + s.output_padding[i];
            fits = fits && o[i] >= 1 && (s.type == LAYER_DECONV3D || size[i] + 2 * s.padding[i] >= s.kernel[i]);
        }
        if (!fits)
            continue;
        *spec = s;
        *in = (struct dims){channels, size[0], size[1], size[2]};
        *out = (struct dims){s.out, o[0], o[1], o[2]};
        return;
    }
}

/* Calls visit(arg, coarse position, fine position, tap) for every product of the definition. */
static void each_product(const struct conv3d *g, void (*visit)(void *arg, size_t coarse, size_t fine, size_t tap), void *arg)
{
    for (int t = 0; t < g->coarse.t; t++)
        for (int y = 0; y < g->coarse.h; y++)
            for (int x = 0; x < g->coarse.w; x++)
                for (int a = 0; a < g->kernel[0]; a++)
                    for (int b = 0; b < g->kernel[1]; b++)
                        for (int c = 0; c < g->kernel[2]; c++) {
                            int ft = t * g->stride[0] - g->padding[0] + a, fy = y * g->stride[1] - g->padding[1] + b,
                                fx = x * g->stride[2] - g->padding[2] + c;
                            if (ft < 0 || ft >= g->fine.t || fy < 0 || fy >= g->fine.h || fx < 0 || fx >= g->fine.w)
                                continue;
                            visit(arg, (size_t)((t * g->coarse.h + y) * g->coarse.w + x),
                                  (size_t)((ft * g->fine.h + fy) * g->fine.w + fx),
                                  (size_t)((a * g->kernel[1] + b) * g->kernel[2] + c));
                        }
}

#endif

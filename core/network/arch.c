#include "core/network/arch.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MAX_CHANNELS = 1 << 16, MAX_EXTENT = 64, MAX_AXIS = 1 << 14, MAX_SLOTS = 1 << 20 };
#define MAX_ELEMENTS ((size_t)INT_MAX)          /* of a tensor */
#define MOST 1e3f               /* of mean, std and slope */
#define LEAST_DIVISOR 1e-3f     /* of std */
#define LEAST_TEMPERATURE 1e-4f
#define MOST_TEMPERATURE 1e6f

static const char axis_name[3][8] = {"frames", "rows", "columns"};

static const struct {
    const char *name;
    enum input_kind kind;
    int axes;
} types[] = {
    [LAYER_CONV3D] = {"conv3d", INPUT_VIDEO, 3}, [LAYER_DECONV3D] = {"deconv3d", INPUT_VIDEO, 3},
    [LAYER_CONV2D] = {"conv2d", INPUT_IMAGE, 2}, [LAYER_DECONV2D] = {"deconv2d", INPUT_IMAGE, 2},
    [LAYER_LINEAR] = {"linear", INPUT_TABLE, 0},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

int layer_axes(enum layer_type type)
{
    return types[type].axes;
}

const char *layer_type_name(enum layer_type type)
{
    return types[type].name;
}

bool layer_type_find(enum layer_type *ret, enum input_kind kind, const char *name)
{
    for (int i = 0; i < N_TYPES; i++)
        if (types[i].kind == kind && strcmp(types[i].name, name) == 0) {
            *ret = (enum layer_type)i;
            return true;
        }
    return false;
}

const char *layer_types_of(enum input_kind kind)
{
    return kind == INPUT_VIDEO ? "conv3d or deconv3d" : kind == INPUT_IMAGE ? "conv2d or deconv2d" : "linear";
}

static bool product_fits(const size_t *factors, int n)
{
    size_t product = 1;
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, factors[i], &product) || product > MAX_ELEMENTS)
            return false;
    return true;
}

static int check_range(const char *what, int value, int low, int high, struct error *err)
{
    if (value < low || value > high)
        return error_set(err, -EINVAL, "%s: expected %d to %d, got %d", what, low, high, value);
    return 0;
}

static int layer_shape(struct dims *out, struct dims in, enum input_kind kind, const struct layer_spec *spec,
                       struct error *err)
{
    int r;
    if ((int)spec->type < 0 || (int)spec->type >= N_TYPES || types[spec->type].kind != kind)
        return error_set(err, -EINVAL, "type: expected %s for an input of this shape", layer_types_of(kind));
    if ((r = check_range("out", spec->out, 1, MAX_CHANNELS, err)) < 0)
        return r;
    const int size[3] = {in.t, in.h, in.w};
    int result[3];
    for (int a = 0; a < 3; a++) {
        if ((r = check_range("kernel", spec->kernel[a], 1, MAX_EXTENT, err)) < 0 ||
            (r = check_range("stride", spec->stride[a], 1, MAX_EXTENT, err)) < 0 ||
            (r = check_range("padding", spec->padding[a], 0, MAX_EXTENT, err)) < 0)
            return r;
        int k = spec->kernel[a], s = spec->stride[a], p = spec->padding[a], op = spec->output_padding[a];
        if (a < 3 - layer_axes(spec->type) && (k != 1 || s != 1 || p != 0 || op != 0))
            return error_set(err, -EINVAL, "kernel, stride, padding: expected 1, 1 and 0 along %s", axis_name[a]);
        if (!layer_is_transposed(spec->type)) {
            if (size[a] + 2 * p < k)
                return error_set(err, -EINVAL, "kernel: expected at most %d %s (the input has %d, padding %d), got %d",
                                 size[a] + 2 * p, axis_name[a], size[a], p, k);
            if (op != 0)
                return error_set(err, -EINVAL, "output_padding: expected 0 unless the type is deconv3d or deconv2d, "
                                 "got %d", op);
            result[a] = (size[a] + 2 * p - k) / s + 1;
        } else {
            if ((r = check_range("output_padding", op, 0, s - 1, err)) < 0)
                return r;
            result[a] = (size[a] - 1) * s - 2 * p + k + op;
        }
        if (result[a] < 1 || result[a] > MAX_AXIS)
            return error_set(err, -EINVAL, "the output: expected 1 to %d %s, got %d", MAX_AXIS, axis_name[a], result[a]);
    }
    struct dims d = {spec->out, result[0], result[1], result[2]};
    if (!product_fits((size_t[]){(size_t)d.c, (size_t)d.t, (size_t)d.h, (size_t)d.w}, 4))
        return error_set(err, -EINVAL, "the output: expected at most %zu elements, got %d x %d x %d x %d", MAX_ELEMENTS, d.c,
                         d.t, d.h, d.w);
    if (!product_fits((size_t[]){(size_t)in.c, (size_t)d.c, (size_t)spec->kernel[0], (size_t)spec->kernel[1],
                                 (size_t)spec->kernel[2]}, 5))
        return error_set(err, -EINVAL, "the weight: expected at most %zu elements, got %d x %d x %d x %d x %d", MAX_ELEMENTS,
                         d.c, in.c, spec->kernel[0], spec->kernel[1], spec->kernel[2]);
    switch (spec->activation) {
    case ACTIVATION_NONE: case ACTIVATION_RELU: case ACTIVATION_TANH:
        break;
    case ACTIVATION_LEAKY_RELU:
        if (!(fabsf(spec->slope) <= MOST))
            return error_set(err, -EINVAL, "slope: expected a number from %g to %g, got %g", (double)-MOST, (double)MOST,
                             (double)spec->slope);
        break;
    default:
        return error_set(err, -EINVAL, "activation: expected a known one, got number %d", (int)spec->activation);
    }
    *out = d;
    return 0;
}

static int part_shapes(struct dims *shapes, const char *part, enum input_kind kind, const struct layer_spec *specs, int n,
                       struct error *err)
{
    if (n < 1 || n > ARCH_MAX_LAYERS)
        return error_set(err, -EINVAL, "%s: expected 1 to %d layers, got %d", part, ARCH_MAX_LAYERS, n);
    for (int i = 0; i < n; i++) {
        int r = layer_shape(&shapes[i + 1], shapes[i], kind, &specs[i], err);
        if (r < 0)
            return error_prefix(err, r, "%s layer %d", part, i);
    }
    return 0;
}

int arch_shapes(struct arch_shapes *ret, const struct arch *arch, struct error *err)
{
    int r;
    struct arch_shapes s;
    memset(&s, 0, sizeof s);
    if (arch->kind != INPUT_VIDEO && arch->kind != INPUT_IMAGE && arch->kind != INPUT_TABLE)
        return error_set(err, -EINVAL, "input: expected a video, an image or a table, got kind %d", (int)arch->kind);
    if ((r = check_range("channels", arch->channels, 1, MAX_CHANNELS, err)) < 0 ||
        (r = check_range("frames", arch->frames, 1, ARCH_MAX_FRAMES, err)) < 0 ||
        (r = check_range("height", arch->height, 1, MAX_AXIS, err)) < 0 ||
        (r = check_range("width", arch->width, 1, MAX_AXIS, err)) < 0)
        return error_prefix(err, r, "input");
    if ((arch->kind != INPUT_VIDEO && arch->frames != 1) ||
        (arch->kind == INPUT_TABLE && (arch->height != 1 || arch->width != 1)))
        return error_set(err, -EINVAL, "input: expected an image of one frame or a table of one pixel, got %d x %d x %d",
                         arch->frames, arch->height, arch->width);
    if (!(fabsf(arch->mean) <= MOST) || !(arch->std >= LEAST_DIVISOR && arch->std <= MOST))
        return error_set(err, -EINVAL, "input: expected a mean from %g to %g and a std from %g to %g, got %g and %g",
                         (double)-MOST, (double)MOST, (double)LEAST_DIVISOR, (double)MOST, (double)arch->mean,
                         (double)arch->std);
    s.encoder[0] = (struct dims){arch->channels, arch->frames, arch->height, arch->width};
    if (!product_fits((size_t[]){(size_t)arch->channels, (size_t)arch->frames, (size_t)arch->height,
                                 (size_t)arch->width}, 4))
        return error_set(err, -EINVAL, "input: expected at most %zu elements, got %d x %d x %d x %d", MAX_ELEMENTS,
                         arch->channels, arch->frames, arch->height, arch->width);
    if ((r = part_shapes(s.encoder, "encoder", arch->kind, arch->encoder, arch->n_encoder, err)) < 0)
        return r;

    struct dims z = s.encoder[arch->n_encoder];
    if (arch->has_memory) {
        const struct memory_spec *m = &arch->memory;
        if ((r = check_range("slots", m->slots, 1, MAX_SLOTS, err)) < 0)
            return error_prefix(err, r, "memory");
        if (m->similarity != SIMILARITY_COSINE && m->similarity != SIMILARITY_DOT)
            return error_set(err, -EINVAL, "memory: similarity: expected cosine or dot, got number %d", (int)m->similarity);
        if (!(m->shrink >= 0 && m->shrink < 1))
            return error_set(err, -EINVAL, "memory: shrink: expected at least 0 and below 1, got %g", (double)m->shrink);
        if (!(m->temperature >= LEAST_TEMPERATURE && m->temperature <= MOST_TEMPERATURE))
            return error_set(err, -EINVAL, "memory: temperature: expected a number from %g to %g, got %g",
                             (double)LEAST_TEMPERATURE, (double)MOST_TEMPERATURE, (double)m->temperature);
        if (!product_fits((size_t[]){(size_t)m->slots, (size_t)z.c}, 2) ||
            !product_fits((size_t[]){(size_t)m->slots, dims_positions(z)}, 2))
            return error_set(err, -EINVAL, "memory: expected at most %zu elements, got %d slots for %zu queries of %d "
                             "channels", MAX_ELEMENTS, m->slots, dims_positions(z), z.c);
    }
    s.decoder[0] = z;
    if ((r = part_shapes(s.decoder, "decoder", arch->kind, arch->decoder, arch->n_decoder, err)) < 0)
        return r;
    struct dims in = s.encoder[0], out = s.decoder[arch->n_decoder];
    if (in.c != out.c || in.t != out.t || in.h != out.h || in.w != out.w)
        return error_set(err, -EINVAL, "decoder: expected an output of the input's shape, %d x %d x %d x %d, got "
                         "%d x %d x %d x %d", in.c, in.t, in.h, in.w, out.c, out.t, out.h, out.w);
    *ret = s;
    return 0;
}

int arch_check_camera(const struct arch *arch, struct error *err)
{
    if (arch->kind != INPUT_VIDEO)
        return error_set(err, -EINVAL, "expected a model for video, got one for %s",
                         arch->kind == INPUT_IMAGE ? "single images" : "rows of a table");
    if (arch->channels != 1)
        return error_set(err, -EINVAL, "expected a model for gray pictures (1 channel), got one for %d channels",
                         arch->channels);
    return 0;
}

struct arch_cost arch_layer_cost(const struct layer_spec *spec, struct dims in, struct dims out)
{
    size_t weights = (size_t)in.c * (size_t)out.c * (size_t)spec->kernel[0] * (size_t)spec->kernel[1] *
                     (size_t)spec->kernel[2];
    size_t positions = dims_positions(layer_is_transposed(spec->type) ? in : out);
    return (struct arch_cost){
        .parameters = weights + (size_t)out.c * (spec->norm ? 3 : 1),
        .multiply_adds = (double)weights * (double)positions,
    };
}

struct arch_cost arch_memory_cost(const struct arch *arch, const struct arch_shapes *shapes)
{
    if (!arch->has_memory)
        return (struct arch_cost){0};
    struct dims z = shapes->decoder[0];
    size_t parameters = (size_t)arch->memory.slots * (size_t)z.c;
    /* The similarities cost this much, and so does the mixture of the slots. */
    return (struct arch_cost){.parameters = parameters,
                              .multiply_adds = 2 * (double)parameters * (double)dims_positions(z)};
}

static void add_cost(struct arch_cost *total, struct arch_cost cost)
{
    total->parameters += cost.parameters;
    total->multiply_adds += cost.multiply_adds;
}

struct arch_cost arch_total_cost(const struct arch *arch, const struct arch_shapes *shapes)
{
    struct arch_cost total = arch_memory_cost(arch, shapes);
    for (int i = 0; i < arch->n_encoder; i++)
        add_cost(&total, arch_layer_cost(&arch->encoder[i], shapes->encoder[i], shapes->encoder[i + 1]));
    for (int i = 0; i < arch->n_decoder; i++)
        add_cost(&total, arch_layer_cost(&arch->decoder[i], shapes->decoder[i], shapes->decoder[i + 1]));
    return total;
}

int arch_module_index(const struct layer_spec *specs, int i)
{
    int index = 0;
    for (int j = 0; j < i; j++)
        index += 1 + specs[j].norm + (specs[j].activation != ACTIVATION_NONE);
    return index;
}

/* ---- profiles ---------------------------------------------------------------------------------------------------- */

#define HIDDEN .norm = true, .activation = ACTIVATION_LEAKY_RELU, .slope = 0.2f
#define CONV(c, t, ...) {.type = LAYER_CONV3D, .out = c, .kernel = {3, 3, 3}, .stride = {t, 2, 2}, \
                         .padding = {1, 1, 1}, __VA_ARGS__}
#define DECONV(c, t, ...) {.type = LAYER_DECONV3D, .out = c, .kernel = {3, 3, 3}, .stride = {t, 2, 2}, \
                           .padding = {1, 1, 1}, .output_padding = {(t) - 1, 1, 1}, __VA_ARGS__}
/* The paper's network for video, section 4.2: strides 1, 2, 2, 2 in time, 2 in space. */
#define VIDEO(h, w, c1, c2, c3, c4, ...) { \
    .channels = 1, .frames = 16, .height = h, .width = w, .mean = 0.5f, .std = 0.5f, .n_encoder = 4, .n_decoder = 4, \
    .encoder = {CONV(c1, 1, HIDDEN), CONV(c2, 2, HIDDEN), CONV(c3, 2, HIDDEN), CONV(c4, 2, HIDDEN)}, \
    .decoder = {DECONV(c3, 2, HIDDEN), DECONV(c2, 2, HIDDEN), DECONV(c1, 2, HIDDEN), DECONV(1, 1, .norm = false)}, __VA_ARGS__}
#define MEMORY(n, sim, lambda, tau) .has_memory = true, \
    .memory = {.slots = n, .similarity = sim, .shrink = lambda, .temperature = tau}

static const struct profile {
    const char *name;
    bool fits;
    struct arch arch;
} profiles[] = {
    {"paper", false, VIDEO(256, 256, 96, 128, 256, 256, MEMORY(2000, SIMILARITY_COSINE, 0.0005f, 1.0f))},
    {"released", false, VIDEO(256, 256, 96, 128, 256, 256, MEMORY(2000, SIMILARITY_DOT, 0.0025f, 1.0f))},
    /* Profiles for CPUs. They address by dot product, as the released code does. Two compact models learned Ped2 for 3,600
     * steps. By the paper's protocol dot product reached 0.889, cosine (temperature 0.05, λ 0.001) 0.834. On one scale for all
     * clips both reached 0.967. small has fewer channels than compact where pictures are large, and more where they are small. It
     * detects as much with 0.6 of the multiply-adds. nano is small for smaller pictures. Figures: docs/experiments.md. */
    {"compact", true, VIDEO(128, 128, 32, 48, 64, 64, MEMORY(500, SIMILARITY_DOT, 0.0025f, 1.0f))},
    {"small", true, VIDEO(128, 128, 16, 32, 96, 192, MEMORY(500, SIMILARITY_DOT, 0.0025f, 1.0f))},
    {"nano", true, VIDEO(64, 64, 16, 32, 96, 192, MEMORY(500, SIMILARITY_DOT, 0.0025f, 1.0f))},
    /* The same without a memory, for comparison. */
    {"compact-ae", true, VIDEO(128, 128, 32, 48, 64, 64, .has_memory = false)},
    {"small-ae", true, VIDEO(128, 128, 16, 32, 96, 192, .has_memory = false)},
    {"nano-ae", true, VIDEO(64, 64, 16, 32, 96, 192, .has_memory = false)},
};

const char *arch_profile_name(int i)
{
    return i >= 0 && (size_t)i < sizeof profiles / sizeof profiles[0] ? profiles[i].name : NULL;
}

static const struct profile *find_profile(const char *name)
{
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

const struct arch *arch_profile(const char *name)
{
    const struct profile *profile = find_profile(name);
    return profile ? &profile->arch : NULL;
}

bool arch_profile_fits(const char *name)
{
    const struct profile *profile = find_profile(name);
    return profile && profile->fits;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

enum { GRAIN = 16, LEAST_SIDE = 32 };
#define MOST_AREA 1.15                          /* times the architecture's */
#define AREA_WEIGHT 0.5                         /* detection loses more by fewer pixels than by a slightly wrong aspect */

/* The longest side that a network may have for a camera's side of this length. */
static int longest(int side)
{
    int rounded = side < MAX_AXIS ? (side + GRAIN / 2) / GRAIN * GRAIN : MAX_AXIS;
    return rounded > LEAST_SIDE ? rounded : LEAST_SIDE;
}

void arch_fit_size(const struct arch *arch, int *width, int *height)
{
    double area = (double)arch->width * (double)arch->height, least = INFINITY;
    int most_w = longest(*width), most_h = longest(*height), best_w = LEAST_SIDE, best_h = LEAST_SIDE;
    for (int w = LEAST_SIDE; w <= most_w; w += GRAIN)
        for (int h = LEAST_SIDE; h <= most_h && (double)w * h <= MOST_AREA * area; h += GRAIN) {
            double distortion = fabs(log((double)w * *height / ((double)h * *width)));
            double cost = distortion + AREA_WEIGHT * fmax(0, log(area / ((double)w * h)));
            if (cost < least) {
                least = cost;
                best_w = w;
                best_h = h;
            }
        }
    *width = best_w;
    *height = best_h;
}

/* Returns true if arch has the size that a profile takes for such a camera. */
static bool is_fitted(const struct arch *arch, int width, int height)
{
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        int w = width, h = height;
        if (!profiles[i].fits)
            continue;
        arch_fit_size(&profiles[i].arch, &w, &h);
        if (w == arch->width && h == arch->height)
            return true;
    }
    return false;
}

bool arch_fits_aspect(const struct arch *arch, int width, int height)
{
    int shorter = arch->width < arch->height ? arch->width : arch->height;
    double distortion = fabs(log((double)arch->width * height / ((double)arch->height * width)));
    return arch->width == arch->height || distortion <= log1p(GRAIN / 2. / shorter) || is_fitted(arch, width, height);
}

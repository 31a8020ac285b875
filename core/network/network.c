#include "core/network/network.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/convolution/conv3d.h"
#include "core/network/memory.h"

#define NORM_EPS 1e-5f
#define NORM_MOMENTUM 0.1f
enum { MIN_QUERIES = 256 };     /* enough rows for a product to be worth its call */

/* One layer with what the way back needs of the forward. */
struct layer {
    const struct layer_spec *spec;
    struct conv3d conv;
    struct dims in, out;
    float *forward, *backward;      /* the weight packed for either direction */
    float *y;                       /* [batch, positions, out.c] the convolution's output; == a where nothing follows */
    float *a;                       /* likewise, after norm and activation */
    float *scale, *shift;           /* [out.c]: a = activation(y*scale + shift) */
    float *origin, *inverse_std;    /* [out.c]: the mean of y and 1/sqrt(var + eps), with a norm */
};

struct network {
    struct arch arch;
    struct arch_shapes shapes;
    struct parallel parallel;
    int batch, n;                           /* room; samples of the last forward */
    int n_layers;
    struct layer layers[2 * ARCH_MAX_LAYERS];       /* encoder, then decoder */
    struct memory memory;
    size_t queries;                         /* that are addressed at once: a sample's, or several small ones' */
    float *keys, *columns, *norms, *weights, *softmax, *z_hat;
    float *x;
    float *g[2];                            /* gradients on the way back, in turn */
    /* For each part (thread): */
    size_t scratch_floats, gradient_floats, sums;
    float *scratch, *gradient, *work;
    double *sum;
    double *part_sum;                       /* [parts, 2] */
};

static void *allocate(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n ? n : 1, size, &bytes) || bytes > SIZE_MAX - 63)
        return NULL;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static bool is_gather(const struct layer *l)
{
    return !layer_is_transposed(l->spec->type);
}

static bool is_plain(const struct layer_spec *spec)
{
    return !spec->norm && spec->activation == ACTIVATION_NONE;
}

static size_t sample(const struct dims d)
{
    return dims_elements(d);
}

/* A layer that doesn't look across frames takes samples that follow on each other as frames of one: a batch of images, or
 * of rows of a table, is one product instead of a small one a sample. Returns how many samples a call takes, and the
 * geometry of such a call. */
static int samples_a_call(const struct layer *l, int samples, struct conv3d *ret)
{
    *ret = l->conv;
    if (samples < 1 || l->conv.kernel[0] != 1 || l->conv.stride[0] != 1 || l->conv.padding[0] != 0)
        return 1;
    ret->fine.t *= samples;
    ret->coarse.t *= samples;
    return samples;
}

static int open_layer(struct network *net, struct layer *l, const struct layer_spec *spec, struct dims in, struct dims out)
{
    size_t c = (size_t)out.c, all = (size_t)net->batch * dims_elements(out);
    l->spec = spec;
    l->in = in;
    l->out = out;
    conv3d_init(&l->conv, spec, in, out);
    l->forward = allocate(conv3d_packed(&l->conv), sizeof(float));
    l->backward = allocate(conv3d_packed(&l->conv), sizeof(float));
    l->y = allocate(all, sizeof(float));
    l->a = is_plain(spec) ? l->y : allocate(all, sizeof(float));
    l->scale = allocate(c, sizeof(float));
    l->shift = allocate(c, sizeof(float));
    l->origin = allocate(c, sizeof(float));
    l->inverse_std = allocate(c, sizeof(float));
    struct conv3d call;
    samples_a_call(l, net->batch, &call);
    size_t scratch = conv3d_scratch(&call);
    if (scratch > net->scratch_floats)
        net->scratch_floats = scratch;
    if (conv3d_weights(&l->conv) > net->gradient_floats)
        net->gradient_floats = conv3d_weights(&l->conv);
    if (c > net->sums)
        net->sums = c;
    return l->forward && l->backward && l->y && l->a && l->scale && l->shift && l->origin && l->inverse_std ? 0 : -ENOMEM;
}

int network_open(struct network **ret, const struct arch *arch, int batch, const struct parallel *parallel,
                 struct error *err)
{
    if (batch < 1)
        return error_set(err, -EINVAL, "batch: at least 1 expected, %d found", batch);
    struct network *net = calloc(1, sizeof *net);
    if (!net)
        return error_set(err, -ENOMEM, "out of memory");
    net->arch = *arch;
    net->batch = batch;
    net->parallel = *parallel;
    int r = arch_shapes(&net->shapes, arch, err);
    if (r < 0) {
        network_close(net);
        return r;
    }
    size_t largest = dims_elements(net->shapes.encoder[0]);
    for (int i = 0; r == 0 && i < arch->n_encoder + arch->n_decoder; i++) {
        bool decoder = i >= arch->n_encoder;
        int j = decoder ? i - arch->n_encoder : i;
        const struct dims *shapes = decoder ? net->shapes.decoder : net->shapes.encoder;
        r = open_layer(net, &net->layers[net->n_layers++], decoder ? &net->arch.decoder[j] : &net->arch.encoder[j],
                       shapes[j], shapes[j + 1]);
        if (dims_elements(shapes[j + 1]) > largest)
            largest = dims_elements(shapes[j + 1]);
    }
    size_t n = (size_t)batch, parts = (size_t)parallel->threads;
    struct dims z = net->shapes.decoder[0];
    if (arch->has_memory) {
        net->memory = (struct memory){.spec = arch->memory, .channels = z.c};
        size_t slots = (size_t)arch->memory.slots, q = dims_positions(z);
        net->keys = allocate(slots * (size_t)z.c, sizeof(float));
        net->columns = allocate(slots * (size_t)z.c, sizeof(float));
        net->norms = allocate(slots, sizeof(float));
        net->weights = allocate(n * q * slots, sizeof(float));
        net->softmax = allocate(n * q * slots, sizeof(float));
        net->z_hat = allocate(n * dims_elements(z), sizeof(float));
        if (!net->keys || !net->columns || !net->norms || !net->weights || !net->softmax || !net->z_hat)
            r = -ENOMEM;
        net->queries = q > MIN_QUERIES ? q : MIN_QUERIES;
        size_t scratch = memory_backward_scratch(&net->memory, (int)net->queries);
        if (scratch > net->scratch_floats)
            net->scratch_floats = scratch;
        if (slots * (size_t)z.c > net->gradient_floats)
            net->gradient_floats = slots * (size_t)z.c;
    }
    net->x = allocate(n * dims_elements(net->shapes.encoder[0]), sizeof(float));
    net->g[0] = allocate(n * largest, sizeof(float));
    net->g[1] = allocate(n * largest, sizeof(float));
    net->scratch = allocate(parts * net->scratch_floats, sizeof(float));
    net->gradient = allocate(parts * net->gradient_floats, sizeof(float));
    net->work = allocate(parts * 2 * net->sums, sizeof(float));
    net->sum = allocate(parts * 2 * net->sums, sizeof(double));
    net->part_sum = allocate(parts * 2, sizeof(double));
    if (!net->x || !net->g[0] || !net->g[1] || !net->scratch || !net->gradient || !net->work || !net->sum || !net->part_sum)
        r = -ENOMEM;
    if (r < 0) {
        network_close(net);
        return error_set(err, r, "out of memory for a batch of %d", batch);
    }
    *ret = net;
    return 0;
}

void network_close(struct network *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->n_layers; i++) {
        struct layer *l = &net->layers[i];
        free(l->forward);
        free(l->backward);
        if (l->a != l->y)
            free(l->a);
        free(l->y);
        free(l->scale);
        free(l->shift);
        free(l->origin);
        free(l->inverse_std);
    }
    free(net->keys);
    free(net->columns);
    free(net->norms);
    free(net->weights);
    free(net->softmax);
    free(net->z_hat);
    free(net->x);
    free(net->g[0]);
    free(net->g[1]);
    free(net->scratch);
    free(net->gradient);
    free(net->work);
    free(net->sum);
    free(net->part_sum);
    free(net);
}

float *network_input(struct network *net)
{
    return net->x;
}

/* ---- splitting --------------------------------------------------------------------------------------------------- */

/* What the parts of a parallel step share. Part i does samples first(i) … first(i + 1) - 1. */
struct step {
    struct network *net;
    struct layer *layer;
    const float *in;
    const float *slots;
    float *g_in, *g_out;            /* gradients by the layer's input (NULL: not needed) and output */
    float entropy_scale;
};

static int first_sample(const struct network *net, int part)
{
    return (int)((long)net->n * part / net->parallel.threads);
}

/* Where a part's output begins, in floats, and how many rows of out.c channels it has. */
static size_t part_start(const struct network *net, const struct layer *l, int part)
{
    return (size_t)first_sample(net, part) * sample(l->out);
}

static size_t part_rows(const struct network *net, const struct layer *l, int part)
{
    return (size_t)(first_sample(net, part + 1) - first_sample(net, part)) * dims_positions(l->out);
}

static void each_part(struct network *net, void (*fn)(void *step, int part, int worker), struct step *step)
{
    net->parallel.run(&net->parallel, net->parallel.threads, fn, step);
}

static const float *layer_input(const struct network *net, int i)
{
    return i == 0 ? net->x : i == net->arch.n_encoder && net->arch.has_memory ? net->z_hat : net->layers[i - 1].a;
}

/* The sums of all parts, into those of part 0. */
static void add_sums(struct network *net, size_t c)
{
    for (int part = 1; part < net->parallel.threads; part++)
        for (size_t i = 0; i < 2 * c; i++)
            net->sum[i] += net->sum[(size_t)part * 2 * net->sums + i];
}

static double *part_sums(struct network *net, int part, size_t c)
{
    double *sum = net->sum + (size_t)part * 2 * net->sums;
    memset(sum, 0, 2 * c * sizeof *sum);
    return sum;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static void convolve_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    struct layer *l = s->layer;
    (void)worker;
    const struct epilogue e = {.bias = l->shift};       /* the bias alone; norm and activation follow */
    int first = first_sample(net, part), end = first_sample(net, part + 1);
    struct conv3d conv;
    int step = samples_a_call(l, end - first, &conv);
    for (int i = first; i < end; i += step)
        (is_gather(l) ? conv3d_gather : conv3d_scatter)(
            &conv, s->in + (size_t)i * sample(l->in), l->forward, &e, l->y + (size_t)i * sample(l->out),
            net->scratch + (size_t)part * net->scratch_floats);
}

static void moments_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    struct layer *l = s->layer;
    (void)worker;
    size_t c = (size_t)l->out.c;
    double *sum = part_sums(net, part, c);
    kernels->channel_moments(l->y + part_start(net, l, part), l->origin, part_rows(net, l, part), c, sum, sum + c,
                             net->work + (size_t)part * 2 * net->sums);
}

static void activate_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    struct layer *l = s->layer;
    (void)worker;
    size_t c = (size_t)l->out.c, at = part_start(net, l, part), rows = part_rows(net, l, part);
    kernels->affine_activation(l->a + at, c, l->y + at, l->scale, l->shift, rows, c, l->spec->activation, l->spec->slope);
}

/* Mean and variance of the batch, and from them scale and shift; the running ones follow. */
static void batch_statistics(struct network *net, struct layer *l, struct layer_params *p, struct step *step)
{
    size_t c = (size_t)l->out.c;
    double rows = (double)net->n * (double)dims_positions(l->out);
    memcpy(l->origin, l->y, c * sizeof *l->origin);     /* near the mean, so that squares do not cancel */
    each_part(net, moments_part, step);
    add_sums(net, c);
    for (size_t i = 0; i < c; i++) {
        double mean = net->sum[i] / rows, variance = net->sum[c + i] / rows - mean * mean;
        if (variance < 0)
            variance = 0;
        double unbiased = rows > 1 ? variance * rows / (rows - 1) : variance;
        l->origin[i] = (float)(mean + (double)l->origin[i]);
        l->inverse_std[i] = (float)(1 / sqrt(variance + (double)NORM_EPS));
        p->running_mean[i] += NORM_MOMENTUM * (l->origin[i] - p->running_mean[i]);
        p->running_var[i] += NORM_MOMENTUM * ((float)unbiased - p->running_var[i]);
    }
}

static void forward_layer(struct network *net, int i, const struct layer_params *p, struct layer_params *moving)
{
    struct layer *l = &net->layers[i];
    struct step step = {.net = net, .layer = l, .in = layer_input(net, i)};
    size_t c = (size_t)l->out.c;
    (is_gather(l) ? conv3d_pack_gather : conv3d_pack_scatter)(&l->conv, p->weight, NULL, l->forward);
    memcpy(l->shift, p->bias, c * sizeof *l->shift);
    each_part(net, convolve_part, &step);
    if (is_plain(l->spec))
        return;

    for (size_t j = 0; j < c; j++) {
        l->scale[j] = 1;
        l->shift[j] = l->origin[j] = 0;
    }
    if (l->spec->norm) {
        if (moving)
            batch_statistics(net, l, moving, &step);
        else
            for (size_t j = 0; j < c; j++) {
                l->origin[j] = p->running_mean[j];
                l->inverse_std[j] = 1 / sqrtf(p->running_var[j] + NORM_EPS);
            }
        for (size_t j = 0; j < c; j++) {
            l->scale[j] = p->norm_weight[j] * l->inverse_std[j];
            l->shift[j] = p->norm_bias[j] - l->origin[j] * l->scale[j];
        }
    }
    each_part(net, activate_part, &step);
}

static void address_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    (void)worker;
    struct dims z = net->shapes.decoder[0];
    size_t q = dims_positions(z), c = (size_t)z.c, slots = (size_t)net->memory.spec.slots;
    size_t row = (size_t)first_sample(net, part) * q, end = (size_t)first_sample(net, part + 1) * q;
    for (size_t rows; row < end; row += rows) {
        rows = end - row < net->queries ? end - row : net->queries;
        memory_forward(&net->memory, s->slots, net->columns, s->in + row * c, (int)rows, net->z_hat + row * c,
                       net->weights + row * slots, net->softmax + row * slots,
                       net->scratch + (size_t)part * net->scratch_floats);
    }
}

void network_decode(struct network *net, const struct model *model, int n)
{
    net->n = n;
    for (int i = 0; i < net->arch.n_decoder; i++)
        forward_layer(net, net->arch.n_encoder + i, &model->decoder[i], NULL);
}

void network_forward(struct network *net, struct model *model, int n, enum network_mode mode)
{
    int encoder = net->arch.n_encoder;
    net->n = n;
    for (int i = 0; i < encoder; i++)
        forward_layer(net, i, &model->encoder[i], mode == NETWORK_TRAINING ? &model->encoder[i] : NULL);
    if (net->arch.has_memory) {
        net->memory.spec.shrink = model->arch.memory.shrink;
        net->memory.spec.temperature = model->arch.memory.temperature;
        memory_keys(&net->memory, model->memory, net->keys, net->columns, net->norms);
        struct step step = {.net = net, .in = net->layers[encoder - 1].a, .slots = model->memory};
        each_part(net, address_part, &step);
    }
    for (int i = 0; i < net->arch.n_decoder; i++)
        forward_layer(net, encoder + i, &model->decoder[i], mode == NETWORK_TRAINING ? &model->decoder[i] : NULL);
}

const float *network_output(const struct network *net)
{
    return net->layers[net->n_layers - 1].a;
}

const float *network_z(const struct network *net)
{
    return net->layers[net->arch.n_encoder - 1].a;
}

float *network_z_hat(struct network *net)
{
    return net->arch.has_memory ? net->z_hat : net->layers[net->arch.n_encoder - 1].a;
}

const float *network_weights(const struct network *net)
{
    return net->weights;
}

const float *network_softmax(const struct network *net)
{
    return net->softmax;
}

/* ---- loss -------------------------------------------------------------------------------------------------------- */

static void loss_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    (void)worker;
    size_t n = sample(net->shapes.encoder[0]), q = dims_positions(net->shapes.decoder[0]);
    double mse = 0, entropy = 0;
    const float *x_hat = network_output(net);
    for (int i = first_sample(net, part); i < first_sample(net, part + 1); i++) {
        for (size_t j = (size_t)i * n; j < (size_t)(i + 1) * n; j++) {
            float d = x_hat[j] - net->x[j];
            mse += (double)(d * d);
        }
        if (net->arch.has_memory) {
            size_t floats = q * (size_t)net->memory.spec.slots;
            entropy += memory_entropy(net->weights + (size_t)i * floats, floats);
        }
    }
    net->part_sum[2 * part] = mse;
    net->part_sum[2 * part + 1] = entropy;
}

void network_loss(struct network *net, double alpha, struct network_loss *ret)
{
    struct step step = {.net = net};
    each_part(net, loss_part, &step);
    double mse = 0, entropy = 0;
    for (int part = 0; part < net->parallel.threads; part++) {
        mse += net->part_sum[2 * part];
        entropy += net->part_sum[2 * part + 1];
    }
    double n = (double)net->n;
    ret->mse = mse / (n * (double)sample(net->shapes.encoder[0]));
    ret->entropy = entropy / (n * (double)dims_positions(net->shapes.decoder[0]));
    ret->total = ret->mse + alpha * ret->entropy;
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

static void loss_gradient_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    (void)worker;
    size_t n = sample(net->shapes.encoder[0]);
    const float *x_hat = network_output(net);
    float scale = (float)(2 / ((double)net->n * (double)n));
    for (size_t j = (size_t)first_sample(net, part) * n; j < (size_t)first_sample(net, part + 1) * n; j++)
        s->g_out[j] = (x_hat[j] - net->x[j]) * scale;
}

static void activation_backward_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    struct layer *l = s->layer;
    (void)worker;
    size_t c = (size_t)l->out.c, at = part_start(net, l, part), rows = part_rows(net, l, part);
    double *sum = part_sums(net, part, c);
    kernels->activation_backward(s->g_out + at, l->y + at, l->scale, l->shift, l->origin, rows, c, l->spec->activation,
                                 l->spec->slope, sum, sum + c, net->work + (size_t)part * 2 * net->sums);
}

static void norm_backward_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    struct layer *l = s->layer;
    (void)worker;
    size_t c = (size_t)l->out.c, at = part_start(net, l, part), rows = part_rows(net, l, part);
    /* The coefficients took the places of scale, shift and inverse_std, which the forward no longer needs. */
    kernels->norm_backward(s->g_out + at, l->y + at, l->scale, l->shift, l->inverse_std, rows, c);
}

/* g_out: from the gradient by the activation to that by the convolution's output, in place; norm's own on the way. */
static void backward_norm(struct network *net, struct layer *l, const struct layer_params *p, struct layer_params *g,
                          struct step *step)
{
    size_t c = (size_t)l->out.c;
    if (is_plain(l->spec)) {
        for (size_t i = 0; i < c; i++) {
            l->scale[i] = 1;
            l->shift[i] = l->origin[i] = 0;
        }
    }
    each_part(net, activation_backward_part, step);
    add_sums(net, c);
    const double *sum = net->sum, *sum_x = net->sum + c;
    if (!l->spec->norm) {
        for (size_t i = 0; i < c; i++)
            g->bias[i] = (float)sum[i];
        return;
    }
    double rows = (double)net->n * (double)dims_positions(l->out);
    for (size_t i = 0; i < c; i++) {
        double inv = (double)l->inverse_std[i], gamma = (double)p->norm_weight[i];
        g->norm_bias[i] = (float)sum[i];
        g->norm_weight[i] = (float)(sum_x[i] * inv);
        /* dy = γ·inv·(g - mean(g) - ŷ·mean(g·ŷ)), ŷ = (y - origin)·inv */
        double b = -gamma * inv * inv * inv * sum_x[i] / rows;
        double shift = -gamma * inv * sum[i] / rows - b * (double)l->origin[i];
        l->scale[i] = (float)(gamma * inv);
        l->shift[i] = (float)b;
        l->inverse_std[i] = (float)shift;
        g->bias[i] = 0;     /* the norm takes it out again */
    }
    each_part(net, norm_backward_part, step);
}

static void convolution_backward_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    struct layer *l = s->layer;
    (void)worker;
    float *scratch = net->scratch + (size_t)part * net->scratch_floats;
    float *gradient = net->gradient + (size_t)part * net->gradient_floats;
    memset(gradient, 0, conv3d_weights(&l->conv) * sizeof *gradient);
    const struct epilogue none = {0};
    int first = first_sample(net, part), end = first_sample(net, part + 1);
    struct conv3d conv;
    int step = samples_a_call(l, end - first, &conv);
    for (int i = first; i < end; i += step) {
        const float *in = s->in + (size_t)i * sample(l->in), *out = s->g_out + (size_t)i * sample(l->out);
        conv3d_gradient(&conv, is_gather(l) ? in : out, is_gather(l) ? out : in, gradient, scratch);
        if (s->g_in)
            (is_gather(l) ? conv3d_scatter : conv3d_gather)(&conv, out, l->backward, &none,
                                                            s->g_in + (size_t)i * sample(l->in), scratch);
    }
}

/* The gradients of all parts, into that of part 0. */
static void add_gradients(struct network *net, size_t n)
{
    for (int part = 1; part < net->parallel.threads; part++) {
        const float *from = net->gradient + (size_t)part * net->gradient_floats;
        for (size_t i = 0; i < n; i++)
            net->gradient[i] += from[i];
    }
}

static void address_backward_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    (void)worker;
    struct dims z = net->shapes.decoder[0];
    size_t q = dims_positions(z), c = (size_t)z.c, slots = (size_t)net->memory.spec.slots;
    float *gradient = net->gradient + (size_t)part * net->gradient_floats;
    memset(gradient, 0, slots * c * sizeof *gradient);
    size_t row = (size_t)first_sample(net, part) * q, end = (size_t)first_sample(net, part + 1) * q;
    for (size_t rows; row < end; row += rows) {
        rows = end - row < net->queries ? end - row : net->queries;
        memory_backward(&net->memory, s->slots, net->keys, net->norms, network_z(net) + row * c,
                        net->weights + row * slots, net->softmax + row * slots, (int)rows, s->g_out + row * c,
                        s->entropy_scale, s->g_in + row * c, gradient, net->scratch + (size_t)part * net->scratch_floats);
    }
}

void network_backward(struct network *net, const struct model *model, double alpha, struct model *gradients)
{
    float *g = net->g[0], *other = net->g[1];
    struct step step = {.net = net, .g_out = g};
    each_part(net, loss_gradient_part, &step);
    for (int i = net->n_layers - 1; i >= 0; i--) {
        struct layer *l = &net->layers[i];
        bool decoder = i >= net->arch.n_encoder;
        int j = decoder ? i - net->arch.n_encoder : i;
        const struct layer_params *p = decoder ? &model->decoder[j] : &model->encoder[j];
        struct layer_params *pg = decoder ? &gradients->decoder[j] : &gradients->encoder[j];
        step = (struct step){.net = net, .layer = l, .in = layer_input(net, i), .g_out = g, .g_in = i > 0 ? other : NULL};
        backward_norm(net, l, p, pg, &step);
        if (step.g_in)
            (is_gather(l) ? conv3d_pack_scatter : conv3d_pack_gather)(&l->conv, p->weight, NULL, l->backward);
        each_part(net, convolution_backward_part, &step);
        add_gradients(net, conv3d_weights(&l->conv));
        conv3d_unpack(&l->conv, net->gradient, pg->weight);
        float *swap = g;
        g = other;
        other = swap;

        if (i == net->arch.n_encoder && net->arch.has_memory) {
            double queries = (double)net->n * (double)dims_positions(net->shapes.decoder[0]);
            step = (struct step){.net = net, .slots = model->memory, .g_out = g, .g_in = other,
                                 .entropy_scale = (float)(alpha / queries)};
            each_part(net, address_backward_part, &step);
            size_t n = (size_t)net->memory.spec.slots * (size_t)net->memory.channels;
            add_gradients(net, n);
            memcpy(gradients->memory, net->gradient, n * sizeof(float));
            swap = g;
            g = other;
            other = swap;
        }
    }
}

/* ---- for tests --------------------------------------------------------------------------------------------------- */

struct dims network_module(const struct network *net, bool decoder, int index, float *dst)
{
    const struct layer_spec *specs = decoder ? net->arch.decoder : net->arch.encoder;
    int n = decoder ? net->arch.n_decoder : net->arch.n_encoder;
    for (int i = 0; i < n; i++) {
        const struct layer *l = &net->layers[decoder ? net->arch.n_encoder + i : i];
        int first = arch_module_index(specs, i), end = arch_module_index(specs, i + 1);
        if (index < first || index >= end)
            continue;
        bool is_norm = specs[i].norm && index == first + 1;
        const float *src = index == first || is_norm ? l->y : l->a;
        size_t positions = dims_positions(l->out), c = (size_t)l->out.c;
        for (int s = 0; dst && s < net->n; s++)
            for (size_t p = 0; p < positions; p++)
                for (size_t j = 0; j < c; j++) {
                    float v = src[((size_t)s * positions + p) * c + j];
                    dst[((size_t)s * c + j) * positions + p] = is_norm ? v * l->scale[j] + l->shift[j] : v;
                }
        return l->out;
    }
    return (struct dims){0};
}

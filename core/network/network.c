#include "core/network/network.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/network_state.h"

#define NORM_MOMENTUM 0.1f
enum { MIN_QUERIES = 256 };     /* rows that make a matrix product worth its call */

static void *allocate(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n ? n : 1, size, &bytes) || bytes > SIZE_MAX - 63)
        return NULL;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
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
        return error_set(err, -EINVAL, "batch: expected at least 1, got %d", batch);
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

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static void convolve_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    struct layer *l = s->layer;
    (void)worker;
    const struct epilogue e = {.bias = l->shift};       /* shift holds the bias here; norm and activation follow later */
    int first = first_sample(net, part), end = first_sample(net, part + 1);
    struct conv3d conv;
    int step = samples_a_call(l, end - first, &conv);
    for (int i = first; i < end; i += step)
        (is_gather(l) ? conv3d_gather : conv3d_scatter)(
            &conv, s->in + (size_t)i * dims_elements(l->in), l->forward, &e, l->y + (size_t)i * dims_elements(l->out),
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

/* Computes the batch's mean and 1/std of each channel and updates the running statistics. */
static void batch_statistics(struct network *net, struct layer *l, struct layer_params *p, struct step *step)
{
    size_t c = (size_t)l->out.c;
    double rows = (double)net->n * (double)dims_positions(l->out);
    memcpy(l->origin, l->y, c * sizeof *l->origin);     /* a value near the mean, so that the squares do not cancel */
    each_part(net, moments_part, step);
    add_sums(net, c);
    for (size_t i = 0; i < c; i++) {
        double mean = net->sum[i] / rows, variance = net->sum[c + i] / rows - mean * mean;
        if (variance < 0)
            variance = 0;
        double unbiased = rows > 1 ? variance * rows / (rows - 1) : variance;
        l->origin[i] = (float)(mean + (double)l->origin[i]);
        l->inverse_std[i] = (float)(1 / sqrt(variance + (double)ARCH_NORM_EPS));
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
                l->inverse_std[j] = 1 / sqrtf(p->running_var[j] + ARCH_NORM_EPS);
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
    size_t n = dims_elements(net->shapes.encoder[0]), q = dims_positions(net->shapes.decoder[0]);
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
    ret->mse = mse / (n * (double)dims_elements(net->shapes.encoder[0]));
    ret->entropy = entropy / (n * (double)dims_positions(net->shapes.decoder[0]));
    ret->total = ret->mse + alpha * ret->entropy;
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

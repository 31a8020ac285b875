/* The backward pass of core/network/network.h: from the loss to the gradients of all trainable tensors. */
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/network_state.h"

static void loss_gradient_part(void *arg, int part, int worker)
{
    struct step *s = arg;
    struct network *net = s->net;
    (void)worker;
    size_t n = dims_elements(net->shapes.encoder[0]);
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
    /* backward_norm() put the coefficients into scale, shift and inverse_std. */
    kernels->norm_backward(s->g_out + at, l->y + at, l->scale, l->shift, l->inverse_std, rows, c);
}

/* Turns step->g_out, the gradient by the activation, into the gradient by the convolution's output, in place. Writes the
 * gradients of the norm's parameters and of the bias. */
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
        g->bias[i] = 0;     /* the norm subtracts the mean, and with it the bias */
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
        const float *in = s->in + (size_t)i * dims_elements(l->in), *out = s->g_out + (size_t)i * dims_elements(l->out);
        conv3d_gradient(&conv, is_gather(l) ? in : out, is_gather(l) ? out : in, gradient, scratch);
        if (s->g_in)
            (is_gather(l) ? conv3d_scatter : conv3d_gather)(&conv, out, l->backward, &none,
                                                            s->g_in + (size_t)i * dims_elements(l->in), scratch);
    }
}

/* Adds the gradients of all parts into that of part 0. */
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

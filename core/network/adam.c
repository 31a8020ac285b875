#include "core/network/adam.h"

#include <math.h>

#include "core/kernels/kernels.h"

int adam_open(struct adam *ret, const struct arch *arch, struct error *err)
{
    struct adam a = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    int r = model_open(&a.m, arch, err);
    if (r == 0)
        r = model_open(&a.v, arch, err);
    if (r < 0) {
        adam_close(&a);
        return r;
    }
    *ret = a;
    return 0;
}

void adam_close(struct adam *adam)
{
    model_close(adam->m);
    model_close(adam->v);
    *adam = (struct adam){0};
}

void adam_step(struct adam *adam, struct model *model, const struct model *gradients, double learning_rate)
{
    adam->t++;
    double correction1 = 1 - pow((double)adam->beta1, (double)adam->t);
    double correction2 = 1 - pow((double)adam->beta2, (double)adam->t);
    struct model_tensor p, g, m, v;
    for (int i = 0; model_tensor(model, i, &p); i++) {
        if (!p.trainable)
            continue;
        model_tensor(gradients, i, &g);
        model_tensor(adam->m, i, &m);
        model_tensor(adam->v, i, &v);
        kernels->adam(p.data, m.data, v.data, g.data, p.n, adam->beta1, adam->beta2, (float)(learning_rate / correction1),
                      (float)(1 / sqrt(correction2)), adam->eps);
    }
}

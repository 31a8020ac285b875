/* The Adam optimizer (Kingma & Ba, ICLR 2015, algorithm 1) for all trainable tensors of a model. One thread per struct. */
#ifndef MEMAED_CORE_NETWORK_ADAM_H
#define MEMAED_CORE_NETWORK_ADAM_H

#include "core/network/model.h"

struct adam {
    struct model *m, *v;        /* first and second moments; owned */
    long t;                     /* steps taken */
    float beta1, beta2, eps;    /* 0.9, 0.999, 1e-8 */
};

/* Starts with zero moments and t = 0. 0, or -EINVAL, -ENOMEM with the cause in err; ret untouched on failure. */
int adam_open(struct adam *ret, const struct arch *arch, struct error *err);
void adam_close(struct adam *adam);             /* accepts a zeroed struct */

/* Moves the parameters of model by one step against gradients. Both are models of the architecture given to adam_open(). */
void adam_step(struct adam *adam, struct model *model, const struct model *gradients, double learning_rate);

#endif

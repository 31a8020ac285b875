/* Adam (Kingma & Ba, ICLR 2015, algorithm 1) over all trainable tensors of a model. One thread. */
#ifndef MEMAED_CORE_NETWORK_ADAM_H
#define MEMAED_CORE_NETWORK_ADAM_H

#include "core/network/model.h"

struct adam {
    struct model *m, *v;        /* first and second moments; owned */
    long t;                     /* steps taken */
    float beta1, beta2, eps;    /* 0.9, 0.999, 1e-8 */
};

int adam_open(struct adam *ret, const struct arch *arch, struct error *err);
void adam_close(struct adam *adam);             /* takes a zeroed struct */
void adam_step(struct adam *adam, struct model *model, const struct model *gradients, double learning_rate);

#endif

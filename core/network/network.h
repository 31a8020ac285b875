/* The network that learns: the layers one by one over a batch, forward and back. Forward in training mode takes batch
 * statistics (and moves the running ones), in inference mode the running ones; the way back follows a forward in training
 * mode. Source: Gong et al., ICCV 2019, sections 3.2 to 3.4; batch norm as PyTorch does it (momentum 0.1, unbiased
 * running variance).
 *
 * A network holds the activations of one batch; parameters stay in the model that is passed in. One thread calls; work is
 * split over parallel's threads by samples, always into the same parts, so that results depend on the number of threads
 * but not on their timing. */
#ifndef MEMAED_CORE_NETWORK_NETWORK_H
#define MEMAED_CORE_NETWORK_NETWORK_H

#include "core/network/model.h"
#include "core/parallel.h"

struct network;

enum network_mode { NETWORK_INFERENCE, NETWORK_TRAINING };

struct network_loss {
    double total;           /* mse + alpha * entropy */
    double mse;             /* mean over all elements of (x̂ - x)² */
    double entropy;         /* mean over queries of -Σ ŵ log(ŵ + 1e-12); 0 without a memory */
};

/* Room for `batch` samples. 0, -EINVAL, -ENOMEM with the cause in err. */
int network_open(struct network **ret, const struct arch *arch, int batch, const struct parallel *parallel,
                 struct error *err);
void network_close(struct network *net);        /* takes NULL */

/* Where the caller writes the batch: [batch, t, h, w, c] in the network's own units. */
float *network_input(struct network *net);

/* Addressing goes by the model's shrink and temperature, which may change from one forward to the next.
 * Runs n <= batch samples of the input (training mode: n > 1 wherever a norm sees one position a sample). In training mode
 * the model's running statistics move. */
void network_forward(struct network *net, struct model *model, int n, enum network_mode mode);

/* The same from the second half alone: ẑ, as network_z_hat() holds it, through the decoder (inference mode). */
void network_decode(struct network *net, const struct model *model, int n);

/* The loss of the last forward, against the input. */
void network_loss(struct network *net, double alpha, struct network_loss *ret);

/* After network_forward(…, NETWORK_TRAINING): fills gradients (a model of the same architecture; trainable tensors are
 * overwritten) with those of the loss. Activations are used up: one backward a forward. */
void network_backward(struct network *net, const struct model *model, double alpha, struct model *gradients);

/* What the last forward left, valid until the next. Rows are queries in the order sample, t, h, w. */
const float *network_output(const struct network *net);         /* x̂ [n, t, h, w, c] */
const float *network_z(const struct network *net);
float *network_z_hat(struct network *net);                      /* == z without a memory */
const float *network_weights(const struct network *net);        /* [queries, slots], or NULL */
const float *network_softmax(const struct network *net);        /* the same before shrinkage */

/* Output of module `index` of nn.Sequential in the encoder or decoder, [n, c, t, h, w] as PyTorch has it; for tests.
 * Returns its dims; dst may be NULL to ask for them. {0} where there is no such module. */
struct dims network_module(const struct network *net, bool decoder, int index, float *dst);

#endif

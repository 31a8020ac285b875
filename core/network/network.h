/* The network that learns: it runs a batch through the layers one by one, forwards and backwards. In training mode the
 * forward pass normalises by the batch's statistics and updates the running ones; in inference mode it normalises by the
 * running ones. The backward pass follows a forward pass in training mode. Source: Gong et al., ICCV 2019, sections 3.2 to
 * 3.4; batch norm as PyTorch does it (momentum 0.1, unbiased running variance).
 *
 * A network holds the activations of one batch, channels last; the parameters stay in the model that is passed in. One
 * thread calls. Work is split over parallel's threads by samples, always into the same parts. So results depend on the number
 * of threads but not on their timing. */
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

/* Makes a network for up to `batch` samples. parallel is copied. 0, or -EINVAL, -ENOMEM with the cause in err; *ret is
 * untouched on failure. */
int network_open(struct network **ret, const struct arch *arch, int batch, const struct parallel *parallel,
                 struct error *err);
void network_close(struct network *net);        /* takes NULL */

/* The input [batch, t, h, w, c] in the network's own units, for the caller to fill. The network owns it. */
float *network_input(struct network *net);

/* Runs the first n <= batch samples of the input. Addressing uses the model's shrink and temperature, which may change
 * between calls. In training mode the model's running statistics change. A norm needs two values per channel at least: n > 1
 * in training mode if a norm follows a layer with one output position. */
void network_forward(struct network *net, struct model *model, int n, enum network_mode mode);

/* Runs the decoder alone, in inference mode, on the first n samples of ẑ in network_z_hat(). */
void network_decode(struct network *net, const struct model *model, int n);

/* The loss of the last forward pass, against the input. */
void network_loss(struct network *net, double alpha, struct network_loss *ret);

/* Overwrites the trainable tensors of `gradients`, a model of the same architecture, with the gradients of the loss. Call it
 * once after network_forward(…, NETWORK_TRAINING): it changes the statistics that the forward pass stored. */
void network_backward(struct network *net, const struct model *model, double alpha, struct model *gradients);

/* Results of the last forward pass, valid until the next. Queries are in the order sample, t, h, w. */
const float *network_output(const struct network *net);         /* x̂ [n, t, h, w, c] */
const float *network_z(const struct network *net);              /* [queries, channels of z] */
float *network_z_hat(struct network *net);                      /* [queries, channels of z]; equals z without a memory */
const float *network_weights(const struct network *net);        /* [queries, slots]; NULL without a memory */
const float *network_softmax(const struct network *net);        /* the weights before shrinkage, likewise */

/* For tests: copies the output of module `index` of nn.Sequential, in the encoder or the decoder, to dst [n, c, t, h, w],
 * which is PyTorch's layout. Returns the dims of a sample, or {0} if there is no such module. dst may be NULL. */
struct dims network_module(const struct network *net, bool decoder, int index, float *dst);

#endif

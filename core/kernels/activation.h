/* The activation function of a layer, applied to each output after bias and batch norm. */
#ifndef MEMAED_CORE_KERNELS_ACTIVATION_H
#define MEMAED_CORE_KERNELS_ACTIVATION_H

enum activation { ACTIVATION_NONE, ACTIVATION_LEAKY_RELU, ACTIVATION_RELU, ACTIVATION_TANH };

#endif

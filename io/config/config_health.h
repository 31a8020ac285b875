/* The keys of health: what is diagnosed of cameras' pictures. Only io/config uses this; one thread. */
#ifndef MEMAED_IO_CONFIG_CONFIG_HEALTH_H
#define MEMAED_IO_CONFIG_CONFIG_HEALTH_H

#include "io/config/config.h"

/* A camera takes the values of the whole file for keys that it does not give. */
void config_health_complete(struct config_health *of_camera, const struct config_health *of_all);

#endif

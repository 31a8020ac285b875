/* The orders of people about a camera's alerts (core/alerting/arming.h), in the database, so that they survive a restart. */
#ifndef MEMAED_IO_DATABASE_ARMING_ROWS_H
#define MEMAED_IO_DATABASE_ARMING_ROWS_H

#include "core/alerting/arming.h"
#include "io/database/database.h"

/* Within a transaction: replaces the orders of a camera. */
int arming_rows_save(struct database *database, const char *camera, const struct arming_orders *orders, struct error *err);
/* Calls row() for the orders of each camera that has some. */
int arming_rows_each(struct database *database, void (*row)(void *arg, const char *camera, const struct arming_orders *orders),
                     void *arg, struct error *err);

#endif

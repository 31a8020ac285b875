/* libFuzzer target: the configuration parser, on bytes in memory. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *arg, const char *text)
{
    static const char path[] = "tests/fuzz/x.yml:";
    assert(strncmp(text, path, strlen(path)) == 0);
    ++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    size_t faults = 0;
    int r = config_load_memory(&config, data, size, "tests/fuzz/x.yml", count, &faults);
    assert(r == 0 ? config && faults == 0 : r == -EINVAL && !config && faults > 0);
    config_unref(config);
    return 0;
}

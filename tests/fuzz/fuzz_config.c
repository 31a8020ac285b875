/* libFuzzer target: the configuration parser, on bytes in memory. Masks that it accepts can be drawn. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/zones/hiding.h"
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
    for (size_t i = 0; r == 0 && i < config->n_cameras; i++) {
        enum { H = 31, W = 47 };
        uint8_t map[H * W];
        const struct zones *zones = config->cameras[i].zones;
        size_t covered = hiding_map(zones, H, W, map);
        assert(covered <= sizeof map && (covered > 0 || !zones || zones->n_masks == 0));
        for (int z = 0; zones && z < zones->n; z++)
            assert(polygon_share(&zones->zone[z].area, 0, 0, 1, 1) > 0);
    }
    config_unref(config);
    return 0;
}

#include "daemon/learn/inputs.h"

#include "io/video/source.h"

void inputs_append(struct inputs *inputs, const char *url)
{
    inputs->urls[inputs->n++] = url;
}

int inputs_read(const struct inputs *inputs, struct footage *footage, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < inputs->n; i++)
        r = footage_add(footage, inputs->urls[i], err);
    return r;
}

json_t *inputs_to_json(const struct inputs *inputs)
{
    json_t *list = json_array();
    for (size_t i = 0; i < inputs->n; i++) {
        char name[256];
        source_name(name, sizeof name, inputs->urls[i]);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

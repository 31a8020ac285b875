#include "daemon/learn/inputs.h"

#include "io/video/source.h"

int inputs_read(const struct option_list *inputs, struct footage *footage, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < inputs->n; i++)
        r = footage_add(footage, inputs->values[i], err);
    return r;
}

json_t *inputs_to_json(const struct option_list *inputs)
{
    json_t *list = json_array();
    for (size_t i = 0; i < inputs->n; i++) {
        char name[256];
        source_name(name, sizeof name, inputs->values[i]);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

#include "io/base/explanation_json.h"

#include "io/base/record_json.h"

static json_t *slots_json(const struct explanation *e)
{
    json_t *list = json_array();
    for (int i = 0; i < e->n_slots && list; i++) {
        const struct explanation_slot *s = &e->slots[i];
        json_t *slot = json_pack("{s:i, s:o, s:o}", "slot", s->slot, "weight", record_json_number((double)s->weight),
                                 "weight_of_picture", record_json_number((double)s->weight_of_picture));
        if (json_array_append_new(list, slot) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *explanation_json(const struct explanation *e)
{
    char rarity[RARITY_SIZE];
    rarity_words(rarity, e->hours_between, e->footage_hours);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:{s:i, s:i, s:o}}",
                     "reference", record_json_number((double)e->reference), "score", record_json_number((double)e->score),
                     "threshold", record_json_number((double)e->threshold), "p_value", record_json_number(e->p_value),
                     "hours_between", record_json_number(e->hours_between), "rarity", record_json_text(rarity),
                     "footage_hours", record_json_number(e->footage_hours), "voice", loudest_json(&e->voices), "voices",
                     voices_json(&e->voices), "loudest", "x", record_json_number((double)e->loudest_x), "y",
                     record_json_number((double)e->loudest_y), "score", record_json_number((double)e->loudest_value), "boxes",
                     boxes_json(&e->boxes), "memory", "slots", e->slots_of_memory, "answering", e->slots_answering, "answered",
                     slots_json(e));
}

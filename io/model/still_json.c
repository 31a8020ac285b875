#include "io/model/still_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "io/base/json.h"
#include "io/model/numbers_json.h"

/* Bytes of a light's exemplars. */
static size_t light_size(const struct still_memory *m)
{
    return still_exemplars_at(m, 1, 0);
}

static int light_check(const struct still_memory *m, int l, struct error *err)
{
    const struct still_light *light = &m->light[l];
    int r = number_check((double)light->least, -NUMBER_MOST, NUMBER_MOST, "least", err);
    if (r == 0)
        r = number_check((double)light->most, (double)light->least, NUMBER_MOST, "most", err);
    for (int p = 0; r == 0 && p < STILL_PARTS; p++) {
        char key[24];
        snprintf(key, sizeof key, "largest[%d]", p);
        r = floats_check(light->largest[p], still_cells(&m->shape), 0, key, err);
    }
    return r < 0 ? r : pareto_check(&light->rare, "rare", err);
}

int still_check(const struct still_memory *m, const struct arch *arch, struct error *err)
{
    struct slow_shape shape;
    if (!slow_shape_of(&shape, arch->height, arch->width))
        return error_set(err, -EINVAL, "expected no memory of what stands still, as the network's pictures are too small");
    if (memcmp(&shape, &m->shape, sizeof shape) != 0)
        return error_set(err, -EINVAL, "expected pictures of %dx%d, got %dx%d", shape.width, shape.height, m->shape.width,
                         m->shape.height);
    if (m->lights < 1 || m->lights > STILL_LIGHTS)
        return error_set(err, -EINVAL, "lights: expected 1 or %d, got %d", STILL_LIGHTS, m->lights);
    int r = number_check(m->boundary, -NUMBER_MOST, NUMBER_MOST, "boundary", err);
    if (r < 0)
        return r;
    if (m->exemplars < 1 || m->exemplars > still_exemplars(&shape))
        return error_set(err, -EINVAL, "exemplars: expected 1 to %d, got %d", still_exemplars(&shape), m->exemplars);
    for (int l = 0; l < m->lights; l++) {
        r = m->light[l].known ? light_check(m, l, err) : 0;
        if (r < 0)
            return error_prefix(err, r, "lights[%d]", l);
    }
    return still_lights_known(m) > 0 ? 0 : error_set(err, -EINVAL, "lights: expected at least one that is known, got none");
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static int exemplars_from_json(int8_t *ret, size_t size, const json_t *json, struct error *err)
{
    if (!json_is_string(json))
        return wrong_json(err, "exemplars", "base64", json);
    const gnutls_datum_t text = {(unsigned char *)json_string_value(json), (unsigned)json_string_length(json)};
    gnutls_datum_t raw;
    int r = gnutls_base64_decode2(&text, &raw);
    if (r == GNUTLS_E_MEMORY_ERROR)
        return error_set(err, -ENOMEM, "out of memory");
    if (r < 0)
        return error_set(err, -EINVAL, "exemplars: expected base64: %s", gnutls_strerror(r));
    r = raw.size == size ? 0 : error_set(err, -EINVAL, "exemplars: expected %zu bytes, got %u", size, raw.size);
    if (r == 0)
        memcpy(ret, raw.data, size);
    gnutls_free(raw.data);
    return r;
}

static int light_from_json(struct still_memory *m, int l, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"least", "most", "largest", "rare", "exemplars"};
    struct still_light *light = &m->light[l];
    double least, most;
    if (json_is_null(json))
        return 0;
    int r = numbers_from_json((double *const[]){&least, &most}, keys, 2, COUNT(keys), "light", json, err);
    if (r < 0)
        return r;
    light->known = true;
    light->least = (float)least;
    light->most = (float)most;
    const json_t *largest = json_object_get(json, "largest");
    if (json_array_size(largest) != STILL_PARTS)
        return error_set(err, -EINVAL, "largest: expected %d lists, got %zu", STILL_PARTS, json_array_size(largest));
    for (int p = 0; r == 0 && p < STILL_PARTS; p++) {
        char key[24];
        snprintf(key, sizeof key, "largest[%d]", p);
        r = floats_from_json(light->largest[p], still_cells(&m->shape), key, json_array_get(largest, (size_t)p), err);
    }
    if (r < 0 || (r = pareto_from_json(&light->rare, "rare", json_object_get(json, "rare"), err)) < 0)
        return r;
    return exemplars_from_json(m->exemplar + still_exemplars_at(m, l, 0), light_size(m), json_object_get(json, "exemplars"),
                               err);
}

static int memory_from_json(struct still_memory *m, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"boundary", "exemplars", "lights"};
    const json_t *lights = json_object_get(json, "lights");
    int r = check_json_keys(json, keys, COUNT(keys), err);
    if (r < 0)
        return r;
    if (!json_is_number(json_object_get(json, "boundary")))
        return wrong_json(err, "boundary", "a number", json_object_get(json, "boundary"));
    if (!slow_shape_of(&m->shape, arch->height, arch->width))
        return still_check(m, arch, err);
    m->boundary = json_number_value(json_object_get(json, "boundary"));
    if ((r = int_from_json(&m->exemplars, "exemplars", json_object_get(json, "exemplars"), err)) < 0)
        return r;
    if (m->exemplars < 1 || m->exemplars > still_exemplars(&m->shape))
        return error_set(err, -EINVAL, "exemplars: expected 1 to %d, got %d", still_exemplars(&m->shape), m->exemplars);
    if (json_array_size(lights) < 1 || json_array_size(lights) > STILL_LIGHTS)
        return error_set(err, -EINVAL, "lights: expected a list of 1 or %d, got %zu", STILL_LIGHTS, json_array_size(lights));
    m->lights = (int)json_array_size(lights);
    for (int l = 0; l < m->lights; l++)
        if ((r = light_from_json(m, l, json_array_get(lights, (size_t)l), err)) < 0)
            return error_prefix(err, r, "lights[%d]", l);
    if ((r = still_check(m, arch, err)) < 0)
        return r;
    for (int l = 0; l < m->lights; l++)
        still_limits(&m->shape, m->light[l].largest[0], m->light[l].largest[1], m->light[l].limit);
    return 0;
}

int still_from_json(struct still_memory *ret, const struct arch *arch, const json_t *json, struct error *err)
{
    struct still_memory *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(err, -ENOMEM, "out of memory");
    int r = memory_from_json(m, arch, json, err);
    if (r == 0)
        *ret = *m;
    free(m);
    return r;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static json_t *exemplars_to_json(const struct still_memory *m, int l)
{
    const gnutls_datum_t raw = {(unsigned char *)(m->exemplar + still_exemplars_at(m, l, 0)), (unsigned)light_size(m)};
    gnutls_datum_t text;
    if (gnutls_base64_encode2(&raw, &text) < 0)
        return NULL;
    json_t *ret = json_stringn((const char *)text.data, text.size);
    gnutls_free(text.data);
    return ret;
}

static json_t *light_to_json(const struct still_memory *m, int l)
{
    const struct still_light *light = &m->light[l];
    int cells = still_cells(&m->shape);
    if (!light->known)
        return json_null();
    return json_pack("{s:o, s:o, s:[o, o], s:o, s:o}", "least", float_to_json(light->least), "most",
                     float_to_json(light->most), "largest", floats_to_json(light->largest[0], cells),
                     floats_to_json(light->largest[1], cells), "rare", pareto_to_json(&light->rare), "exemplars",
                     exemplars_to_json(m, l));
}

json_t *still_to_json(const struct still_memory *m)
{
    json_t *lights = json_array();
    for (int l = 0; l < m->lights; l++)
        json_array_append_new(lights, light_to_json(m, l));
    return json_pack("{s:f, s:i, s:o}", "boundary", m->boundary, "exemplars", m->exemplars, "lights", lights);
}

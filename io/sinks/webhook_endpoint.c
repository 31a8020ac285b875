#include "io/sinks/webhook_endpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/sinks/signature.h"

enum { BODY_MAX = 4096, CONNECT_MS = 5000 };

/* ---- one attempt ---------------------------------------------------------------------------------------------------- */

/* A body beyond BODY_MAX ends the transfer and its connection. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct webhook_endpoint *endpoint = arg;
    (void)data;
    endpoint->received += size * n;
    return endpoint->received > BODY_MAX ? 0 : size * n;
}

__attribute__((format(printf, 2, 3)))
static int add_header(struct webhook_endpoint *endpoint, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct curl_slist *longer = curl_slist_append(endpoint->headers, text);
    if (!longer)
        return -ENOMEM;
    endpoint->headers = longer;
    return 0;
}

/* "v1,…", or "v1,… v1,…" while secrets rotate: a receiver takes an event if one of them is right. */
static int sign(struct webhook_endpoint *endpoint, const char *id, const char *body, size_t size, int64_t time_s)
{
    const struct config_webhook *hook = &endpoint->hook;
    char signature[SIGNATURE_SIZE], old[SIGNATURE_SIZE] = "";
    int r = signature_make(signature, hook->secret, hook->secret_size, id, time_s, body, size);
    if (r == 0 && hook->old_secret_size)
        r = signature_make(old, hook->old_secret, hook->old_secret_size, id, time_s, body, size);
    return r < 0 ? r : add_header(endpoint, "webhook-signature: %s%s%s", signature, *old ? " " : "", old);
}

static void drop_body(struct webhook_endpoint *endpoint)
{
    free(endpoint->body);
    endpoint->body = NULL;
}

int webhook_endpoint_begin(struct webhook_endpoint *endpoint, CURLM *multi, const char *id, const char *body, size_t size,
                           int64_t time_s, const struct snapshot_store *store)
{
    const struct config_webhook *hook = &endpoint->hook;
    drop_body(endpoint);
    int r = !store ? 1 : snapshot_add(&endpoint->body, &size, body, size, hook->snapshot, (size_t)hook->snapshot_max_kib << 10,
                                      hook->public_url, store);
    if (r < 0)
        return r;
    if (r == 0)
        body = endpoint->body;
    endpoint->received = 0;
    endpoint->error[0] = '\0';
    curl_slist_free_all(endpoint->headers);
    endpoint->headers = NULL;
    r = add_header(endpoint, "Content-Type: application/json");
    if (r == 0)
        r = add_header(endpoint, "Expect:");        /* no 100-continue */
    if (r == 0)
        r = add_header(endpoint, "webhook-id: %s", id);
    if (r == 0)
        r = add_header(endpoint, "webhook-timestamp: %" PRId64, time_s);
    if (r == 0 && endpoint->hook.secret_size)
        r = sign(endpoint, id, body, size, time_s);
    if (r < 0)
        return r;
    curl_easy_setopt(endpoint->easy, CURLOPT_HTTPHEADER, endpoint->headers);
    curl_easy_setopt(endpoint->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(endpoint->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    return curl_multi_add_handle(multi, endpoint->easy) == CURLM_OK ? 0 : -ENOMEM;
}

long webhook_endpoint_end(struct webhook_endpoint *endpoint, CURLM *multi, CURLcode result, char cause[WEBHOOK_CAUSE_SIZE])
{
    long status = 0;
    curl_easy_getinfo(endpoint->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi, endpoint->easy);
    drop_body(endpoint);
    /* The status counts even if the transfer of the body failed. */
    if (status >= 200 && status < 300)
        cause[0] = '\0';
    else if (status >= 200)
        snprintf(cause, WEBHOOK_CAUSE_SIZE, "HTTP status %ld", status);
    else
        snprintf(cause, WEBHOOK_CAUSE_SIZE, "%s", *endpoint->error ? endpoint->error : curl_easy_strerror(result));
    return status >= 200 ? status : 0;
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

void webhook_endpoint_free(struct webhook_endpoint *endpoint)
{
    if (!endpoint)
        return;
    curl_easy_cleanup(endpoint->easy);
    curl_slist_free_all(endpoint->headers);
    free(endpoint->head.body);
    free(endpoint->body);
    free(endpoint->starts);
    if (endpoint->hook.url)
        explicit_bzero(endpoint->hook.url, strlen(endpoint->hook.url));
    free(endpoint->hook.url);
    free(endpoint->hook.name);
    if (!endpoint->adopted)
        free(endpoint->tally);
    free(endpoint->hook.ca_file);
    free(endpoint->hook.public_url);
    for (size_t i = 0; endpoint->hook.filter.cameras && i < endpoint->hook.filter.n_cameras; i++)
        free(endpoint->hook.filter.cameras[i]);
    free(endpoint->hook.filter.cameras);
    explicit_bzero(endpoint->hook.secret, sizeof endpoint->hook.secret);
    explicit_bzero(endpoint->hook.old_secret, sizeof endpoint->hook.old_secret);
    free(endpoint);
}

static int set_options(struct webhook_endpoint *endpoint, struct error *err)
{
    CURL *easy = endpoint->easy;
    long timeout_ms = (long)(endpoint->hook.timeout_s * 1000);
    if (timeout_ms < 1)
        timeout_ms = 1;
    long connect_ms = timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, endpoint->hook.url) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_USERAGENT, "memaed/" MEMAED_VERSION) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEDATA, endpoint) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PRIVATE, endpoint) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, endpoint->error) == CURLE_OK;
    if (ok && endpoint->hook.ca_file)
        ok = curl_easy_setopt(easy, CURLOPT_CAINFO, endpoint->hook.ca_file) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (!ok)
        return error_set(err, -EINVAL, "webhooks: %s: this libcurl lacks an option that memaed needs", endpoint->shown.name);
    /* At the end, libcurl does not wait for a thread that is stuck in name resolution. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return 0;
}

/* The endpoint's own copy of a configuration. false: memory is short, and what was copied is the endpoint's. */
static bool copy_hook(struct config_webhook *to, const struct config_webhook *from)
{
    *to = *from;
    to->url = strdup(from->url ? from->url : "");
    to->name = from->name ? strdup(from->name) : NULL;
    to->ca_file = from->ca_file ? strdup(from->ca_file) : NULL;
    to->public_url = from->public_url ? strdup(from->public_url) : NULL;
    size_t n = from->filter.n_cameras;
    to->filter.cameras = n ? calloc(n, sizeof *to->filter.cameras) : NULL;
    bool copied = to->url && !to->name == !from->name && !to->ca_file == !from->ca_file &&
                  !to->public_url == !from->public_url && !to->filter.cameras == !n;
    for (size_t i = 0; to->filter.cameras && i < n; i++)
        copied = (to->filter.cameras[i] = strdup(from->filter.cameras[i])) != NULL && copied;
    return copied;
}

int webhook_endpoint_new(struct webhook_endpoint **ret, const struct config_webhook *hook, const char *key, size_t number,
                         struct error *err)
{
    struct webhook_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    int r = copy_hook(&endpoint->hook, hook) ? webhook_name(endpoint->shown.name, hook) : -ENOMEM;
    if (r == -EINVAL)
        error_set(err, r, "webhooks[%zu].url: expected a URL of http:// or https:// with a host", number);
    if (r == 0) {
        snprintf(endpoint->shown.key, sizeof endpoint->shown.key, "%s", key);
        endpoint->fresh = true;
        endpoint->easy = curl_easy_init();
        endpoint->tally = calloc(1, sizeof *endpoint->tally);
        endpoint->starts = calloc(hook->max_per_minute > 0 ? (size_t)hook->max_per_minute : 1, sizeof *endpoint->starts);
        if (!endpoint->easy || !endpoint->tally || !endpoint->starts)
            r = -ENOMEM;
        else
            memcpy(endpoint->tally->stats.name, endpoint->shown.name, WEBHOOK_NAME_SIZE);
    }
    if (r == -ENOMEM)
        error_set(err, r, "webhooks: out of memory");
    if (r == 0)
        r = set_options(endpoint, err);
    if (r < 0)
        webhook_endpoint_free(endpoint);
    else
        *ret = endpoint;
    return r;
}

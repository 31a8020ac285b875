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

int webhook_endpoint_begin(struct webhook_endpoint *endpoint, CURLM *multi, const struct webhook_message *message,
                           int64_t time_s)
{
    const struct config_webhook *hook = &endpoint->hook;
    endpoint->received = 0;
    endpoint->error[0] = '\0';
    curl_slist_free_all(endpoint->headers);
    endpoint->headers = NULL;
    int r = add_header(endpoint, "Content-Type: application/json");
    if (r == 0)
        r = add_header(endpoint, "Expect:");        /* no 100-continue */
    if (r == 0)
        r = add_header(endpoint, "webhook-id: %s", message->id);
    if (r == 0)
        r = add_header(endpoint, "webhook-timestamp: %" PRId64, time_s);
    if (r == 0 && hook->secret_size) {
        char signature[SIGNATURE_SIZE];
        r = signature_make(signature, hook->secret, hook->secret_size, message->id, time_s, message->body,
                           message->size);
        if (r == 0)
            r = add_header(endpoint, "webhook-signature: %s", signature);
    }
    if (r < 0)
        return r;
    curl_easy_setopt(endpoint->easy, CURLOPT_HTTPHEADER, endpoint->headers);
    curl_easy_setopt(endpoint->easy, CURLOPT_POSTFIELDS, (const char *)message->body);
    curl_easy_setopt(endpoint->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->size);
    return curl_multi_add_handle(multi, endpoint->easy) == CURLM_OK ? 0 : -ENOMEM;
}

long webhook_endpoint_end(struct webhook_endpoint *endpoint, CURLM *multi, CURLcode result, char cause[WEBHOOK_CAUSE_SIZE])
{
    long status = 0;
    curl_easy_getinfo(endpoint->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi, endpoint->easy);
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

static int name_endpoint(struct webhook_endpoint *endpoint, size_t i, struct error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    int r = -EINVAL;
    if (!url)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    if (curl_url_set(url, CURLUPART_URL, endpoint->hook.url, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
        error_set(err, r, "webhooks[%zu].url: expected a URL of http:// or https:// with a host", i);
    else {
        bool has_port = curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        if (endpoint->hook.name)
            snprintf(endpoint->name, sizeof endpoint->name, "%s", endpoint->hook.name);
        else
            snprintf(endpoint->name, sizeof endpoint->name, "%s://%s%s%s", scheme, host, has_port ? ":" : "",
                     has_port ? port : "");
        r = 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return r;
}

void webhook_endpoint_free(struct webhook_endpoint *endpoint)
{
    if (!endpoint)
        return;
    curl_easy_cleanup(endpoint->easy);
    curl_slist_free_all(endpoint->headers);
    webhook_queue_clear(&endpoint->queue);
    if (endpoint->hook.url)
        explicit_bzero(endpoint->hook.url, strlen(endpoint->hook.url));
    free(endpoint->hook.url);
    free(endpoint->hook.name);
    if (!endpoint->adopted)
        free(endpoint->tally);
    free(endpoint->hook.ca_file);
    explicit_bzero(endpoint->hook.secret, sizeof endpoint->hook.secret);
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
        return error_set(err, -EINVAL, "webhooks: %s: this libcurl lacks an option that memaed needs", endpoint->name);
    /* At the end, libcurl does not wait for a thread that is stuck in name resolution. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return 0;
}

int webhook_endpoint_new(struct webhook_endpoint **ret, const struct config_webhook *hook, size_t number, size_t queue_max,
                         struct error *err)
{
    struct webhook_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    endpoint->hook = *hook;
    endpoint->hook.url = strdup(hook->url ? hook->url : "");
    endpoint->hook.name = hook->name ? strdup(hook->name) : NULL;
    endpoint->hook.ca_file = hook->ca_file ? strdup(hook->ca_file) : NULL;
    bool copied = endpoint->hook.url && !endpoint->hook.name == !hook->name && !endpoint->hook.ca_file == !hook->ca_file;
    int r = copied ? name_endpoint(endpoint, number, err) : error_set(err, -ENOMEM, "webhooks: out of memory");
    if (r == 0) {
        endpoint->easy = curl_easy_init();
        endpoint->tally = calloc(1, sizeof *endpoint->tally);
        if (!endpoint->easy || !endpoint->tally || webhook_queue_init(&endpoint->queue, queue_max) < 0)
            r = error_set(err, -ENOMEM, "webhooks: out of memory");
        else
            snprintf(endpoint->tally->stats.name, WEBHOOK_NAME_SIZE, "%s", endpoint->name);
    }
    if (r == 0)
        r = set_options(endpoint, err);
    if (r < 0)
        webhook_endpoint_free(endpoint);
    else
        *ret = endpoint;
    return r;
}

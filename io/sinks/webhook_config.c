#include "io/sinks/webhook_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

int webhook_name(char ret[WEBHOOK_NAME_SIZE], const struct config_webhook *hook)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    int r = -EINVAL;
    if (!url)
        return -ENOMEM;
    if (hook->url && curl_url_set(url, CURLUPART_URL, hook->url, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0)) {
        bool has_port = curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        if (hook->name)
            snprintf(ret, WEBHOOK_NAME_SIZE, "%s", hook->name);
        else
            snprintf(ret, WEBHOOK_NAME_SIZE, "%s://%s%s%s", scheme, host, has_port ? ":" : "", has_port ? port : "");
        r = 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return r;
}

void webhook_mark(char ret[OUTBOX_MARK_SIZE], const char *url)
{
    unsigned char hash[32] = {0};
    gnutls_hash_fast(GNUTLS_DIG_SHA256, url, strlen(url), hash);
    snprintf(ret, OUTBOX_MARK_SIZE, "url-%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

static bool is_among(char (*keys)[OUTBOX_KEY_SIZE], size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

void webhook_keys(char (*ret)[OUTBOX_KEY_SIZE], const struct config_webhook *hooks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char key[OUTBOX_KEY_SIZE], mark[OUTBOX_MARK_SIZE];
        webhook_mark(mark, hooks[i].url ? hooks[i].url : "");
        const char *stem = hooks[i].name ? hooks[i].name : mark;
        snprintf(key, sizeof key, "%s", stem);
        for (size_t number = 2; is_among(ret, i, key); number++)
            snprintf(key, sizeof key, "%.50s-%zu", stem, number);
        memcpy(ret[i], key, sizeof key);
    }
}

bool webhook_wants(const struct config_webhook *hook, const char *key, const struct event *event)
{
    return sink_filter_takes(&hook->filter, event) && !(event->webhook && strcmp(event->webhook, key) == 0);
}

#include "io/rest/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

enum { BODY_MAX = 4 << 20 };

struct body {
    char *text;
    size_t size;
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct body *body = arg;
    size *= n;
    char *longer = body->size + size <= BODY_MAX ? realloc(body->text, body->size + size + 1) : NULL;
    if (!longer)
        return 0;
    memcpy(longer + body->size, data, size);
    body->text = longer;
    body->size += size;
    return size;
}

static bool set_options(CURL *easy, const char *method, const char *url, double timeout_s, struct body *body, char *cause)
{
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_USERAGENT, "memaed/" MEMAED_VERSION) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_s * 1000)) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEDATA, body) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, cause) == CURLE_OK;
    if (ok && strcmp(method, "POST") == 0)
        ok = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "") == CURLE_OK;
    return ok;
}

/* Reads the answer as JSON. 0, or -errno with the cause in err. */
static int take_answer(json_t **ret, const char *base, CURLcode result, long status, const struct body *body, const char *cause,
                       struct error *err)
{
    if (result != CURLE_OK)
        return error_set(err, -EIO, "%s: %s", base, *cause ? cause : curl_easy_strerror(result));
    json_t *json = body->text ? json_loadb(body->text, body->size, 0, NULL) : NULL;
    if (status >= 200 && status < 300 && json) {
        *ret = json;
        return 0;
    }
    const char *detail = json_string_value(json_object_get(json, "detail"));
    int r = status == 404 ? -ENOENT : status >= 200 && status < 300 ? -EIO : -EPROTO;
    if (r == -EIO)
        error_set(err, r, "%s: expected an answer in JSON, got another; a program that is not memaed may listen there", base);
    else
        error_set(err, r, "%s: HTTP status %ld%s%s", base, status, detail ? ": " : "", detail ? detail : "");
    json_decref(json);
    return r;
}

int rest_call(json_t **ret, const char *method, const char *base, const char *path, double timeout_s, struct error *err)
{
    char url[2048], cause[CURL_ERROR_SIZE] = "";
    struct body body = {0};
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    if ((strncasecmp(base, "http://", 7) != 0 && strncasecmp(base, "https://", 8) != 0) ||
        snprintf(url, sizeof url, "%.*s%s", (int)n, base, path) >= (int)sizeof url)
        return error_set(err, -EINVAL, "expected a URL that begins with http:// or https://, got \"%.200s\"", base);
    CURL *easy = curl_easy_init();
    int r = -ENOMEM;
    if (!easy || !set_options(easy, method, url, timeout_s, &body, cause)) {
        error_set(err, r, "out of memory, or libcurl lacks an option that memaed needs");
    } else {
        long status = 0;
        CURLcode result = curl_easy_perform(easy);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        r = take_answer(ret, base, result, status, &body, cause, err);
    }
    curl_easy_cleanup(easy);
    free(body.text);
    return r;
}

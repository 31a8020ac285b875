/* libFuzzer target: redact(). For any text the result ends with a 0, fits, and a second call does not change it. A smaller buffer
 * gets the beginning of the same text. A marked secret in an address, as a password or as the value of a parameter, does not
 * survive. The address may also lie inside another one, percent-encoded. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 600, ROOM = 1 << 16 };

static void check(int holds)
{
    if (!holds)
        abort();
}

/* text has fewer than ROOM / 8 bytes, because each byte may become "***" and more. */
static void check_text(const char *text, size_t cut)
{
    static char whole[ROOM], again[ROOM], part[ROOM];
    memset(part, 0x55, sizeof part);
    redact(whole, sizeof whole, text);
    redact(again, sizeof again, whole);
    check(strcmp(whole, again) == 0);
    redact(part, cut, text);
    check((unsigned char)part[cut] == 0x55);
    if (cut > 0) {
        size_t n = strnlen(part, cut);
        check(n < cut && n == (strlen(whole) < cut - 1 ? strlen(whole) : cut - 1) && memcmp(part, whole, n) == 0);
    }
}

static char *copy(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    check(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    return text;
}

/* Percent-encodes all but letters and digits. The caller frees the text. */
static char *encoded(const char *text)
{
    static const char digits[] = "0123456789ABCDEFabcdef";
    char *ret = malloc(3 * strlen(text) + 1), *at = ret;
    check(ret != NULL);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
            *at++ = *text;
        } else {
            *at++ = '%';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
        }
    }
    *at = 0;
    return ret;
}

/* Blanks end an address, and '?', '#' and '&' end a part of it. A password must not hold them raw, so they are replaced. */
static void make_raw(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr("?#&", *text))
            *text = '_';
}

/* The first bytes of data choose the place of the secret. The rest is the text before it, behind it and behind the address. */
static void check_secret(const uint8_t *data, size_t size)
{
    static const char secret[] = "S3CR3TxQ9";
    static char address[ROOM], text[ROOM], shown[ROOM];
    if (memmem(data, size, secret, 4))
        return;                 /* libFuzzer may have put the secret at any place */
    unsigned form = data[0], depth = form / 2 % 3;
    size_t first = data[1] % (size - 2 + 1), second = data[2 % size] % (size - 2 - first + 1);
    char *before = copy(data + 2, first), *behind = copy(data + 2 + first, second),
         *rest = copy(data + 2 + first + second, size - 2 - first - second);
    if (depth == 0 || form % 2) {           /* such a value cannot hold these characters raw */
        make_raw(before);
        make_raw(behind);
    }
    if (form % 2 == 0)
        snprintf(address, sizeof address, "rtsp://user:%s%s%s@cam/live", before, secret, behind);
    else
        snprintf(address, sizeof address, "http://cam/x?token=%s%s%s", before, secret, behind);
    char *inner = strdup(address);
    check(inner != NULL);
    for (unsigned i = 0; i < depth; i++) {
        char *more = encoded(inner);
        free(inner);
        inner = more;
    }
    make_raw(rest);
    if (form / 6 % 2)
        snprintf(text, sizeof text, "opening %s failed: %s", inner, rest);
    else
        snprintf(text, sizeof text, "opening http://gate/api?src=%s&%s", inner, rest);
    redact(shown, sizeof shown, text);
    check(!strstr(shown, secret));
    check_text(text, data[1]);
    free(inner);
    free(before);
    free(behind);
    free(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > MAX)
        return 0;
    char *text = copy(data + 1, size - 1);
    check_text(text, data[0]);
    free(text);
    check_secret(data, size);
    return 0;
}

/* The signature of the Standard Webhooks specification. */
#include <check.h>
#include <stdlib.h>

#include <gnutls/gnutls.h>

#include "io/sinks/signature.h"
#include "tests/suite.h"

/* The example of the specification's libraries. */
START_TEST(known_signature)
{
    static const char key_text[] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    gnutls_datum_t key, text = {(unsigned char *)(uintptr_t)key_text, sizeof key_text - 1};
    ck_assert_int_eq(gnutls_base64_decode2(&text, &key), 0);
    ck_assert_uint_eq(key.size, 24);
    static const char body[] = "{\"test\": 2432232314}";
    char out[SIGNATURE_SIZE];
    ck_assert_int_eq(signature_make(out, key.data, key.size, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body,
                                    sizeof body - 1), 0);
    ck_assert_str_eq(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    ck_assert_int_eq(signature_make(out, key.data, key.size, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265331, body,
                                    sizeof body - 1), 0);
    ck_assert_str_ne(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    gnutls_free(key.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signature");
    TCase *tests = tcase_create("signature");
    tcase_add_test(tests, known_signature);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}

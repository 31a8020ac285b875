/* The end of a unit test program: it runs a suite of libcheck. */
#ifndef MEMAED_TESTS_SUITE_H
#define MEMAED_TESTS_SUITE_H

#include <check.h>

/* Runs the suite and frees it. Returns the exit status of the program: 1 if a test failed. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif

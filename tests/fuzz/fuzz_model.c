/* libFuzzer target: the loader of model files. The bytes are a whole file. The mutator mutates the header, with the
 * architecture inside it, and keeps the header's length right most of the time. So inputs reach the later checks too. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/model/model_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_file file = {.model = NULL};
    struct error err = {""};
    int r = model_file_load_memory(&file, data, size, "fuzz", &err);
    /* By contract a failure gives a text and leaves the result untouched, and a success gives a whole model. */
    if (r < 0 ? err.text[0] == '\0' || file.model || file.training : r > 0 || !file.model)
        abort();
    model_file_clear(&file);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    uint64_t length;
    if (size < 8 || seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    memcpy(&length, data, 8);
    if (length > size - 8 || size > max_size)
        return LLVMFuzzerMutate(data, size, max_size);
    size_t header = (size_t)length, tail = size - 8 - header;
    if (seed % 16 == 1 && tail > 0)             /* mutates the data of tensors */
        return 8 + header + LLVMFuzzerMutate(data + 8 + header, tail, max_size - 8 - header);

    uint8_t *kept = malloc(tail ? tail : 1);
    if (!kept)
        return size;
    memcpy(kept, data + 8 + header, tail);
    header = LLVMFuzzerMutate(data + 8, header, max_size - 8 - tail);
    memcpy(data + 8 + header, kept, tail);
    free(kept);
    length = header;
    memcpy(data, &length, 8);
    return 8 + header + tail;
}

/* Runs a fuzz target on the inputs of files, without libFuzzer. */
#include <stdio.h>

#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int count, char **argument)
{
    static uint8_t input[1 << 17];
    int i;

    for (i = 1; i < count; i++) {
        FILE *file = fopen(argument[i], "rb");
        size_t size;

        if (file == NULL)
            return 1;
        size = fread(input, 1, sizeof input, file);
        fclose(file);
        LLVMFuzzerTestOneInput(input, size);
    }
    return 0;
}

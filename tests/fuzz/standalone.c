/*
 * Runs a fuzz target without libFuzzer: each file of the corpus directories given, then every truncation of it and
 * some thousand damaged copies, the same ones every time. Fails when there was no file.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_READ = 1 << 20, TRUNCATIONS = 2000, DAMAGES = 5000 };

/* A copy of exactly that size, so that a sanitizer sees a read behind it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (copy) {
        memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void run_with_damage(uint8_t *data, size_t size)
{
    uint32_t state = (uint32_t)size;
    run(data, size);
    for (size_t cut = 0; cut < size && cut < TRUNCATIONS; cut++) {
        run(data, cut);
    }
    for (int i = 0; i < DAMAGES && size; i++) {
        size_t at[3];
        uint8_t was[3];
        for (size_t k = 0; k < 3; k++) {
            at[k] = next(&state) % size;
            was[k] = data[at[k]];
            data[at[k]] = (uint8_t)(i % 2 ? next(&state) : was[k] ^ (1U << (next(&state) % 8)));
        }
        run(data, size);
        for (size_t k = 3; k-- > 0;) {
            data[at[k]] = was[k];
        }
    }
}

static int run_file(const char *path)
{
    static uint8_t data[SIZE_MAX_READ];
    FILE *file = fopen(path, "rb");
    if (!file) {
        return 0;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run_with_damage(data, size);
    return 1;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        if (!directory) {
            files += run_file(argv[i]);
            continue;
        }
        for (struct dirent *entry; (entry = readdir(directory));) {
            char path[4096];
            if (entry->d_name[0] != '.' &&
                snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name) < (int)sizeof path) {
                files += run_file(path);
            }
        }
        closedir(directory);
    }
    fprintf(stderr, "%d files\n", files);
    return files ? 0 : 1;
}

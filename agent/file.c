#include "agent/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/open.h"

int umx_agent_file_read(const char *path, size_t cap, struct umx_arena *arena, char **bytes, size_t *length,
                        struct umx_error *err)
{
    int status = 0;
    long size = 0;
    FILE *file = umx_open(path, "rb");

    if (file == NULL && errno == ENOENT) {
        umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "there is no such file");
        if (err != NULL)
            err->status = UMX_E_NOT_FOUND;
        return UMX_E_NOT_FOUND;
    }
    if (file == NULL)
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* what is read may be a secret: no second copy in a buffer */
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) {
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "it is not a plain file");
        goto out;
    }
    if ((size_t)size > cap) {
        status =
            umx_fail(err, UMX_ERR_FILE_UNREADABLE, path, "it has %ld bytes, more than the maximum of %zu", size, cap);
        goto out;
    }
    char *text = umx_arena_alloc(arena, (size_t)size + 1);
    if (text == NULL) {
        status = umx_fail(err, UMX_ERR_ARENA_FULL, path, NULL);
        goto out;
    }
    size_t got = fread(text, 1, (size_t)size, file);
    if (ferror(file)) {
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
        goto out;
    }
    text[got] = '\0';
    *bytes = text;
    *length = got;
out:
    fclose(file);
    return status;
}

int umx_agent_file_replace(const char *path, const void *bytes, size_t length, struct umx_error *err)
{
    char temporary[UMX_AGENT_PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.new", path);

    if (n < 0 || (size_t)n >= sizeof temporary)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, path, "the path is too long");
    FILE *file = umx_open(temporary, "wb");
    if (file == NULL)
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, temporary, "%s", strerror(errno));
    int bad = fwrite(bytes, 1, length, file) != length || fflush(file) != 0 || umx_sync(file) != 0;
    bad |= fclose(file) != 0;
    if (bad || umx_rename(temporary, path) != 0) {
        int status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
        umx_remove(temporary);
        return status;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int umx_agent_file_list(const char *directory, const char *suffix, size_t max, struct umx_arena *arena, char ***names,
                        size_t *count, struct umx_error *err)
{
    int status = 0;
    size_t suffix_length = strlen(suffix);
    char **list = umx_arena_alloc(arena, max * sizeof *list);

    *names = list;
    *count = 0;
    if (list == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, directory, NULL);
    DIR *dir = opendir(directory);
    if (dir == NULL && errno == ENOENT)
        return 0;
    if (dir == NULL)
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, directory, "%s", strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= suffix_length || strcmp(entry->d_name + length - suffix_length, suffix) != 0)
            continue;
        if (*count == max) {
            status = umx_fail(err, UMX_ERR_FILE_UNREADABLE, directory, "it holds more than %zu files", max);
            break;
        }
        if ((list[*count] = umx_arena_string(arena, entry->d_name)) == NULL) {
            status = umx_fail(err, UMX_ERR_ARENA_FULL, directory, NULL);
            break;
        }
        (*count)++;
    }
    closedir(dir);
    if (*count > 1)
        qsort(list, *count, sizeof *list, by_name);
    return status;
}

static void fold(uint64_t *stamp, uint64_t value)
{
    /* FNV-1a over eight bytes: order and value both count. */
    for (int i = 0; i < 8; i++) {
        *stamp ^= (value >> (8 * i)) & 0xff;
        *stamp *= UINT64_C(1099511628211);
    }
}

void umx_agent_file_stamp(const char *path, uint64_t *stamp)
{
    int64_t size = 0;
    int64_t changed = umx_agent_file_changed(path, &size);

    fold(stamp, (uint64_t)changed);
    fold(stamp, (uint64_t)size);
}

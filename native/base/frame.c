#include "base/frame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 4 };

static const char what[] = "frame";

int umx_frame_write(FILE *stream, const void *bytes, size_t length, struct umx_error *err)
{
    if (length > UINT32_MAX)
        return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, what, "%zu bytes", length);
    uint8_t prefix[PREFIX];
    for (int i = 0; i < PREFIX; i++)
        prefix[i] = (uint8_t)(length >> (8 * i));
    errno = 0;
    if (fwrite(prefix, 1, PREFIX, stream) != PREFIX || (length > 0 && fwrite(bytes, 1, length, stream) != length) ||
        fflush(stream) != 0)
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, what, "%s", strerror(errno));
    return UMX_OK;
}

static int broken(FILE *stream, struct umx_error *err)
{
    if (ferror(stream))
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, what, "%s", strerror(errno));
    return umx_fail(err, UMX_ERR_MESSAGE_INVALID, what, "cut short");
}

int umx_frame_read(FILE *stream, size_t max, uint8_t **bytes, size_t *length, struct umx_error *err)
{
    uint8_t prefix[PREFIX];
    size_t size = 0;

    *bytes = NULL;
    *length = 0;
    errno = 0;
    size_t got = fread(prefix, 1, PREFIX, stream);
    if (got == 0 && !ferror(stream))
        return UMX_OK;
    if (got < PREFIX)
        return broken(stream, err);
    for (int i = 0; i < PREFIX; i++)
        size |= (size_t)prefix[i] << (8 * i);
    if (size > max)
        return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, what, "%zu bytes where %zu are allowed", size, max);
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, what, NULL);
    if (fread(data, 1, size, stream) != size) {
        free(data);
        return broken(stream, err);
    }
    *bytes = data;
    *length = size;
    return UMX_OK;
}

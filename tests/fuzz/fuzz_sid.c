/* SIDs and GUIDs, binary and text: what parses must come back the same. */
#include <stdlib.h>
#include <string.h>

#include "directory/guid.h"
#include "directory/sid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[UMX_SID_MAX], guid[UMX_GUID_SIZE];
    char sid[UMX_SID_TEXT], text[UMX_GUID_TEXT];
    size_t length;
    if (umx_sid_text(data, size, sid, NULL) == 0 &&
        (umx_sid_parse(sid, bytes, &length, NULL) || length != size || memcmp(bytes, data, size) != 0)) {
        abort();
    }
    char *copy = malloc(size + 1);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    if (umx_sid_parse(copy, bytes, &length, NULL) == 0 && umx_sid_text(bytes, length, sid, NULL)) {
        abort();
    }
    if (umx_guid_parse(copy, guid, NULL) == 0 && umx_guid_parse(umx_guid_text(guid, text), guid, NULL)) {
        abort();
    }
    free(copy);
    return 0;
}

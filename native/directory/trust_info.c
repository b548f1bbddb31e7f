#include "directory/trust_info.h"

#include "base/text.h"
#include "directory/bytes.h"
#include "directory/sid.h"

enum { RECORD_MIN = 4 + 4 + 8 + 1 }; /* with its length */

static const char *take_name(struct umx_bytes *bytes, struct umx_arena *arena)
{
    size_t length = umx_bytes_u32(bytes);
    const uint8_t *at = umx_bytes_take(bytes, length);
    if (!at) {
        return NULL;
    }
    struct umx_text text = {0};
    umx_text_add_valid(&text, at, length);
    const char *name = text.failed ? NULL : umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return name;
}

static const char *take_sid(struct umx_bytes *bytes, struct umx_arena *arena)
{
    char text[UMX_SID_TEXT];
    size_t length = umx_bytes_u32(bytes);
    const uint8_t *at = umx_bytes_take(bytes, length);
    return at && umx_sid_text(at, length, text, NULL) == 0 ? umx_arena_string(arena, text) : NULL;
}

static bool parse_record(struct umx_bytes *record, struct umx_arena *arena, struct umx_trust_record *out)
{
    out->flags = umx_bytes_u32(record);
    umx_bytes_u64(record); /* timestamp */
    out->type = umx_bytes_u8(record);
    if (out->type == UMX_TRUST_TOP_LEVEL || out->type == UMX_TRUST_EXCLUSION) {
        return (out->name = take_name(record, arena)) != NULL;
    }
    if (out->type == UMX_TRUST_DOMAIN) {
        return (out->sid = take_sid(record, arena)) && (out->name = take_name(record, arena)) &&
               (out->netbios = take_name(record, arena));
    }
    return !record->failed;
}

int umx_trust_info_parse(const uint8_t *bytes, size_t length, struct umx_arena *arena,
                         struct umx_trust_record **records, size_t *count, struct umx_error *err)
{
    struct umx_bytes blob = {.at = bytes, .left = length};
    uint32_t version = umx_bytes_u32(&blob), total = umx_bytes_u32(&blob);
    if (blob.failed || version != 1 || length > UMX_TRUST_INFO_MAX || total > UMX_TRUST_RECORDS_MAX ||
        total > blob.left / RECORD_MIN) {
        return umx_fail(err, UMX_ERR_TRUST_INFO_INVALID, "msDS-TrustForestTrustInfo", "its header is wrong");
    }
    *records = umx_arena_alloc(arena, (total ? total : 1) * sizeof **records);
    if (!*records) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "msDS-TrustForestTrustInfo", NULL);
    }
    for (uint32_t i = 0; i < total; i++) {
        size_t size = umx_bytes_u32(&blob);
        struct umx_bytes record = {.at = umx_bytes_take(&blob, size), .left = size};
        if (blob.failed || !parse_record(&record, arena, &(*records)[i])) {
            return umx_fail(err, UMX_ERR_TRUST_INFO_INVALID, "msDS-TrustForestTrustInfo", "record %u is damaged",
                            (unsigned)i);
        }
    }
    *count = total;
    return 0;
}

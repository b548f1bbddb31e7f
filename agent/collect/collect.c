#include "agent/collect/collect.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SETUP (UMX_HOST_REGISTRY | UMX_HOST_SERVICES)
/* What the product's shell says follows from its services, settings and certificates too. */
#define PRODUCT (UMX_HOST_SHELL | UMX_HOST_REGISTRY | UMX_HOST_SERVICES | UMX_HOST_CERTIFICATES)

const struct umx_collector umx_collectors[] = {
    {.table = "server", .quick = true, .areas = SETUP, .collect = umx_collect_server},
    {.table = "role", .quick = true, .areas = SETUP, .collect = umx_collect_role},
    {.table = "service", .quick = true, .areas = UMX_HOST_SERVICES, .collect = umx_collect_service},
    {.table = "certificate", .quick = true, .areas = UMX_HOST_CERTIFICATES, .collect = umx_collect_certificate},
    {.table = "listener", .quick = true, .areas = UMX_HOST_LISTENERS, .collect = umx_collect_listener},
    {.table = "event", .quick = true, .areas = UMX_HOST_EVENTS, .collect = umx_collect_event},
    {.table = "um_setting", .areas = PRODUCT, .collect = umx_collect_um_setting},
    {.table = "lync_dial_plan", .areas = PRODUCT, .collect = umx_collect_lync_dial_plan},
    {.table = "lync_policy", .areas = PRODUCT, .collect = umx_collect_lync_policy},
    {.table = "lync_pool_member", .areas = PRODUCT, .collect = umx_collect_lync_pool_member},
    {.table = "lync_user", .areas = PRODUCT, .collect = umx_collect_lync_user},
    {.table = "local_administrator",
     .quick = true,
     .areas = UMX_HOST_ADMINISTRATORS,
     .collect = umx_collect_local_administrator},
    {.table = "proof", .proof = true, .collect = umx_collect_proof},
};
const size_t umx_collector_count = sizeof umx_collectors / sizeof *umx_collectors;

const struct umx_collector *umx_collector_find(const char *table)
{
    for (size_t i = 0; i < umx_collector_count; i++)
        if (strcmp(umx_collectors[i].table, table) == 0)
            return &umx_collectors[i];
    return NULL;
}

int umx_rows_begin(struct umx_rows *rows, struct umx_error *err)
{
    *rows = (struct umx_rows){.arena = umx_arena_new(UMX_COLLECT_ARENA)};
    return rows->arena != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, "rows", NULL);
}

void *umx_rows_add(struct umx_rows *rows, const ProtobufCMessageDescriptor *type)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 16 : rows->capacity * 2;
        ProtobufCMessage **items =
            capacity > 2 * UMX_COLLECT_ROWS_MAX ? NULL : realloc(rows->items, capacity * sizeof(ProtobufCMessage *));
        if (items == NULL) {
            rows->full = true;
            return NULL;
        }
        rows->items = items;
        rows->capacity = capacity;
    }
    void *row = rows->count < UMX_COLLECT_ROWS_MAX ? umx_reflect_new(type, rows->arena) : NULL;
    if (row == NULL)
        rows->full = true;
    else
        rows->items[rows->count++] = row;
    return row;
}

char *umx_rows_text(struct umx_rows *rows, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return NULL;
    size_t length = strlen(text);
    char *copy = umx_arena_copy(rows->arena, text, length < UMX_COLLECT_TEXT_MAX ? length : UMX_COLLECT_TEXT_MAX);
    if (copy == NULL)
        rows->full = true;
    else if (length > UMX_COLLECT_TEXT_MAX)
        umx_text_copy(copy, UMX_COLLECT_TEXT_MAX, text);
    return copy;
}

struct packed {
    ProtobufCMessage *row;
    uint8_t *bytes;
    size_t length;
};

static int by_bytes(const void *a, const void *b)
{
    const struct packed *x = a;
    const struct packed *y = b;
    int order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);

    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

int umx_rows_digest(struct umx_rows *rows, uint8_t digest[UMX_DIGEST], struct umx_error *err)
{
    struct packed *list = calloc(rows->count + 1, sizeof *list);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int status = 0;

    if (list == NULL || hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
        status = umx_fail(err, UMX_ERR_MEMORY, "digest", NULL);
        goto out;
    }
    for (size_t i = 0; i < rows->count; i++) {
        list[i].row = rows->items[i];
        if ((status = umx_reflect_pack(rows->items[i], &list[i].bytes, &list[i].length, err)) != 0)
            goto out;
    }
    if (rows->count > 1)
        qsort(list, rows->count, sizeof *list, by_bytes);
    for (size_t i = 0; i < rows->count; i++) {
        uint8_t length[4] = {(uint8_t)list[i].length, (uint8_t)(list[i].length >> 8), (uint8_t)(list[i].length >> 16),
                             (uint8_t)(list[i].length >> 24)};
        rows->items[i] = list[i].row;
        EVP_DigestUpdate(hash, length, sizeof length);
        EVP_DigestUpdate(hash, list[i].bytes, list[i].length);
    }
    if (EVP_DigestFinal_ex(hash, digest, NULL) != 1)
        status = umx_fail(err, UMX_ERR_INTERNAL, "digest", NULL);
out:
    EVP_MD_CTX_free(hash);
    for (size_t i = 0; list != NULL && i < rows->count; i++)
        free(list[i].bytes);
    free(list);
    return status;
}

void umx_rows_end(struct umx_rows *rows)
{
    umx_arena_free(rows->arena);
    free(rows->items);
    *rows = (struct umx_rows){0};
}

int umx_collect_table(const struct umx_collector *collector, struct umx_collect *collect, struct umx_rows *rows,
                      struct umx_error *err)
{
    int status = umx_rows_begin(rows, err);

    if (status != 0)
        return status;
    collect->rows = rows;
    collect->scratch = umx_arena_new(UMX_COLLECT_ARENA);
    if (collect->scratch == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, collector->table, NULL);
    status = collector->collect(collect, err);
    if (status == 0 && rows->full)
        status = umx_fail(err, UMX_ERR_COLLECT_FAILED, collector->table, "too many rows, or out of memory");
    umx_arena_free(collect->scratch);
    collect->scratch = NULL;
    return status;
}

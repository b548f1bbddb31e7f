/* The operation agents.package: the agent's package that the controller holds, for those who install the first agent of
 * a server. */
#include "base/clock.h"
#include "controller/operations.h"
#include "controller/package.h"
#include "controller/updates.h"

static int send_part(void *user, int64_t offset, const uint8_t *bytes, size_t length, struct umx_error *err)
{
    struct umx_operation *operation = user;
    Umx__PackagePart part = UMX__PACKAGE_PART__INIT;

    if (operation->until != 0 && umx_clock_monotonic() >= operation->until)
        return umx_fail(err, UMX_ERR_DEADLINE, "package", "it was taken too slowly");
    part.has_offset = part.has_data = 1;
    part.offset = offset;
    part.data = (ProtobufCBinaryData){.len = length, .data = (uint8_t *)(uintptr_t)bytes}; /* packed, never changed */
    int status = umx_operation_recheck(operation, err);
    return status == 0 ? umx_operation_item(operation, "parts", &part.base, err) : status;
}

int umx_operation_agents_package(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_updates_held held;
    struct umx_text digest = {0};
    int status = umx_updates_held(operation->controller->updates, operation->arena, &held, err);

    if (status == 0)
        status = umx_package_read(held.path, &held.release, send_part, operation, err);
    if (status != 0)
        return status;
    umx_text_add_hex(&digest, held.release.sha256, sizeof held.release.sha256);
    umx_operation_end_string(operation, "kind", held.release.kind);
    umx_operation_end_string(operation, "version", held.release.version);
    umx_operation_end_string(operation, "architecture", held.release.architecture);
    umx_operation_end_integer(operation, "size", held.release.size);
    umx_operation_end_string(operation, "sha256", umx_text_string(&digest));
    umx_operation_end_string(operation, "update", held.state);
    umx_operation_end_string(operation, "release", held.text);
    umx_text_free(&digest);
    return 0;
}

/*
 * Requests of the engine to a forest's workers.
 */
#include "controller/engine_private.h"

#include <string.h>

enum { LDAP_OTHER = 80 };

int umx_engine_call(struct umx_engine *engine, const char *forest, bool writer, Umx__WorkerRequest *request,
                    struct umx_arena *arena, Umx__WorkerReply **reply, struct umx_error *err)
{
    struct umx_error local = {0};

    if (err == NULL)
        err = &local;
    memset(err, 0, sizeof *err);
    *reply = NULL;
    int status = engine->ports.call(engine->ports.user, forest, writer, request, engine->options.call_deadline, arena,
                                    reply, err);
    if (status != 0)
        return status;
    if (*reply == NULL)
        return umx_fail(err, UMX_ERR_PROTOCOL, forest, "the worker answered nothing");
    const Umx__WorkerError *error = (*reply)->error;
    if (error != NULL)
        return umx_fail_code(err, (enum umx_error_id)error->id, error->code, error->what != NULL ? error->what : forest,
                             "%s", error->why != NULL ? error->why : umx_error_text(error->id)->reason);
    return 0;
}

int umx_engine_read_object(struct umx_engine *engine, bool writer, const Umx__PlanStep *step,
                           const ProtobufCBinaryData *guid, const struct umx_pin *pin, struct umx_arena *arena,
                           Umx__ObjectState **out, struct umx_error *err)
{
    Umx__ReadObject read = UMX__READ_OBJECT__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    const Umx__Change *change = step->change;
    char name[UMX_FQDN_MAX];

    *out = NULL;
    if (guid == NULL && change->has_object_guid)
        guid = &change->object_guid;
    if (guid != NULL && guid->len > 0) {
        read.has_object_guid = 1;
        read.object_guid = *guid;
    } else {
        read.dn = change->dn;
    }
    read.attribute = umx_image_attributes(step, arena, &read.n_attribute);
    if (read.attribute == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, change->dn, NULL);
    read.has_descriptor = 1;
    read.descriptor = change->kind == UMX__CHANGE__KIND__ACCESS || change->kind == UMX__CHANGE__KIND__DELETE;
    read.has_incoming_links = 1;
    read.incoming_links = change->kind == UMX__CHANGE__KIND__DELETE;
    if (pin != NULL && pin->name[0] != '\0') {
        umx_text_copy(name, sizeof name, pin->name);
        read.domain_controller = name;
    }
    uint8_t invocation[16];
    if (pin != NULL && pin->invocation_length > 0) {
        memcpy(invocation, pin->invocation, sizeof invocation);
        read.has_invocation_id = 1;
        read.invocation_id.data = invocation;
        read.invocation_id.len = pin->invocation_length;
    }
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ_OBJECT;
    request.read_object = &read;
    int status = umx_engine_call(engine, step->forest, writer, &request, arena, &reply, err);
    if (status != 0 && err != NULL && err->id == UMX_ERR_OBJECT_NOT_FOUND) {
        Umx__ObjectState *nothing = umx_reflect_new(&umx__object_state__descriptor, arena);
        if (nothing == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, change->dn, NULL);
        nothing->has_exists = 1;
        *out = nothing;
        return 0;
    }
    if (status != 0)
        return status;
    if (reply->reply_case != UMX__WORKER_REPLY__REPLY_OBJECT)
        return umx_fail(err, UMX_ERR_PROTOCOL, step->forest, "the worker sent no object");
    *out = reply->object;
    return 0;
}

int umx_engine_read_saved(struct umx_engine *engine, const char *forest, const Umx__ObjectState *seen,
                          struct umx_arena *arena, Umx__ObjectState **out, struct umx_error *err)
{
    Umx__ReadObject read = UMX__READ_OBJECT__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;

    *out = NULL;
    read.has_object_guid = 1;
    read.object_guid = seen->object_guid;
    read.has_invocation_id = seen->has_invocation_id;
    read.invocation_id = seen->invocation_id;
    read.domain_controller = seen->domain_controller;
    read.has_writable_only = 1;
    read.writable_only = 1;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ_OBJECT;
    request.read_object = &read;
    int status = umx_engine_call(engine, forest, true, &request, arena, &reply, err);
    if (status != 0)
        return status;
    if (reply->reply_case != UMX__WORKER_REPLY__REPLY_OBJECT || !reply->object->exists)
        return umx_fail(err, UMX_ERR_OBJECT_NOT_FOUND, seen->dn, "it vanished while it was being saved");
    *out = reply->object;
    return 0;
}

bool umx_engine_may_have_happened(const struct umx_error *err)
{
    if (err->id == UMX_ERR_DESCRIPTOR_MOVED)
        return true; /* written, and then somebody else's write came too */
    switch (err->status) {
    case UMX_E_ARGUMENT:
    case UMX_E_FORMAT:
    case UMX_E_NOT_FOUND:
    case UMX_E_EXISTS:
    case UMX_E_DENIED:
    case UMX_E_UNAUTHENTICATED:
    case UMX_E_CONFLICT:
    case UMX_E_STALE:
    case UMX_E_UNSUPPORTED:
        return false;
    case UMX_E_IO: /* an answer of the directory itself, not of libldap (negative) or of the socket */
        return err->id != UMX_ERR_DIRECTORY_ERROR || err->foreign <= 0 || err->foreign == LDAP_OTHER;
    default:
        return true;
    }
}

/*
 * stand-in DIRECTORY - a controller for the tests of libumx, in a process of its own: makes a deployment in the empty
 * directory with the operator's identity.pem and root.pem, says its port on standard output and serves until standard
 * input ends. Operations: few (a record of each kind), many ({"count":N} items), echo (the arguments come back), silent
 * (nothing until it is cancelled), flood (items without end).
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/session.h"
#include "controller/authority.h"
#include "umx/v1/operator.pb-c.h"

static int answer(struct umx_rpc_call *call, Umx__RunEvent__Kind kind, const char *type, const char *json,
                  struct umx_error *err)
{
    Umx__RunEvent event = UMX__RUN_EVENT__INIT;
    char texts[2][2048];
    uint8_t bytes[4200];

    umx_text_copy(texts[0], sizeof texts[0], type);
    umx_text_copy(texts[1], sizeof texts[1], json);
    event.has_kind = 1;
    event.kind = kind;
    event.type = texts[0];
    event.json = texts[1];
    return umx_rpc_answer(call, bytes, umx__run_event__pack(&event, bytes), err);
}

static int end(struct umx_rpc_call *call, struct umx_error *err)
{
    return answer(call, UMX__RUN_EVENT__KIND__END, "end", "{}", err);
}

static int few(struct umx_rpc_call *call, const char *json, struct umx_error *err)
{
    (void)json;
    answer(call, UMX__RUN_EVENT__KIND__PROGRESS, "progress", "{\"done\":1,\"total\":2}", err);
    answer(call, UMX__RUN_EVENT__KIND__ITEM, "findings", "{\"ratio\":1.5,\"target\":\"\xC3\x9CM-\xC4\xB0\"}", err);
    answer(call, UMX__RUN_EVENT__KIND__VERBOSE, "verbose", "\"text\"", err);
    answer(call, UMX__RUN_EVENT__KIND__WARNING, "warning", "{}", err);
    answer(call, UMX__RUN_EVENT__KIND__ERROR, "error", "{\"target\":\"lync.test\"}", err);
    return end(call, err);
}

static int many(struct umx_rpc_call *call, const char *json, struct umx_error *err)
{
    json_t *arguments = json_loads(json, 0, NULL);
    json_int_t count = json_integer_value(json_object_get(arguments, "count"));
    int status = 0;

    json_decref(arguments);
    for (json_int_t i = 0; i < count && status == 0; i++)
        status = answer(call, UMX__RUN_EVENT__KIND__ITEM, "rows", "{\"name\":\"ex13-01\"}", err);
    return status == 0 ? end(call, err) : status;
}

static int echo(struct umx_rpc_call *call, const char *json, struct umx_error *err)
{
    answer(call, UMX__RUN_EVENT__KIND__ITEM, "echo", json, err);
    return end(call, err);
}

static int silent(struct umx_rpc_call *call, const char *json, struct umx_error *err)
{
    (void)json;
    while (!umx_rpc_cancelled(call))
        usleep(20000);
    return umx_fail(err, UMX_ERR_CANCELLED, NULL, NULL);
}

static int flood(struct umx_rpc_call *call, const char *json, struct umx_error *err)
{
    int status = 0;

    (void)json;
    while (status == 0)
        status = answer(call, UMX__RUN_EVENT__KIND__ITEM, "rows", "{}", err);
    return status;
}

static const struct {
    const char *name;
    int (*serve)(struct umx_rpc_call *call, const char *json, struct umx_error *err);
} operations[] = {{"few", few}, {"many", many}, {"echo", echo}, {"silent", silent}, {"flood", flood}};

static int serve_run(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                     size_t length, struct umx_error *err)
{
    Umx__Call *message = umx__call__unpack(NULL, length, request);
    int status = umx_fail(err, UMX_ERR_OPERATION_UNKNOWN, "stand-in", NULL);

    (void)user;
    (void)peer;
    for (size_t i = 0; message != NULL && i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(message->operation, operations[i].name) == 0) {
            *err = (struct umx_error){0};
            status = operations[i].serve(call, message->json, err);
        }
    umx__call__free_unpacked(message, NULL);
    return status;
}

static const char *path_of(const char *directory, const char *name)
{
    static char path[1024];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int write_operator(struct umx_authority *authority, const char *directory, struct umx_error *err)
{
    struct umx_issued issued = {0};
    struct umx_text pem = {0};
    char *key = NULL;
    uint8_t *request = NULL;
    size_t length;
    int status = umx_client_request(&key, &request, &length, err);

    if (status == 0)
        status = umx_authority_issue_operator(authority, request, length, "S-1-5-21-1-2-3-1104", "ada", "exchange.test",
                                              UMX_OPERATOR_LIFE, &issued, err);
    if (status == 0) {
        umx_text_adds(&pem, key);
        umx_text_adds(&pem, issued.chain);
        status = umx_private_file_write(path_of(directory, "identity.pem"), pem.data, pem.length, err);
    }
    umx_issued_free(&issued);
    umx_private_free(pem.data);
    umx_private_free(key);
    free(request);
    return status;
}

static int serve(const char *directory, struct umx_error *err)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    static const struct umx_rpc_method methods[] = {{.path = "/umx.v1.Operators/Run", .call = {.serve = serve_run}}};
    const char *data = directory;
    struct umx_authority *authority = NULL;
    struct umx_rpc_server *server = NULL;
    int status = umx_authority_init(data, "guest", names, 2, err);

    if (status == 0)
        status = umx_authority_open(data, &authority, err);
    if (status == 0)
        status = write_operator(authority, directory, err);
    if (status == 0) {
        struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                                 .tls = *umx_authority_tls(authority),
                                                 .max_message = 1024 * 1024,
                                                 .threads = 64,
                                                 .methods = methods,
                                                 .method_count = 1};
        status = umx_rpc_server_start(&options, &server, err);
    }
    if (status == 0) {
        printf("%d\n", umx_rpc_server_port(server));
        fflush(stdout);
        while (getchar() != EOF)
            ;
    }
    umx_rpc_server_stop(server, 0);
    umx_authority_close(authority);
    return status;
}

int main(int argc, char **argv)
{
    struct umx_error err = {0};
    char text[2048];

    if (argc != 2) {
        fprintf(stderr, "stand-in DIRECTORY\n");
        return 2;
    }
    if (serve(argv[1], &err) == 0)
        return 0;
    fprintf(stderr, "stand-in: %s\n", umx_error_format(&err, text, sizeof text));
    return 1;
}

/* `umxd ca`: authorities made or asked for on the controller's host, and signed where the root's key is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/authority.h"
#include "controller/commands.h"
#include "controller/commands_options.h"
#include "controller/data_owner.h"
#include "rpc/identity_file.h"

static int write_out(const char *path, struct umx_text *text, struct umx_error *err)
{
    if (text->failed)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    return umx_private_file_write(path, umx_text_string(text), text->length, err);
}

static int read_in(const char *path, char **text, struct umx_error *err)
{
    size_t length;

    return umx_private_file_read(path, UMX_IDENTITY_FILE_MAX, text, &length, err);
}

static void say_request(const char *out, const char *key_hash)
{
    printf("A request is in %s, for the key %s.\n"
           "  Take it to where the root's key is: `umxd ca sign %s --root root.pem --root-key root.key --out FILE`.\n"
           "  It says the key that it signed: compare. Bring FILE back: `umxd ca import FILE --data DIR`.\n",
           out, key_hash, out);
}

int umx_command_init_request(const struct umx_options *options, struct umx_error *err)
{
    struct umx_text request = {0};
    char key_hash[UMX_KEY_HASH_TEXT];
    int status = umx_authority_init_request(options->data, options->deployment, options->names, options->name_count,
                                            &request, key_hash, err);

    if (status == 0 && (status = write_out(options->request, &request, err)) == 0)
        say_request(options->request, key_hash);
    umx_text_free(&request);
    return status;
}

static int request(const struct umx_options *options, struct umx_error *err)
{
    struct umx_text text = {0};
    char key_hash[UMX_KEY_HASH_TEXT];
    int status = umx_authority_request(options->data, &text, key_hash, err);

    if (status == 0 && (status = write_out(options->out, &text, err)) == 0)
        say_request(options->out, key_hash);
    umx_text_free(&text);
    return status;
}

static int sign(const struct umx_options *options, struct umx_error *err)
{
    struct umx_text signed_pem = {0};
    char *text = NULL, *root = NULL, *key = NULL;
    char key_hash[UMX_KEY_HASH_TEXT];
    int status = read_in(options->rest[1], &text, err);

    if (status == 0)
        status = read_in(options->root, &root, err);
    if (status == 0)
        status = read_in(options->root_key, &key, err);
    if (status == 0)
        status = umx_authority_sign(text, root, key, &signed_pem, key_hash, err);
    if (status == 0 && (status = write_out(options->out, &signed_pem, err)) == 0)
        printf("An intermediate for the key %s, with its root, is in %s.\n", key_hash, options->out);
    umx_private_free(key);
    umx_private_free(root);
    umx_private_free(text);
    umx_text_free(&signed_pem);
    return status;
}

static int import(const struct umx_options *options, struct umx_error *err)
{
    enum umx_imported what;
    char *pem = NULL;
    int status = read_in(options->rest[1], &pem, err);

    if (status == 0)
        status = umx_authority_import(options->data, pem, &what, err);
    umx_private_free(pem);
    if (status != 0)
        return status;
    if (what == UMX_IMPORTED_DEPLOYMENT)
        printf("A deployment is in %s.\n"
               "  Give %s/root.pem to administrators and agents: it is what they trust.\n",
               options->data, options->data);
    else
        printf("A new %s is staged in %s/ca/next.\n"
               "  `umx ca rotate begin%s` begins to use it beside the old one.\n",
               what == UMX_IMPORTED_ROOT ? "root, with an intermediate," : "intermediate", options->data,
               what == UMX_IMPORTED_ROOT ? " --root" : "");
    return 0;
}

static int new_intermediate(const struct umx_options *options, struct umx_error *err)
{
    int status = umx_authority_stage_intermediate(options->data, options->root_key, err);

    if (status == 0)
        printf("A new intermediate is staged in %s/ca/next.\n"
               "  `umx ca rotate begin` begins to use it beside the old one.\n",
               options->data);
    return status;
}

/* Without --data nothing is staged: this is the machine where the root's key stays. */
static int new_root(const struct umx_options *options, struct umx_error *err)
{
    struct umx_text root = {0};
    int status;

    if (options->data == NULL) {
        status = umx_authority_make_root(options->deployment, options->root_key, &root, err);
        if (status == 0 && (status = write_out(options->out, &root, err)) == 0)
            printf("A root is in %s, its key in %s, which never leaves this machine.\n", options->out,
                   options->root_key);
        umx_text_free(&root);
        return status;
    }
    status = umx_authority_stage_root(options->data, options->root_key, err);
    if (status == 0)
        printf("A new root, with an intermediate, is staged in %s/ca/next.\n"
               "  Take %s to a safe now: it is not needed to run.\n"
               "  `umx ca rotate begin --root` begins to use it beside the old one.\n",
               options->data, options->root_key);
    return status;
}

static int discard(const struct umx_options *options, struct umx_error *err)
{
    int status = umx_authority_discard(options->data, err);

    if (status == 0)
        printf("Nothing is staged any more.\n");
    return status;
}

int umx_command_ca(int argc, char **argv, struct umx_error *err)
{
    static const struct {
        const char *name;
        int (*run)(const struct umx_options *options, struct umx_error *err);
        bool data, root, root_key, out, file, deployment; /* what it needs */
    } verbs[] = {
        {"new-intermediate", new_intermediate, .data = true, .root_key = true},
        {"new-root", new_root, .data = true, .root_key = true},
        {"new-root", new_root, .root_key = true, .out = true, .deployment = true},
        {"request", request, .data = true, .out = true},
        {"sign", sign, .root = true, .root_key = true, .out = true, .file = true},
        {"import", import, .data = true, .file = true},
        {"discard", discard, .data = true},
    };
    struct umx_options options = {0};
    int status = umx_options_parse(argc, argv, &options, err);

    if (status != 0)
        return status;
    for (size_t i = 0; options.rest_count > 0 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(options.rest[0], verbs[i].name) == 0 && (options.data != NULL) == verbs[i].data &&
            (options.root != NULL) == verbs[i].root && (options.root_key != NULL) == verbs[i].root_key &&
            (options.out != NULL) == verbs[i].out && (options.rest_count == 2) == verbs[i].file &&
            (options.deployment != NULL) == verbs[i].deployment) {
            status = verbs[i].run(&options, err);
            umx_data_owner_keep(options.data);
            return status;
        }
    return umx_options_usage(err, "ca",
                             "write: umxd ca new-intermediate|new-root --data DIR --root-key FILE, ca request --data "
                             "DIR --out FILE, ca sign REQUEST --root FILE --root-key FILE --out FILE, ca import FILE "
                             "--data DIR, ca new-root --deployment NAME --root-key FILE --out FILE, ca discard --data "
                             "DIR");
}

/* What the deployment's certificates are at a time, read from its files. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "controller/authority_internal.h"

int authority_key_id(const X509 *certificate, char out[UMX_KEY_ID_MAX])
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id((X509 *)(uintptr_t)certificate);
    struct umx_text hex = {0};
    bool fits = id != NULL;

    if (fits)
        umx_text_add_hex(&hex, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
    fits = fits && !hex.failed && hex.length > 0 && hex.length < UMX_KEY_ID_MAX;
    if (fits)
        umx_text_copy(out, UMX_KEY_ID_MAX, umx_text_string(&hex));
    umx_text_free(&hex);
    return fits ? 0 : UMX_E_FORMAT;
}

void authority_pair_free(struct authority_pair *pair)
{
    free(pair->root);
    free(pair->intermediate);
    X509_free(pair->certificate);
    EVP_PKEY_free(pair->key);
    *pair = (struct authority_pair){0};
}

/* The intermediate is the root's, may sign, and its key is there. */
static int check_pair(const char *what, struct authority_pair *pair, struct umx_error *err)
{
    X509 *root = NULL;
    int status = umx_certificate_read(pair->root, what, &root, err);
    const char *fault = NULL;

    if (status != 0)
        return status;
    if (X509_check_private_key(pair->certificate, pair->key) != 1)
        fault = "the key is not the intermediate's";
    else if (X509_check_ca(pair->certificate) != 1 || X509_check_ca(root) != 1)
        fault = "one of them may not sign certificates";
    else if (X509_verify(pair->certificate, X509_get0_pubkey(root)) != 1)
        fault = "the intermediate is not signed by the root";
    else if (X509_verify(root, X509_get0_pubkey(root)) != 1)
        fault = "the root is not signed by itself";
    else if (authority_key_id(pair->certificate, pair->key_id) != 0)
        fault = "the intermediate has no key identifier";
    X509_free(root);
    if (fault == NULL)
        return 0;
    ERR_clear_error();
    return umx_fail(err, UMX_ERR_AUTHORITY_INVALID, what, "%s", fault);
}

int authority_pair_load(const char *data, const char *root, const char *directory, struct authority_pair *out,
                        struct umx_error *err)
{
    struct authority_pair made = {0};
    struct umx_text certificate = {0}, secret = {0};
    char *key = NULL;

    umx_text_addf(&certificate, "%s/intermediate.pem", directory);
    umx_text_addf(&secret, "%s/intermediate.key", directory);
    int status = authority_read(data, root, &made.root, err);
    if (status == 0)
        status = authority_read(data, umx_text_string(&certificate), &made.intermediate, err);
    if (status == 0)
        status = authority_read(data, umx_text_string(&secret), &key, err);
    if (status == 0)
        status = umx_certificate_read(made.intermediate, umx_text_string(&certificate), &made.certificate, err);
    if (status == 0)
        status = umx_certificate_read_key(key, umx_text_string(&secret), &made.key, err);
    if (status == 0)
        status = check_pair(umx_text_string(&certificate), &made, err);
    umx_private_free(key);
    umx_text_free(&certificate);
    umx_text_free(&secret);
    if (status == 0)
        *out = made;
    else
        authority_pair_free(&made);
    return status;
}

void authority_view_free(struct authority_view *view)
{
    if (view == NULL)
        return;
    authority_pair_free(&view->current);
    authority_pair_free(&view->next);
    umx_identity_file_free(&view->controller);
    umx_trust_free(&view->trust);
    free(view->presented);
    free(view);
}

/* Roots first, what is next behind what is current. */
static int make_trust(struct authority_view *view, struct umx_error *err)
{
    struct umx_text all = {0};
    bool open = view->rotation.phase == ROTATION_OPEN;

    umx_text_adds(&all, view->current.root);
    if (open && view->rotation.root)
        umx_text_adds(&all, view->next.root);
    umx_text_adds(&all, view->current.intermediate);
    if (open)
        umx_text_adds(&all, view->next.intermediate);
    int status = all.failed ? umx_fail(err, UMX_ERR_MEMORY, "trust", NULL)
                            : umx_trust_parse(all.data, all.length, &view->trust, err);
    umx_text_free(&all);
    return status;
}

static int make_tls(struct authority_view *view, struct umx_error *err)
{
    struct umx_text chain = {0};

    umx_text_adds(&chain, view->controller.chain);
    umx_text_adds(&chain, view->controller.root);
    if (chain.failed) {
        umx_text_free(&chain);
        return umx_fail(err, UMX_ERR_MEMORY, "TLS material", NULL);
    }
    view->presented = chain.data;
    view->tls = (struct umx_rpc_tls){.key = view->controller.key,
                                     .chain = view->presented,
                                     .roots = view->trust.roots,
                                     .issuers = view->trust.authorities};
    return 0;
}

/* The root's key is not looked at: it may be anywhere by now. */
int authority_view_load(const char *data, struct authority_view **out, struct umx_error *err)
{
    struct authority_view *view = calloc(1, sizeof *view);
    char *controller = umx_authority_path(data, "ca/controller.pem");
    int status = view != NULL && controller != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, data, NULL);

    if (status == 0)
        status = authority_rotation_read(data, &view->rotation, err);
    if (status == 0)
        status = authority_rotation_finish(data, &view->rotation, err);
    if (status == 0)
        status = authority_pair_load(data, "root.pem", "ca", &view->current, err);
    if (status == 0 && view->rotation.phase == ROTATION_OPEN)
        status = authority_pair_load(data, view->rotation.root ? "ca/next/root.pem" : "root.pem", "ca/next",
                                     &view->next, err);
    if (status == 0)
        status = umx_identity_file_load(controller, &view->controller, err);
    if (status == 0 && view->controller.identity.role != UMX_ROLE_CONTROLLER)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, controller, "it is not a controller's");
    if (status == 0)
        status = make_trust(view, err);
    if (status == 0)
        status = make_tls(view, err);
    free(controller);
    if (status == 0) {
        *out = view;
        return 0;
    }
    authority_view_free(view);
    return status;
}

/* Keys that were replaced must not stay in memory. */
static void drop_keys(struct authority_view *view)
{
    EVP_PKEY_free(view->current.key);
    EVP_PKEY_free(view->next.key);
    view->current.key = NULL;
    view->next.key = NULL;
}

int authority_view_replace(struct umx_authority *authority, struct umx_error *err)
{
    struct authority_view *view = NULL;
    int status = authority_view_load(authority->data, &view, err);

    if (status != 0)
        return status;
    drop_keys(authority->view);
    view->older = authority->view;
    authority->view = view;
    return 0;
}

/*
 * What a gate was given, against what later steps will do with it: nothing is missing, and a certificate answers the
 * request that the gate had signed.
 */
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "controller/verb.h"
#include "rpc/pem.h"

/* ---- certificates */

/* Base64 of DER: what the command line makes of a file that is no text, and what some authorities' pages give out. */
static X509 *from_base64(const char *text)
{
    size_t length = strlen(text);
    BIO *memory = BIO_new_mem_buf(text, (int)length), *filter = BIO_new(BIO_f_base64());
    X509 *certificate = NULL;

    if (memory != NULL && filter != NULL) {
        if (strchr(text, '\n') == NULL)
            BIO_set_flags(filter, BIO_FLAGS_BASE64_NO_NL);
        certificate = d2i_X509_bio(BIO_push(filter, memory), NULL);
    }
    BIO_free(filter);
    BIO_free(memory);
    return certificate;
}

static X509_REQ *read_request(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
    X509_REQ *request = bio != NULL ? PEM_read_bio_X509_REQ(bio, NULL, umx_pem_no_passphrase, NULL) : NULL;

    BIO_free(bio);
    return request;
}

/* The request that a step made on which the gate depends, PEM; NULL: the gate is about none. */
static const char *request_of(struct umx_plan_state *plan, const Umx__PlanStep *gate, struct umx_arena *arena)
{
    const char *request = NULL;

    for (size_t i = 0; request == NULL && i < gate->n_depends; i++) {
        const struct umx_step_state *before = umx_states_step(plan, gate->depends[i]);
        if (before != NULL && before->result != NULL)
            request = umx_results_field(before->result, -1, "request", arena);
    }
    return request;
}

static int check_certificate(struct umx_plan_state *plan, const Umx__PlanStep *gate, const char *text,
                             struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_WORK_ARENA);
    const char *asked = arena != NULL ? request_of(plan, gate, arena) : NULL;
    X509_REQ *request = asked != NULL ? read_request(asked) : NULL;
    X509 *certificate = NULL;
    int status = arena != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, gate->id, NULL);

    if (request == NULL) /* the gate is about something else of that name: its agent judges */
        goto out;
    certificate = umx_pem_certificate(text, strlen(text));
    if (certificate == NULL)
        certificate = from_base64(text);
    EVP_PKEY *have = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
    EVP_PKEY *want = X509_REQ_get0_pubkey(request);
    char *subject = certificate != NULL ? X509_NAME_oneline(X509_get_subject_name(certificate), NULL, 0) : NULL;
    if (certificate == NULL)
        status =
            umx_fail(err, UMX_ERR_GATE_CERTIFICATE, gate->id, "what was given is no certificate, neither PEM nor DER");
    else if (have == NULL || want == NULL || EVP_PKEY_eq(have, want) != 1)
        status = umx_fail(err, UMX_ERR_GATE_CERTIFICATE, gate->id,
                          "the certificate of %.200s has another key than the request that this gate is about",
                          subject != NULL ? subject : "?");
    OPENSSL_free(subject);
out:
    X509_free(certificate);
    X509_REQ_free(request);
    umx_arena_free(arena);
    ERR_clear_error();
    return status;
}

/* ---- what is missing */

static int check_missing(struct umx_plan_state *plan, const Umx__PlanStep *gate, json_t *given, struct umx_error *err)
{
    json_t *wanted = json_object();
    struct umx_text missing = {0};
    const char *name;
    json_t *unused;
    int status = wanted != NULL ? umx_references_wanted(plan, gate->id, wanted, err)
                                : umx_fail(err, UMX_ERR_MEMORY, gate->id, NULL);

    json_object_foreach(wanted, name, unused) if (json_object_get(given, name) == NULL)
        umx_text_addf(&missing, "%s%s", missing.length > 0 ? ", " : "", name);
    if (status == 0 && missing.length > 0)
        status = umx_fail(err, UMX_ERR_GATE_VALUE_MISSING, gate->id, "%s", umx_text_string(&missing));
    umx_text_free(&missing);
    json_decref(wanted);
    return status;
}

int umx_gate_values_check(struct umx_plan_state *plan, const Umx__PlanStep *gate, const char *values,
                          struct umx_error *err)
{
    json_t *given = values != NULL ? json_loads(values, 0, NULL) : NULL;
    const char *certificate = json_string_value(json_object_get(given, "certificate"));
    int status = check_missing(plan, gate, given, err);

    if (status == 0 && certificate != NULL)
        status = check_certificate(plan, gate, certificate, err);
    json_decref(given);
    return status;
}

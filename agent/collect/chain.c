#include "agent/collect/chain.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct umx_chain {
    X509_STORE *roots;
    STACK_OF(X509) * others; /* whatever else is in the stores: candidates for intermediates */
};

int umx_chain_new(const struct umx_host_certificate *list, size_t count, struct umx_chain **out, struct umx_error *err)
{
    struct umx_chain *chain = calloc(1, sizeof *chain);

    if (chain != NULL) {
        chain->roots = X509_STORE_new();
        chain->others = sk_X509_new_null();
    }
    if (chain == NULL || chain->roots == NULL || chain->others == NULL) {
        umx_chain_free(chain);
        return umx_fail(err, UMX_ERR_MEMORY, "certificates", NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const unsigned char *der = list[i].der;
        X509 *certificate = list[i].error == NULL ? d2i_X509(NULL, &der, (long)list[i].length) : NULL;
        if (certificate == NULL)
            continue;
        if (list[i].store == UMX_HOST_STORE_ROOT)
            X509_STORE_add_cert(chain->roots, certificate);
        else if (sk_X509_push(chain->others, certificate) > 0)
            continue; /* the stack owns it */
        X509_free(certificate);
    }
    *out = chain;
    return 0;
}

void umx_chain_free(struct umx_chain *chain)
{
    if (chain == NULL)
        return;
    X509_STORE_free(chain->roots);
    sk_X509_pop_free(chain->others, X509_free);
    free(chain);
}

X509_STORE *umx_chain_store(const struct umx_chain *chain)
{
    return chain->roots;
}

const char *umx_chain_verify(const struct umx_chain *chain, X509 *certificate, X509 **root)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    const char *result = "out of memory";

    *root = NULL;
    if (context == NULL || X509_STORE_CTX_init(context, chain->roots, certificate, chain->others) != 1)
        goto out;
    X509_STORE_CTX_set_time(context, 0, (time_t)(umx_clock_now() / UMX_SECOND));
    int good = X509_verify_cert(context);
    int code = X509_STORE_CTX_get_error(context);
    const STACK_OF(X509) *built = X509_STORE_CTX_get0_chain(context);
    int length = built != NULL ? sk_X509_num(built) : 0;
    X509 *last = length > 0 ? sk_X509_value(built, length - 1) : NULL;
    if (last != NULL && X509_NAME_cmp(X509_get_subject_name(last), X509_get_issuer_name(last)) == 0 &&
        X509_up_ref(last) == 1)
        *root = last;
    result = good == 1 ? "ok" : X509_verify_cert_error_string(code);
out:
    X509_STORE_CTX_free(context);
    return result;
}

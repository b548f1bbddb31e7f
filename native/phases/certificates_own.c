/* The deployment's own certificates, by the same bands as those of the servers. They belong to no pair. */
#include <string.h>

#include "base/clock.h"
#include "phases/certificates.h"

static const struct own {
    const char *store;
    const char *name;
    const char *remedy;
} kinds[] = {
    {"umx-root", "the deployment's root",
     "make a new root on the controller's host and rotate to it: `umxd ca new-root`, `umx ca rotate begin --root`"},
    {"umx-intermediate", "the deployment's intermediate",
     "make a new one on the controller's host and rotate to it: `umxd ca new-intermediate`, `umx ca rotate begin`"},
    {"umx-controller", "the controller's certificate",
     "it is renewed by the controller itself: look into its log for why it was not"},
};

#define OWN "certificates/own", "V2.16"

const struct umx_phase_check umx_cert_own_checks[] = {
    {OWN, "Are the root, the intermediates and the controller's certificate valid for long enough (60, 30 and 7 days)?",
     "the controller renews its own; for the others `umx ca status`, then docs/operate.md, \"replacing its authority\"",
     0, "", false, NULL},
    {.id = NULL},
};

bool umx_selects_certificates(const struct umx_phase *const *phases, size_t count)
{
    bool found = phases == NULL;

    for (size_t i = 0; i < count && phases != NULL; i++)
        found = found || strcmp(phases[i]->slug, "certificates") == 0;
    return found;
}

void umx_cert_check_own(const Umx__World *world, struct umx_findings *out)
{
    const struct umx_pair nobody = {"", ""};
    const struct umx_options none = {0};
    const struct umx_view view = {.world = world, .pair = &nobody, .options = &none};

    for (size_t i = 0; i < world->n_certificate; i++) {
        const Umx__Certificate *one = world->certificate[i];
        const struct own *own = NULL;
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            if (umx_text_equal(one->store, kinds[k].store))
                own = &kinds[k];
        if (own == NULL || !one->has_not_after_at)
            continue;
        const struct umx_phase_check check = {OWN, .remedy = own->remedy};
        int days = umx_cert_days(world, one);
        const struct umx_answer answer = {
            .status = umx_cert_band(days),
            .forest = "",
            .target = umx_say(out, "%s (%s)", own->name, umx_or_empty(one->server)),
            .expected = umx_cert_band_text(out),
            .actual = umx_cert_band_says(out, days, one->not_after_at),
        };
        umx_findings_add(out, &view, &check, &answer);
    }
}

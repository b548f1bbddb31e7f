/* docs/checks.md from the registry. */
#include "base/text.h"
#include "phases/certificates.h"
#include "phases/phases.h"

static const char head[] =
    "# Checks\n"
    "\n"
    "Generated from the registry (`native/phases/doc.c`): do not edit. `umx check` runs them; each answer is a "
    "finding\n"
    "`pass`, `warn`, `fail`, `unknown` (it says why) or `not_applicable`. Spec ids (V1B.2) are the names of the\n"
    "specification behind this product.\n"
    "\n"
    "The state of a phase comes from these answers alone. *Core* checks ask for what the phase itself makes: while one "
    "of\n"
    "them is `unknown` and nothing fails, so is the phase; `missing` means that something failed and no core check "
    "passed;\n"
    "other `unknown` answers are counted beside the state. A check that needs a forest, or one of its tables, that "
    "could\n"
    "not be read answers `unknown` and names it.\n";

static const char *needs_word(enum umx_phase_needs needs)
{
    static const char *const words[] = {"", "Exchange forest", "Lync forest", "both forests"};

    return words[needs];
}

/* A cell of a table: a bar would end it. */
static void add_cell(struct umx_text *out, const char *text)
{
    umx_text_adds(out, "| ");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '|')
            umx_text_adds(out, "\\");
        umx_text_add(out, p, 1);
    }
    umx_text_adds(out, " ");
}

static void add_checks(struct umx_text *out, const struct umx_phase_check *checks)
{
    umx_text_adds(out, "| Check | Spec | Asks | Needs | Core | When it fails |\n|---|---|---|---|---|---|\n");
    for (const struct umx_phase_check *check = checks; check->id != NULL; check++) {
        add_cell(out, check->id);
        add_cell(out, check->spec);
        add_cell(out, check->question);
        add_cell(out, needs_word(check->needs));
        add_cell(out, check->core ? "yes" : "");
        add_cell(out, check->remedy);
        umx_text_adds(out, "|\n");
    }
}

static void add_phase(struct umx_text *out, const struct umx_phase *phase)
{
    umx_text_addf(out, "\n## %d `%s`: %s\n\n", phase->number, phase->slug, phase->title);
    add_checks(out, phase->checks);
}

void umx_phases_doc_checks(struct umx_text *out)
{
    umx_text_adds(out, head);
    for (size_t i = 0; i < UMX_PHASE_COUNT; i++)
        add_phase(out, &umx_phases()[i]);
    umx_text_adds(
        out, "\n## The deployment's own certificates\n\nChecked with phase `certificates`; they belong to no pair of "
             "forests, and to no phase's state.\n\n");
    add_checks(out, umx_cert_own_checks);
}

/* `check --snapshot`: the phases over a saved world, without any server. */
#include <string.h>
#include <strings.h>

#include "base/world.h"
#include "cli/findings.h"
#include "phases/certificates.h"
#include "phases/phases.h"

enum { FINDINGS_CAP = 256 * 1024 * 1024 };

struct selection {
    const struct umx_phase *phases[UMX_PHASE_COUNT];
    size_t phase_count;
    const struct umx_pair *pairs;
    size_t pair_count;
};

static int select_phases(const struct umx_args *args, struct selection *out, struct umx_error *err)
{
    const char *slug;

    for (size_t i = 0; (slug = umx_args_nth(args, "--phase", i)) != NULL; i++) {
        const struct umx_phase *phase = umx_phase(slug);
        if (phase == NULL)
            return umx_fail(err, UMX_ERR_PHASE_UNKNOWN, slug, NULL);
        if (out->phase_count == UMX_PHASE_COUNT)
            return umx_fail(err, UMX_ERR_USAGE, "--phase", "more phases than there are");
        out->phases[out->phase_count++] = phase;
    }
    if (out->phase_count > 0)
        return 0;
    for (int i = 0; i < UMX_PHASE_COUNT; i++)
        if (umx_phases()[i].check != NULL)
            out->phases[out->phase_count++] = &umx_phases()[i];
    return 0;
}

static const struct umx_pair *known_pair(const struct selection *known, const char *text)
{
    for (size_t i = 0; i < known->pair_count; i++) {
        const char *colon = strchr(text, ':');
        size_t length = strlen(known->pairs[i].exchange);
        if (colon != NULL && (size_t)(colon - text) == length &&
            strncasecmp(text, known->pairs[i].exchange, length) == 0 && umx_text_equal(known->pairs[i].lync, colon + 1))
            return &known->pairs[i];
    }
    return NULL;
}

static int select_pairs(const struct umx_args *args, const Umx__World *world, struct umx_arena *arena,
                        struct selection *out, struct umx_error *err)
{
    const char *text;
    size_t count = 0;

    out->pairs = umx_phase_pairs(world, arena, &out->pair_count);
    while (umx_args_nth(args, "--pair", count) != NULL)
        count++;
    if (count == 0)
        return 0;
    struct umx_pair *wanted = umx_arena_alloc(arena, count * sizeof *wanted);
    if (wanted == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "--pair", NULL);
    for (size_t i = 0; (text = umx_args_nth(args, "--pair", i)) != NULL; i++) {
        const struct umx_pair *pair = known_pair(out, text);
        if (pair == NULL)
            return umx_fail(err, UMX_ERR_PAIR_UNKNOWN, text, NULL);
        wanted[i] = *pair;
    }
    out->pairs = wanted;
    out->pair_count = count;
    return 0;
}

/* A forest that was not read when the world was saved makes the answer partial, here as with a controller. */
static int warn_unread(struct umx_cli *cli, const Umx__World *world, struct umx_document *document,
                       struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < world->n_forest; i++) {
        if (world->forest[i]->error == NULL)
            continue;
        json_t *body =
            json_pack("{s:s,s:s?,s:s,s:s,s:i}", "id", "UMX-1201", "what", world->forest[i]->forest, "why",
                      world->forest[i]->error, "remedy", "its findings are unknown; save the world again when it is",
                      "status", UMX_E_UNREACHABLE);
        umx_progress_problem(cli, "warning", body);
        status = umx_document_event(document, UMX__RUN_EVENT__KIND__WARNING, "warning", body, err);
    }
    return status;
}

static int add_findings(const struct umx_findings *findings, struct umx_document *document, struct umx_error *err)
{
    json_int_t counts[UMX__FINDING__STATUS__NOT_APPLICABLE + 1] = {0};
    int status = 0;

    for (size_t i = 0; status == 0 && i < findings->count; i++) {
        if ((size_t)findings->items[i]->status < sizeof counts / sizeof counts[0])
            counts[findings->items[i]->status]++;
        status = umx_document_message(document, "findings", &findings->items[i]->base, err);
    }
    if (status != 0)
        return status;
    return umx_document_set(document, "counts",
                            json_pack("{s:I,s:I,s:I,s:I,s:I}", "pass", counts[UMX__FINDING__STATUS__PASS], "warn",
                                      counts[UMX__FINDING__STATUS__WARN], "fail", counts[UMX__FINDING__STATUS__FAIL],
                                      "unknown", counts[UMX__FINDING__STATUS__UNKNOWN], "not_applicable",
                                      counts[UMX__FINDING__STATUS__NOT_APPLICABLE]),
                            err);
}

int umx_findings_of_file(struct umx_cli *cli, const char *path, const struct umx_args *args,
                         struct umx_document *document, struct umx_error *err)
{
    struct umx_world *world = NULL;
    struct umx_arena *arena = umx_arena_new(FINDINGS_CAP);
    struct umx_findings findings = {.arena = arena};
    struct umx_options options = {0};
    struct selection selection = {0};
    const char **texts = NULL;
    int status = umx_document_open(document, "check", err);

    if (status == 0 && arena == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    while (umx_args_nth(args, "--set", options.count) != NULL)
        options.count++;
    if (status == 0 && options.count > 0) {
        texts = umx_arena_alloc(arena, options.count * sizeof *texts);
        if (texts == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, path, NULL);
        for (size_t i = 0; texts != NULL && i < options.count; i++)
            texts[i] = umx_args_nth(args, "--set", i);
        options.texts = texts;
    }
    if (status == 0)
        status = select_phases(args, &selection, err);
    if (status == 0)
        status = umx_world_load(path, &world, err);
    if (status == 0)
        status = select_pairs(args, umx_world_records(world), arena, &selection, err);
    if (status == 0)
        status = warn_unread(cli, umx_world_records(world), document, err);
    if (status == 0)
        status = umx_phases_check(umx_world_records(world), selection.phases, selection.phase_count, selection.pairs,
                                  selection.pair_count, &options, &findings, err);
    if (status == 0 && umx_selects_certificates(selection.phases, selection.phase_count))
        umx_cert_check_own(umx_world_records(world), &findings);
    if (status == 0 && findings.failed)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, path, NULL);
    if (status == 0)
        status = add_findings(&findings, document, err);
    umx_world_free(world);
    umx_arena_free(arena);
    return status;
}

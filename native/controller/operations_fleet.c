/* Operations that look: status, agents, check, proposals of rows, snapshot, grants. */
#include "controller/operations.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "controller/drift.h"
#include "controller/engine.h"
#include "controller/fleet.h"
#include "controller/grants.h"
#include "controller/observer.h"
#include "controller/refusals.h"
#include "controller/report_findings.h"
#include "phases/certificates.h"
#include "phases/phases.h"

/* Each forest that could not be read is said aloud, by name; the rest of the answer stands. */
static int warn_unread(struct umx_operation *operation, const Umx__World *records, struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < records->n_forest; i++) {
        const Umx__Forest *forest = records->forest[i];
        struct umx_error warning = {0};
        int id = 0;
        if (forest->error == NULL)
            continue;
        const char *why = strchr(forest->error, ' ');
        sscanf(forest->error, "UMX-%d", &id);
        umx_fail(&warning, id > 0 ? (enum umx_error_id)id : UMX_ERR_FOREST_UNREACHABLE, forest->forest, "%s",
                 why != NULL ? why + 1 : forest->error);
        status = umx_operation_warn(operation, &warning, err);
    }
    return status;
}

/* Of the tables that these phases read (count 0: all phases that take rows) what could not be read whole. */
static int warn_incomplete(struct umx_operation *operation, const Umx__World *records,
                           const struct umx_phase *const *phases, size_t count, struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; i < records->n_forest; i++)
        for (size_t k = 0; status == 0 && k < records->forest[i]->n_incomplete; k++) {
            const char *line = records->forest[i]->incomplete[k];
            struct umx_error warning = {0};
            bool wanted = false;
            for (size_t p = 0; !wanted && p < (count > 0 ? count : UMX_PHASE_COUNT); p++) {
                const struct umx_phase *phase = count > 0 ? phases[p] : &umx_phases()[p];
                wanted = phase->propose != NULL &&
                         (umx_word_in(umx_or_empty(phase->exchange_tables), line, strcspn(line, ":")) ||
                          umx_word_in(umx_or_empty(phase->lync_tables), line, strcspn(line, ":")));
            }
            if (!wanted)
                continue;
            umx_fail(&warning, UMX_ERR_PLAN_WORLD_INCOMPLETE, records->forest[i]->forest, "%s", line);
            status = umx_operation_warn(operation, &warning, err);
        }
    return status;
}

/* ---- check */

struct selection {
    const struct umx_phase *phases[UMX_PHASE_COUNT];
    size_t phase_count;
    const struct umx_pair *pairs;
    size_t pair_count;
};

static int select_phases(char *const *slugs, size_t count, struct selection *out, struct umx_error *err)
{
    for (size_t i = 0; i < (count > 0 ? count : UMX_PHASE_COUNT); i++) {
        const struct umx_phase *phase = count > 0 ? umx_phase(slugs[i]) : &umx_phases()[i];
        if (phase == NULL)
            return umx_fail(err, UMX_ERR_PHASE_UNKNOWN, slugs[i], NULL);
        if (count == 0 && phase->check == NULL)
            continue;
        if (out->phase_count == UMX_PHASE_COUNT)
            return umx_fail(err, UMX_ERR_PHASE_UNKNOWN, slugs[i], "more phases than there are");
        out->phases[out->phase_count++] = phase;
    }
    return 0;
}

static int select_pairs(char *const *texts, size_t count, const Umx__World *records, struct umx_arena *arena,
                        struct selection *out, struct umx_error *err)
{
    size_t known;
    const struct umx_pair *all = umx_phase_pairs(records, arena, &known);
    struct umx_pair *wanted = umx_arena_alloc(arena, (count + 1) * sizeof *wanted);

    out->pairs = all;
    out->pair_count = known;
    if (count == 0)
        return 0;
    if (wanted == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "pairs", NULL);
    for (size_t i = 0; i < count; i++) {
        const char *colon = strchr(texts[i], ':');
        char *exchange = umx_arena_copy(arena, texts[i], colon != NULL ? (size_t)(colon - texts[i]) : 0);
        bool found = false;
        for (size_t k = 0; !found && colon != NULL && exchange != NULL && k < known; k++) {
            found = umx_text_equal(all[k].exchange, exchange) && umx_text_equal(all[k].lync, colon + 1);
            if (found)
                wanted[i] = all[k];
        }
        if (!found)
            return umx_fail(err, UMX_ERR_PAIR_UNKNOWN, texts[i], NULL);
    }
    out->pairs = wanted;
    out->pair_count = count;
    return 0;
}

/* Forests of the pairs asked for, by their names in the configuration: the others need not be read. *names is NULL when
 * no pair is named. */
static int forests_of_pairs(const struct umx_operation *operation, char *const *texts, size_t count, char ***names,
                            size_t *name_count, struct umx_error *err)
{
    *names = NULL;
    *name_count = 0;
    if (count == 0)
        return 0;
    *names = umx_arena_alloc(operation->arena, 2 * count * sizeof **names);
    for (size_t i = 0; *names != NULL && i < 2 * count; i++) {
        const char *text = texts[i / 2], *colon = strchr(text, ':');
        const char *name = colon == NULL ? NULL
                           : i % 2 == 0  ? umx_arena_copy(operation->arena, text, (size_t)(colon - text))
                                         : colon + 1;
        const struct umx_forest_config *forest =
            name != NULL ? umx_config_forest(operation->controller->config, name) : NULL;
        bool there = false;
        if (forest == NULL)
            return umx_fail(err, UMX_ERR_PAIR_UNKNOWN, text, NULL);
        for (size_t k = 0; k < *name_count; k++)
            there = there || strcmp((*names)[k], forest->name) == 0;
        if (!there)
            (*names)[(*name_count)++] = forest->name;
    }
    return *names != NULL ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, "pairs", NULL);
}

/* A fresh reading of the forests of these pairs (all when none is named), and the pairs and problems in it. */
static int observe_pairs(struct umx_operation *operation, char *const *texts, size_t count, struct umx_world **world,
                         struct selection *selection, struct umx_error *err)
{
    char **names;
    size_t name_count;
    int status = forests_of_pairs(operation, texts, count, &names, &name_count, err);

    if (status == 0)
        status = umx_operation_progress(operation, "reading the forests", 0, 0, err);
    if (status == 0)
        status =
            umx_observe(operation->controller->observer, names, name_count, umx_operation_left(operation), world, err);
    if (status == 0)
        status = select_pairs(texts, count, umx_world_records(*world), operation->arena, selection, err);
    return status == 0 ? warn_unread(operation, umx_world_records(*world), err) : status;
}

/* The findings once more, as the file that was asked for. */
static int send_report(struct umx_operation *operation, const char *format, const struct umx_report_findings *report,
                       struct umx_error *err)
{
    struct umx_text text = {0};

    if (strcmp(format, "html") == 0)
        umx_report_findings_html(report, operation->arena, &text);
    else
        umx_report_findings_csv(report, &text);
    int status = umx_operation_parts(operation, format, &text, err);
    umx_text_free(&text);
    return status;
}

int umx_operation_check(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__CheckArguments *arguments = (const Umx__CheckArguments *)operation->arguments;
    struct umx_findings findings = {.arena = operation->arena};
    const struct umx_options options = {.texts = (const char *const *)arguments->set, .count = arguments->n_set};
    struct selection selection = {0};
    struct umx_world *world = NULL;
    int64_t counts[8] = {0};
    const char *format = arguments->format;
    int status = 0;

    if (format != NULL && strcmp(format, "html") != 0 && strcmp(format, "csv") != 0)
        status = umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "format", "`%s` is neither html nor csv", format);
    if (status == 0)
        status = select_phases(arguments->phase, arguments->n_phase, &selection, err);
    if (status == 0)
        status = observe_pairs(operation, arguments->pair, arguments->n_pair, &world, &selection, err);
    if (status == 0)
        status = umx_phases_check(umx_world_records(world), selection.phases, selection.phase_count, selection.pairs,
                                  selection.pair_count, &options, &findings, err);
    if (status == 0 && umx_selects_certificates(selection.phases, selection.phase_count))
        umx_cert_check_own(umx_world_records(world), &findings);
    if (status == 0 && findings.failed)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "findings", NULL);
    for (size_t i = 0; status == 0 && i < findings.count; i++) {
        if (findings.items[i]->status >= 1 && findings.items[i]->status <= 5)
            counts[findings.items[i]->status]++;
        status = umx_operation_item(operation, "findings", &findings.items[i]->base, err);
    }
    if (status == 0 && format != NULL)
        status = send_report(operation, format,
                             &(struct umx_report_findings){
                                 .deployment = operation->controller->deployment,
                                 .world = umx_world_records(world),
                                 .phases = selection.phases,
                                 .phase_count = selection.phase_count,
                                 .pairs = selection.pairs,
                                 .pair_count = selection.pair_count,
                                 .findings = &findings,
                                 .made_at = umx_clock_now(),
                             },
                             err);
    if (status == 0) {
        struct umx_text json = {0};
        umx_text_addf(&json, "{\"pass\":%lld,\"warn\":%lld,\"fail\":%lld,\"unknown\":%lld,\"not_applicable\":%lld}",
                      (long long)counts[1], (long long)counts[2], (long long)counts[3], (long long)counts[4],
                      (long long)counts[5]);
        umx_operation_end_json(operation, "counts", umx_text_string(&json));
        umx_text_free(&json);
    }
    umx_world_free(world);
    return status;
}

/* ---- plan.template: rows that an administrator would decide, as items of the tables of Input */

static int send_rows(struct umx_operation *operation, const Umx__Input *input, struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < input->n_dial_plan; i++)
        status = umx_operation_item(operation, "dial_plan", &input->dial_plan[i]->base, err);
    for (size_t i = 0; status == 0 && i < input->n_auto_attendant; i++)
        status = umx_operation_item(operation, "auto_attendant", &input->auto_attendant[i]->base, err);
    for (size_t i = 0; status == 0 && i < input->n_user; i++)
        status = umx_operation_item(operation, "user", &input->user[i]->base, err);
    for (size_t i = 0; status == 0 && i < input->n_contact; i++)
        status = umx_operation_item(operation, "contact", &input->contact[i]->base, err);
    return status;
}

int umx_operation_plan_template(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__PlanTemplateArguments *arguments = (const Umx__PlanTemplateArguments *)operation->arguments;
    const struct umx_options options = {.texts = (const char *const *)arguments->set, .count = arguments->n_set};
    struct umx_proposal proposal = {.arena = operation->arena};
    struct selection selection = {0};
    struct umx_world *world = NULL;
    int status = arguments->n_phase > 0 ? select_phases(arguments->phase, arguments->n_phase, &selection, err) : 0;

    /* A phase that takes no rows is refused before the forests are read. */
    for (size_t i = 0; status == 0 && i < selection.phase_count; i++)
        if (selection.phases[i]->propose == NULL)
            status = umx_fail(err, UMX_ERR_PHASE_NO_ROWS, selection.phases[i]->slug, NULL);
    if (status == 0)
        status = observe_pairs(operation, arguments->pair, arguments->n_pair, &world, &selection, err);
    if (status == 0)
        status =
            umx_phases_propose(umx_world_records(world), arguments->n_phase > 0 ? selection.phases : NULL,
                               selection.phase_count, selection.pairs, selection.pair_count, &options, &proposal, err);
    if (status == 0)
        status = warn_incomplete(operation, umx_world_records(world), selection.phases, selection.phase_count, err);
    if (status == 0)
        status = send_rows(operation, proposal.input, err);
    umx_world_free(world);
    return status;
}

/* ---- status */

static void add_time(struct umx_text *json, const char *name, bool has, int64_t at)
{
    char text[UMX_CLOCK_TEXT];

    umx_text_addf(json, ",\"%s\":", name);
    if (has)
        umx_text_addf(json, "\"%s\"", umx_clock_format(at, text));
    else
        umx_text_adds(json, "null");
}

/* One object of "pairs": a pair and the state of each phase. */
static int status_pair(struct umx_operation *operation, const struct umx_pair *pair, const Umx__World *records,
                       struct umx_error *err)
{
    struct umx_text json = {0};
    struct umx_options options = {0};
    int status = 0;

    umx_text_adds(&json, "{\"exchange\":");
    umx_reflect_json_string(&json, pair->exchange);
    umx_text_adds(&json, ",\"lync\":");
    umx_reflect_json_string(&json, pair->lync);
    umx_text_adds(&json, ",\"phases\":[");
    for (size_t i = 0; status == 0 && i < UMX_PHASE_COUNT; i++) {
        const struct umx_phase *phase = &umx_phases()[i];
        struct umx_findings findings = {.arena = operation->arena};
        char word[24];
        status = umx_phases_check(records, &phase, 1, pair, 1, &options, &findings, err);
        Umx__PhaseState *state = status == 0 ? umx_phase_state(phase, pair, &findings, operation->arena) : NULL;
        if (status != 0 || state == NULL)
            break;
        status = umx_drift_apply(operation->controller, records, &findings, state, operation->arena, err);
        if (status != 0)
            break;
        umx_text_addf(&json, "%s{\"slug\":\"%s\",\"state\":\"%s\",\"fail\":%d,\"warn\":%d,\"unknown\":%d",
                      i > 0 ? "," : "", phase->slug,
                      umx_reflect_word(&umx__phase_state__state__descriptor, (int)state->state, word), state->fail,
                      state->warn, state->unknown);
        add_time(&json, "done_at", state->has_done_at, state->done_at);
        add_time(&json, "drifted_at", state->has_drifted_at, state->drifted_at);
        umx_text_adds(&json, ",\"drift\":");
        if (state->drift != NULL)
            umx_reflect_json_string(&json, state->drift);
        else
            umx_text_adds(&json, "null");
        umx_text_adds(&json, "}");
    }
    umx_text_adds(&json, "]}");
    if (status == 0)
        status = umx_operation_item_json(operation, "pairs", umx_text_string(&json), err);
    umx_text_free(&json);
    return status;
}

/* Since the controller started: handshakes that TLS refused, connections above an address's limit, and what was refused
 * by name, which the journal has. */
static void add_refused(struct umx_operation *operation)
{
    struct umx_controller *controller = operation->controller;
    struct umx_text json = {0};

    umx_text_addf(&json, "{\"handshakes\":%lld,\"connections\":%lld,\"requests\":%lld}",
                  (long long)umx_rpc_server_refused(controller->agents), (long long)umx_rpc_connections_refused(),
                  (long long)umx_refusals_count(controller->refusals));
    umx_operation_end_json(operation, "refused", umx_text_string(&json));
    umx_text_free(&json);
}

int umx_operation_status(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_world *world = NULL;
    size_t pairs;
    int connected = 0;
    int status = umx_observe_stored(operation->controller->observer, &world, err);

    if (status == 0 && umx_world_records(world)->n_forest == 0) {
        umx_world_free(world);
        status = umx_observe(operation->controller->observer, NULL, 0, umx_operation_left(operation), &world, err);
    }
    if (status != 0)
        return status;
    const Umx__World *records = umx_world_records(world);
    const struct umx_pair *all = umx_phase_pairs(records, operation->arena, &pairs);
    status = warn_unread(operation, records, err);
    for (size_t i = 0; status == 0 && i < records->n_forest; i++)
        status = umx_operation_item(operation, "forests", &records->forest[i]->base, err);
    for (size_t i = 0; status == 0 && i < pairs; i++)
        status = status_pair(operation, &all[i], records, err);
    struct umx_findings own = {.arena = operation->arena};
    umx_cert_check_own(records, &own);
    for (size_t i = 0; status == 0 && i < own.count; i++)
        if (own.items[i]->status != UMX__FINDING__STATUS__PASS)
            status = umx_operation_item(operation, "certificates", &own.items[i]->base, err);
    for (size_t i = 0; i < records->n_agent; i++)
        connected += strcmp(records->agent[i]->state, "connected") == 0;
    struct umx_text json = {0};
    umx_text_addf(&json, "{\"connected\":%d,\"silent\":%d}", connected, (int)records->n_agent - connected);
    umx_operation_end_json(operation, "agents", umx_text_string(&json));
    umx_text_free(&json);
    add_refused(operation);
    umx_world_free(world);
    return status;
}

int umx_operation_agents(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_world *world = umx_world_new(umx_clock_now());
    int status = world == NULL ? umx_fail(err, UMX_ERR_MEMORY, "agents", NULL)
                               : umx_fleet_agents(operation->controller->fleet, world, err);

    for (size_t i = 0; status == 0 && i < umx_world_records(world)->n_agent; i++)
        status = umx_operation_item(operation, "agents", &umx_world_records(world)->agent[i]->base, err);
    umx_world_free(world);
    return status;
}

/* ---- snapshot: items {"table","record"} of a fresh world */

int umx_operation_snapshot(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_world *world = NULL;
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    char at[UMX_CLOCK_TEXT];
    int status = umx_observe(operation->controller->observer, NULL, 0, umx_operation_left(operation), &world, err);

    if (status != 0)
        return status;
    const Umx__World *records = umx_world_records(world);
    status = warn_unread(operation, records, err);
    for (size_t t = 0; status == 0 && t < tables; t++) {
        size_t count;
        if (all[t].derived)
            continue;
        ProtobufCMessage **items = umx_world_table(records, &all[t], &count);
        for (size_t i = 0; status == 0 && i < count; i++) {
            struct umx_text json = {0};
            umx_text_addf(&json, "{\"table\":\"%s\",\"record\":", all[t].name);
            umx_reflect_json(items[i], &json);
            umx_text_adds(&json, "}");
            status = umx_operation_item_json(operation, "records", umx_text_string(&json), err);
            umx_text_free(&json);
        }
    }
    umx_operation_end_string(operation, "taken_at", umx_clock_format(records->taken_at, at));
    umx_operation_end_string(operation, "deployment", operation->controller->deployment);
    umx_world_free(world);
    return status;
}

int umx_operation_grants(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__GrantsArguments *arguments = (const Umx__GrantsArguments *)operation->arguments;
    const char *name = arguments->forest != NULL ? arguments->forest : "";
    const struct umx_forest_config *forest = umx_config_forest(operation->controller->config, name);
    struct umx_world *world = NULL;
    Umx__Grant **grants = NULL;
    size_t count = 0;

    if (forest == NULL)
        return umx_fail(err, UMX_ERR_FOREST_UNKNOWN, name, NULL);
    int status = umx_observe_stored(operation->controller->observer, &world, err);
    if (status == 0)
        status = umx_grants(forest, umx_world_records(world), operation->arena, &grants, &count, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_operation_item(operation, "grants", &grants[i]->base, err);
    umx_world_free(world);
    return status;
}

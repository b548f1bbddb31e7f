/*
 * Confirming a gate: its checks pass, what it asked for is given, and what it promises can be seen or is vouched for.
 */
#include <jansson.h>
#include <string.h>

#include "controller/verb.h"
#include "phases/phases.h"

enum { VALUES_BYTES_MAX = 64 * 1024, VALUE_NAME_MAX = 64 };

/* ---- checks */

/* Runs the checks that the gate names over a fresh reading. */
static int check_gate(const struct umx_verb *v, const Umx__PlanStep *step, bool commented)
{
    const Umx__Plan *plan = v->plan->plan;
    const Umx__GateChange *gate = step->change->gate;
    const struct umx_phase *phase = umx_phase(step->phase != NULL ? step->phase : "");
    struct umx_world *world = NULL;
    struct umx_arena *arena = umx_arena_new(UMX_WORK_ARENA);
    struct umx_findings findings = {.arena = arena};
    const struct umx_options options = {
        .texts = (const char *const *)plan->option, .count = plan->n_option, .input = plan->input};
    struct umx_pair *pairs = arena != NULL ? umx_arena_alloc(arena, (plan->n_pair + 1) * sizeof *pairs) : NULL;

    if (gate == NULL || gate->n_check == 0 || phase == NULL || pairs == NULL) {
        bool unchecked = gate != NULL && gate->n_check > 0; /* it names checks, and nobody can run them */
        umx_arena_free(arena);
        return unchecked ? umx_fail(v->err, UMX_ERR_INTERNAL, step->id, "its checks cannot be run") : 0;
    }
    for (size_t i = 0; i < plan->n_pair; i++)
        pairs[i] = (struct umx_pair){plan->pair[i]->exchange, plan->pair[i]->lync};
    pthread_mutex_unlock(&v->engine->mutex);
    int status = v->engine->ports.read_world(v->engine->ports.user, (const char *const *)plan->forest, plan->n_forest,
                                             NULL, &world, v->err);
    if (status == 0)
        status =
            umx_phases_check(umx_world_records(world), &phase, 1, pairs, plan->n_pair, &options, &findings, v->err);
    pthread_mutex_lock(&v->engine->mutex);
    for (size_t i = 0; status == 0 && i < findings.count; i++) {
        const Umx__Finding *finding = findings.items[i];
        bool named = false;
        for (size_t k = 0; k < gate->n_check; k++)
            named = named || strcmp(gate->check[k], finding->id) == 0;
        bool bad = finding->status == UMX__FINDING__STATUS__FAIL ||
                   (finding->status == UMX__FINDING__STATUS__UNKNOWN && !commented);
        if (named && bad)
            status = umx_fail(v->err, UMX_ERR_GATE_CHECK_FAILED, finding->id, "%s: expected %s, found %s",
                              finding->target != NULL ? finding->target : "",
                              finding->expected != NULL ? finding->expected : "",
                              finding->actual != NULL ? finding->actual : "");
    }
    umx_world_free(world);
    umx_arena_free(arena);
    return status;
}

/* ---- values */

/* The name's length; 0 when it is no name. References are written in the same letters. */
static size_t name_of(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");

    return text[length] == '=' && length <= VALUE_NAME_MAX ? length : 0;
}

/* NAME=TEXT as a JSON object of strings; *json is NULL when nothing was given, freed by the caller. */
static int read_values(const Umx__PlanConfirmArguments *arguments, char **json, struct umx_error *err)
{
    json_t *object = json_object();
    size_t bytes = 0;
    int status = object == NULL ? umx_fail(err, UMX_ERR_MEMORY, "value", NULL) : 0;

    *json = NULL;
    for (size_t i = 0; status == 0 && i < arguments->n_value; i++) {
        const char *text = arguments->value[i];
        size_t length = name_of(text);
        char name[VALUE_NAME_MAX + 1];
        bytes += strlen(text);
        if (length == 0) {
            status = umx_fail(err, UMX_ERR_GATE_VALUE, "value", "`%.60s` is not NAME=TEXT", text);
            break;
        }
        memcpy(name, text, length);
        name[length] = '\0';
        json_t *value = json_string(text + length + 1); /* NULL: it is not UTF-8 */
        if (value == NULL)
            status = umx_fail(err, UMX_ERR_GATE_VALUE, name, "it is not valid UTF-8");
        else if (json_object_get(object, name) != NULL)
            status = umx_fail(err, UMX_ERR_GATE_VALUE, name, "it is given twice");
        else if (bytes > VALUES_BYTES_MAX)
            status = umx_fail(err, UMX_ERR_GATE_VALUE, name, "the values have more than %d bytes", VALUES_BYTES_MAX);
        else if (json_object_set(object, name, value) != 0)
            status = umx_fail(err, UMX_ERR_MEMORY, name, NULL);
        json_decref(value);
    }
    if (status == 0 && arguments->n_value > 0) {
        *json = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
        if (*json == NULL)
            status = umx_fail(err, UMX_ERR_MEMORY, "value", NULL);
    }
    json_decref(object);
    return status;
}

/* ---- confirming */

/* After the confirmation the promise is verified; what nobody can see then is believed when a comment vouches for it.
 */
static int check_promise(const struct umx_verb *v, const struct umx_step_state *step, bool commented)
{
    struct umx_arena *arena = umx_arena_new(UMX_WORK_ARENA);
    struct umx_promise_reading reading = {0};
    Umx__PlanStep *copy = NULL;

    if (arena == NULL)
        return umx_fail(v->err, UMX_ERR_MEMORY, step->step->id, NULL);
    int status = umx_references_resolve(v->plan, step->step, arena, &copy, v->err);
    if (status == 0 && !commented && umx_promise_has(copy)) {
        pthread_mutex_unlock(&v->engine->mutex);
        status = umx_promise_places(v->engine, copy, arena, &reading, v->err);
        pthread_mutex_lock(&v->engine->mutex);
        if (status == 0 && reading.blind_count > 0)
            status = umx_fail(v->err, UMX_ERR_GATE_UNOBSERVABLE, step->step->id, "%s", umx_text_string(&reading.blind));
        umx_promise_forget(&reading);
    }
    umx_arena_free(arena);
    return status;
}

static int record(const struct umx_verb *v, const struct umx_step_state *step, const char *comment, char *values)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    char id[32];
    struct umx_text detail = {0};

    umx_text_copy(id, sizeof id, step->step->id);
    if (comment != NULL)
        umx_text_adds(&detail, comment);
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__CONFIRMED;
    entry.step = id;
    entry.detail = detail.data;
    entry.result = values;
    int status = detail.failed ? umx_fail(v->err, UMX_ERR_MEMORY, id, NULL)
                               : umx_engine_append(v->engine, v->plan, &entry, umx_verb_actor(v), v->err);
    umx_text_free(&detail);
    return status;
}

static int check_confirmable(const struct umx_verb *v, const struct umx_step_state *step,
                             const Umx__PlanConfirmArguments *arguments)
{
    if (!step->waits || step->state != UMX__PLAN_STEP__STATE__INTENDED)
        return umx_fail(v->err, UMX_ERR_STEP_NOT_CONFIRMABLE, step->step->id, NULL);
    if (arguments->n_value > 0 && step->step->kind != UMX__CHANGE__KIND__GATE)
        return umx_fail(v->err, UMX_ERR_GATE_VALUE, step->step->id, "it is no gate: it asks for nothing");
    if (v->plan->base != UMX__PLAN_SUMMARY__STATE__RUNNING && v->plan->base != UMX__PLAN_SUMMARY__STATE__SUSPENDED)
        return umx_engine_wrong_state(v->engine, v->plan, "running or suspended", v->err);
    /* Only a forest's own administrators know that something was done in it. */
    if (!umx_text_equal(v->caller->identity->forest, step->step->forest))
        return umx_fail(v->err, UMX_ERR_APPROVER_NOT_OF_FOREST, step->step->id,
                        "the step is of %s, and %s was vouched for by %s", step->step->forest, v->caller->identity->uri,
                        v->caller->identity->forest);
    return 0;
}

static int confirm(struct umx_verb *v)
{
    const Umx__PlanConfirmArguments *arguments = v->arguments;
    struct umx_step_state *step = umx_states_step(v->plan, arguments->step);
    bool commented = arguments->comment != NULL && arguments->comment[0] != '\0';
    char *values = NULL;

    if (step == NULL)
        return umx_fail(v->err, UMX_ERR_STEP_UNKNOWN, arguments->step != NULL ? arguments->step : v->plan->name, NULL);
    if (umx_states_open(step) && v->plan->run == NULL)
        return umx_verb_vouch(v, step);
    int status = check_confirmable(v, step, arguments);
    /* What a wait waits for can be seen: who says it need not be waited for (calls, a pool that is not ready) says why.
     */
    if (status == 0 && step->step->kind == UMX__CHANGE__KIND__WAIT && umx_promise_has(step->step) && !commented)
        status = umx_fail(v->err, UMX_ERR_REASON_MISSING, step->step->id,
                          "it waits for what can be seen, and would end without it");
    if (status == 0)
        status = read_values(arguments, &values, v->err);
    if (status == 0 && step->step->kind == UMX__CHANGE__KIND__GATE)
        status = umx_gate_values_check(v->plan, step->step, values, v->err);
    if (status == 0)
        status = check_gate(v, step->step, commented);
    if (status == 0 && step->step->kind == UMX__CHANGE__KIND__GATE)
        status = check_promise(v, step, commented);
    if (status == 0) /* looking took its time: it may have been confirmed, or come true, since */
        status = check_confirmable(v, step, arguments);
    if (status == 0)
        status = record(v, step, arguments->comment, values);
    free(values);
    return status;
}

int umx_engine_confirm(struct umx_engine *engine, const Umx__PlanConfirmArguments *arguments,
                       const struct umx_engine_caller *caller, struct umx_error *err)
{
    return umx_verb_run(engine, arguments->name, caller, arguments, confirm, err);
}

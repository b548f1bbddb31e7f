/*
 * Is the journal what it was? Its chain, the head that was kept in state.db and with the agents, and the signatures of
 * the approvals in it.
 */
#include <string.h>

#include "base/statement.h"
#include "controller/engine_private.h"
#include "rpc/signature.h"

struct signatures {
    const char *deployment;
    int64_t first_bad;
};

/* The chain shows that an entry is what was written; the signature shows that it was the operator who decided. */
static int check_entry(void *user, const Umx__Journal *entry)
{
    struct signatures *signatures = user;
    const Umx__Approval *approval = entry->approval;
    struct umx_text text = {0};
    struct umx_error why = {0};

    if (entry->kind != UMX__JOURNAL__KIND__APPROVAL || approval == NULL || signatures->first_bad != 0)
        return 0;
    const struct umx_statement statement = {
        .deployment = signatures->deployment,
        .plan_hash = approval->plan_hash,
        .forest = approval->forest,
        .decision = approval->decision,
        .expires_at = approval->has_expires_at ? approval->expires_at : 0,
        .ticket = approval->ticket,
        .comment = approval->comment,
    };
    if (umx_statement_write(&statement, &text, &why) != 0 ||
        umx_signature_verify(approval->certificate.data, approval->certificate.len, text.data, text.length,
                             approval->signature.data, approval->signature.len, &why) != 0)
        signatures->first_bad = entry->sequence;
    umx_text_free(&text);
    return 0;
}

/* ---- what agents were told */

static void found(int64_t *first_bad, int64_t sequence)
{
    if (*first_bad == 0 || sequence < *first_bad)
        *first_bad = sequence;
}

static int check_witness(struct umx_engine *engine, const struct umx_engine_witness *witness,
                         const struct umx_journal_head *head, int64_t *first_bad, struct umx_text *lines,
                         struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_WORK_ARENA);
    Umx__Journal **entries = NULL;
    size_t count = 0;
    struct umx_text told = {0};
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "journal", NULL) : 0;

    if (status == 0 && witness->head.sequence > head->sequence) {
        umx_text_addf(lines, "%s was told of entry %lld, the newest here is %lld: the end is cut off\n",
                      witness->server, (long long)witness->head.sequence, (long long)head->sequence);
        found(first_bad, head->sequence + 1);
    } else if (status == 0) {
        status = umx_journal_read(engine->journal, NULL, witness->head.sequence - 1, 1, arena, &entries, &count, err);
        umx_text_add_hex(&told, witness->head.hash, sizeof witness->head.hash);
        if (status == 0 && (count == 0 || entries[0]->sequence != witness->head.sequence || entries[0]->hash == NULL ||
                            strcmp(entries[0]->hash, umx_text_string(&told)) != 0)) {
            umx_text_addf(lines, "%s was told of another entry %lld than the one here: the journal was written anew\n",
                          witness->server, (long long)witness->head.sequence);
            found(first_bad, witness->head.sequence);
        }
    }
    umx_text_free(&told);
    umx_arena_free(arena);
    return status;
}

static int check_witnesses(struct umx_engine *engine, int64_t *first_bad, struct umx_text *lines, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_WORK_ARENA);
    struct umx_engine_witness *witnesses = NULL;
    struct umx_journal_head head;
    size_t count = 0;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "journal", NULL) : 0;

    if (status == 0 && engine->ports.witnesses != NULL)
        status = engine->ports.witnesses(engine->ports.user, arena, &witnesses, &count, err);
    umx_journal_head(engine->journal, &head);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = check_witness(engine, &witnesses[i], &head, first_bad, lines, err);
    umx_arena_free(arena);
    return status;
}

int umx_engine_verify(struct umx_engine *engine, int64_t *entries, bool *intact, int64_t *first_bad,
                      struct umx_text *lines, struct umx_error *err)
{
    struct signatures signatures = {engine->options.deployment, 0};
    struct umx_journal_head kept = {0};
    struct umx_text own = {0};
    int status = 0;

    *intact = false;
    *first_bad = 0;
    if (engine->ports.kept_head != NULL)
        status = engine->ports.kept_head(engine->ports.user, &kept, err);
    if (status == 0)
        status = umx_journal_verify(engine->journal, kept.sequence > 0 ? &kept : NULL, entries, first_bad, err);
    if (status == 0 && *first_bad == 0)
        status = umx_journal_each(engine->journal, NULL, 0, 0, check_entry, &signatures, err);
    if (status == 0 && *first_bad == 0)
        *first_bad = signatures.first_bad;
    if (status == 0)
        status = check_witnesses(engine, first_bad, lines != NULL ? lines : &own, err);
    umx_text_free(&own);
    *intact = status == 0 && *first_bad == 0;
    return status;
}

#include "cli/commands.h"

#define END                                                                                                            \
    {                                                                                                                  \
        0                                                                                                              \
    }

static const struct umx_option agents_options[] = {
    {"--watch", NULL, false, false, "stay, and show every change; ends with the interrupt key"},
    END,
};

static const struct umx_option update_options[] = {
    {"--package", "FILE", false, true, "the agent's package: a .deb or an .msi"},
    {"--signature", "FILE", false, false, "what packaging/sign-release made (PACKAGE.umxsig)"},
    {"--canary", "N", false, false, "servers of the first wave (1)"},
    {"--wave", "PERCENT", false, false, "of all servers, in each wave that follows (25)"},
    {"--trial", "SECONDS", false, false, "within which a new version must be back and have reported (600)"},
    {"--server", "NAME", true, false, "only this server; may be given more than once"},
    {"--downgrade", NULL, false, false, "also in the place of a newer version; the release has to be signed for it"},
    END,
};

static const struct umx_option package_options[] = {
    {"--out", "FILE", false, true, "write the package to this file; it is replaced only when it is complete"},
    END,
};

static const struct umx_option query_options[] = {
    {"--live", NULL, false, false, "ask the connected agents first, then answer"},
    {"--where", "CONDITION", false, false, "only these servers: a condition on the columns of the table `server`"},
    {"--timeout", "SECONDS", false, false, "the longest the query, or with --live the agents, may take (30)"},
    END,
};

static const struct umx_option save_options[] = {
    {"--description", "TEXT", false, false, "what it answers, for `umx query list`"},
    {"--replace", NULL, false, false, "in the place of the one that has the name"},
    END,
};

static const struct umx_option check_options[] = {
    {"--phase", "PHASE", true, false, "only this phase (see `umx phases`)"},
    {"--pair", "EXCHANGE:LYNC", true, false, "only this pair of forests"},
    {"--set", "PHASE.KEY=VALUE", true, false, "judge by an option of a phase (see `umx phases PHASE`)"},
    {"--snapshot", "FILE", false, false, "check a saved world, without any server"},
    {"--all", NULL, false, false, "list what passed and what does not apply too"},
    {"--html", NULL, false, false, "one page for a change ticket, complete in itself, instead of a list"},
    {"--out", "FILE", false, false, "write the page to this file; it is replaced only when it is complete"},
    END,
};

static const struct umx_option create_options[] = {
    {"--phase", "PHASE", true, true, "a phase to plan; they are planned in their order"},
    {"--pair", "EXCHANGE:LYNC", true, false, "only this pair of forests; without it all pairs"},
    {"--set", "PHASE.KEY=VALUE", true, false, "an option of a phase (see `umx phases PHASE`)"},
    {"--input", "FILE", true, false, "rows to carry out, JSON or CSV (see `umx plan template`)"},
    {"--table", "TABLE", false, false, "what the rows of a CSV file are, where its columns fit several tables"},
    {"--ticket", "TEXT", false, false, "number of the change in your own records"},
    {"--not-before", "TIME", false, false, "begin of the change window: 2026-01-31T22:00:00Z, or from now like 8h"},
    {"--not-after", "TIME", false, false, "end of the change window: no step is started later"},
    {"--max-failures", "N", false, false, "stop after this many failed steps"},
    END,
};

static const struct umx_option template_options[] = {
    {"--phase", "PHASE", true, false, "a phase that takes rows (see `umx phases`); without it all of them"},
    {"--pair", "EXCHANGE:LYNC", true, false, "only this pair of forests; without it all pairs"},
    {"--set", "PHASE.KEY=VALUE", true, false, "an option of a phase (see `umx phases PHASE`)"},
    {"--table", "TABLE", false, false, "only these rows: dial_plan, auto_attendant, user or contact"},
    {"--separator", "CHAR", false, false, "between the cells of CSV: , (default), or ; where Excel wants that"},
    END,
};

static const struct umx_option export_options[] = {
    {"--html", NULL, false, false, "one page for a change ticket, complete in itself, instead of JSON"},
    {"--out", "FILE", false, false, "write to this file; it is replaced only when it is complete"},
    END,
};

static const struct umx_option show_options[] = {
    {"--diff", NULL, false, false, "each step's change, value by value, access entries in SDDL"},
    END,
};

static const struct umx_option approve_options[] = {
    {"--forest", "FOREST", false, true, "the forest you approve for: the one whose CA vouched for you"},
    {"--expires", "TIME", false, false, "end of the approval, from now like 8h (default) or as a time"},
    {"--ticket", "TEXT", false, false, "number of the change in your own records"},
    {"--comment", "TEXT", false, false, "a comment, signed with the approval"},
    {"--hash", "HASH", false, false, "the plan that was reviewed: any other is refused"},
    {"--break-glass", NULL, false, false, "approve without the groups; needs --comment; loud in the journal"},
    END,
};

static const struct umx_option decision_options[] = {
    {"--forest", "FOREST", false, true, "the forest you decide for"},
    {"--ticket", "TEXT", false, false, "number of the change in your own records"},
    {"--comment", "TEXT", false, false, "the reason, signed with the decision"},
    {"--hash", "HASH", false, false, "the plan that was reviewed: any other is refused"},
    END,
};

static const struct umx_option start_options[] = {
    {"--phase", "PHASE", true, false, "only the steps of this phase"},
    END,
};

static const struct umx_option confirm_options[] = {
    {"--comment", "TEXT", false, false, "what was done; needed over a check that is unknown"},
    {"--value", "NAME=TEXT", true, false, "what the gate asks for, as a text"},
    {"--file", "NAME=PATH", true, false, "the same, the content of a file: an issued certificate"},
    END,
};

static const struct umx_option undo_options[] = {
    {"--to-phase", "PHASE", false, false, "undo only the phases after this one"},
    {"--name", "NAME", false, false, "name of the undo plan (default NAME-undo)"},
    END,
};

static const struct umx_option audit_options[] = {
    {"--plan", "NAME", false, false, "only the entries of this plan"},
    {"--after", "NUMBER", false, false, "entries from after this one on, instead of the newest ones"},
    {"--limit", "NUMBER", false, false, "at most this many entries (default 10000)"},
    END,
};

static const struct umx_option token_options[] = {
    {"--fqdn", "NAME", false, false, "the one server it is for"},
    {"--pattern", "PATTERN", false, false, "instead: servers of this name; one * in the first label"},
    {"--forest", "FOREST", false, true, "the forest that the servers are in"},
    {"--expires", "WHEN", false, false, "its end: a duration (8h) or a time (default 24h, 30d at most)"},
    {"--uses", "N", false, false, "how many servers may use it (default 1)"},
    {"--out", "FILE", false, false, "write the token to this file, readable by you alone, instead of showing it"},
    END,
};

static const struct umx_option key_options[] = {
    {"--key", "FINGERPRINT", false, true, "the new key, at least its first 16 digits, as the server itself shows it"},
    END,
};

static const struct umx_option ca_begin_options[] = {
    {"--root", NULL, false, false, "the staged authority is of a new root"},
    END,
};

static const struct umx_option ca_complete_options[] = {
    {"--leave-behind", "AGENT", true, false, "lose this agent (FQDN or identity): it has to enrol again"},
    END,
};

static const struct umx_option login_options[] = {
    {"--forest", "FOREST", false, false, "the forest that vouches for you (default: the realm of your ticket)"},
    {"--service", "umx/HOST", false, false, "the controller's service principal (default: its host in --controller)"},
    {"--certificate", "FILE", false, false, "instead of a ticket: your certificate of the forest's CA, PEM"},
    {"--key", "FILE", false, false, "its private key, PEM"},
    {"--ca", "FILE", false, false, "the deployment's root certificate, PEM: who the controller has to be"},
    {"--fingerprint", "HEX", false, false, "instead of --ca: SHA-256 of the root certificate"},
    {"--out", "FILE", false, false, "the identity file to write (default: the one of --identity)"},
    END,
};

/* words, operands, function, help, options, details, example, hidden */
static const struct umx_command commands[] = {
    {"status", "", umx_command_status, "forests, pairs x phases, agents; problems first", NULL,
     "The state of each phase for each pair of an Exchange and a Lync forest, from checks alone, as of the last "
     "reading "
     "(its time stands beside the forest). `umx check` reads the forests again.",
     "umx status", false},
    {"agents", "", umx_command_agents, "the agents and when they last reported", agents_options,
     "Those that are missing first. With --watch a live table; -o jsonl writes one record for each change.",
     "umx agents --watch", false},
    {"agents held", "", umx_command_agents_held, "enrolments that wait for a decision, with both keys", NULL,
     "A server that is known with another key was reinstalled, or somebody pretends to be it. Compare the new key with "
     "what `umx-agent enroll` shows on the server itself.",
     "umx agents held", false},
    {"agents accept", "NAME", umx_command_agents_accept, "it takes the place of the known one", key_options,
     "The identity known before is refused from then on. The agent gets its certificate when it asks again.",
     "umx agents accept um1.exchange.test --key 5f0c93a1b2d4e687", false},
    {"agents reject", "NAME", umx_command_agents_reject, "refuse a held server; the known one stays", key_options, NULL,
     "umx agents reject um1.exchange.test --key 5f0c93a1b2d4e687", false},
    {"agents revoke", "NAME", umx_command_agents_revoke, "end its stream, refuse its identity from now on", NULL,
     "NAME is the server's FQDN or an identity. The server can come back by a token and `umx agents accept`.",
     "umx agents revoke um1.exchange.test", false},
    {"agents forget", "NAME", umx_command_agents_forget, "forget an agent that is gone and its facts", NULL,
     "For servers that are gone. Its identity is refused if it comes back; the journal keeps its entries.",
     "umx agents forget um1.exchange.test", false},
    {"agents update", "", umx_command_agents_update, "give the agents a new version, in waves", update_options,
     "Each wave begins when all agents of the one before are back with the new version and have reported. A server whose "
     "agent does not come back in time returns to its old version by itself, and the update halts. Agents take only what "
     "the release key signed that is installed beside them; see docs/operate.md.",
     "umx agents update --package umx-agent_0.2.0_amd64.deb --canary 2 --wave 20", false},
    {"agents update status", "", umx_command_agents_update_status, "how far the update is, server by server", NULL, NULL,
     "umx agents update status", false},
    {"agents update pause", "", umx_command_agents_update_pause, "begin no further server", NULL,
     "Servers that were begun come to their end.", "umx agents update pause", false},
    {"agents update resume", "", umx_command_agents_update_resume, "go on after a pause or a halt", NULL,
     "After a halt the servers that failed stay as they are, and the next ones begin.", "umx agents update resume",
     false},
    {"agents update stop", "", umx_command_agents_update_stop, "end the update; servers that have it keep it", NULL,
     "Servers that were begun come to their end.", "umx agents update stop", false},
    {"agents package", "", umx_command_agents_package, "the agent's package that the controller holds", package_options,
     "The one that it was given last (`umx agents update`), for a server that has no agent yet. Says kind, version and "
     "SHA-256; the file gets its name when its SHA-256 is the release's. Who may not believe the controller compares "
     "that with the release's own text (.umxsig), which -o json shows as `release`.",
     "umx agents package --out umx-agent.msi", false},
    {"token create", "", umx_command_token_create, "a one-time token with which an agent enrols", token_options,
     "The token stands on standard output, once: the controller keeps a hash. It carries the fingerprint of the "
     "deployment's root, so that the agent knows the controller.",
     "umx token create --fqdn um1.exchange.test --forest exchange.test --out um1.token", false},
    {"token list", "", umx_command_token_list, "tokens, and how often they were used", NULL, NULL, "umx token list",
     false},
    {"token revoke", "ID", umx_command_token_revoke, "make a token worthless", NULL,
     "Agents that enrolled with it stay: `umx agents revoke` is for them.", "umx token revoke 1f09a4c2d7b3", false},
    {"query", "SQL", umx_command_query, "ask the fleet and the forests in SQL", query_options,
     "SELECT over the tables of `umx tables`. Rows are what was last known: `age` and `stale` say how sure it is. With "
     "--live the agents are asked for the tables that the SQL names, and the answer ends with those that stayed "
     "silent, "
     "and why (exit code 4). Rows too wide for the screen are written one value a line.",
     "umx query --live --where \"product = 'lync'\" \"SELECT server, name, state FROM service WHERE state <> "
     "'running'\"",
     false},
    {"query list", "", umx_command_query_list, "the saved queries, and those that come with umx", NULL, NULL,
     "umx query list", false},
    {"query run", "NAME", umx_command_query_run, "run a saved query", query_options, NULL,
     "umx query run expiring-certificates --live", false},
    {"query save", "NAME SQL", umx_command_query_save, "keep a query in the controller, for everybody", save_options,
     "The SQL is checked now.",
     "umx query save stopped \"SELECT server, name FROM service WHERE state = 'stopped'\" --description 'stopped "
     "services'",
     false},
    {"query delete", "NAME", umx_command_query_delete, "delete a saved query", NULL, NULL, "umx query delete stopped",
     false},
    {"tables", "[NAME]", umx_command_tables, "tables and columns for queries", NULL,
     "Without NAME all tables; with NAME its columns and what they mean. Needs no controller.", "umx tables hunt_group",
     false},
    {"check", "", umx_command_check, "findings: what is right, what is not, what to do", check_options,
     "Reads the forests again. Without --phase the phases that this version can observe. Exit code 1 when something "
     "failed. With --snapshot it needs no controller: that is how a case is reproduced. The page of --html is the "
     "controller's: states of the phases, what is wrong first, all findings.",
     "umx check --phase forests --pair exchange.test:lync.test", false},
    {"phases", "[NAME]", umx_command_phases, "the eleven phases; with NAME its checks and options", NULL,
     "Needs no controller.", "umx phases exchucutil", false},
    {"snapshot save", "FILE", umx_command_snapshot_save, "save all that is known as a file", NULL,
     "Reads the forests again. The file is replaced only when it is complete.", "umx snapshot save before.umx", false},
    {"snapshot diff", "A B", umx_command_snapshot_diff, "what changed between two saved worlds", NULL,
     "Compares record by record. What changes with every reading (times of the read, process ids, update sequence "
     "numbers) is left out. Needs no controller.",
     "umx snapshot diff before.umx after.umx", false},
    {"plan template", "", umx_command_plan_template, "propose the rows that you decide about, as a file",
     template_options,
     "Reads the forests and proposes rows: users with extension and policy, contacts, dial plans. Correct them, then "
     "give "
     "the file to `umx plan create --input`. JSON without -o; -o csv for a spreadsheet. Lists in a cell are joined by "
     ";.",
     "umx plan template --phase um-mailboxes -o csv > users.csv", false},
    {"plan create", "NAME", umx_command_plan_create, "make a plan; shows its preview, writes nothing", create_options,
     "Reads the forests, plans the phases in their order, each in the world that the ones before it will have made, "
     "and keeps the result as a draft. Bad rows of --input are all named, with their line.",
     "umx plan create pair-eu --phase exchucutil --pair exchange.test:lync.test --ticket CHG-1042", false},
    {"plan list", "", umx_command_plan_list, "all plans and their state", NULL, NULL, "umx plan list", false},
    {"plan show", "NAME", umx_command_plan_show, "a plan, its approvals and its steps", show_options, NULL,
     "umx plan show pair-eu --diff", false},
    {"plan submit", "NAME", umx_command_plan_submit, "hand a draft in for approval", NULL, NULL,
     "umx plan submit pair-eu", false},
    {"plan approve", "NAME", umx_command_plan_approve, "approve a plan for a forest", approve_options,
     "Fetches the plan, shows its hash, and signs deployment, hash, forest, decision, expiry, ticket and comment with "
     "the key of your identity. Every forest of a plan needs approvers of its own who together are in the groups that "
     "the steps ask for.",
     "umx plan approve pair-eu --forest exchange.test --expires 8h --ticket CHG-1042", false},
    {"plan deny", "NAME", umx_command_plan_deny, "deny a plan for a forest", decision_options, NULL,
     "umx plan deny pair-eu --forest lync.test --comment 'not this week'", false},
    {"plan withdraw", "NAME", umx_command_plan_withdraw, "take your decision back", decision_options, NULL,
     "umx plan withdraw pair-eu --forest lync.test", false},
    {"plan start", "NAME", umx_command_plan_start, "run an approved plan", start_options,
     "Refused when the directory moved since the plan was made. Returns when the plan has begun; `umx plan watch` "
     "follows it.",
     "umx plan start pair-eu", false},
    {"plan confirm", "NAME STEP", umx_command_plan_confirm, "say that a gate's work is done", confirm_options,
     "The checks of the gate must pass. What the gate asks for (an issued certificate) is given by name. A step of "
     "which "
     "neither the domain controller nor the agent can say whether it was done is settled by --value outcome=done or "
     "outcome=not_done, with a comment.",
     "umx plan confirm pair-eu s7 --file certificate=um1.cer --comment 'issued by our CA'", false},
    {"plan watch", "NAME", umx_command_plan_watch, "follow a plan until it rests", NULL,
     "Exit code 1 when it rests failed, cancelled or suspended.", "umx plan watch pair-eu", false},
    {"plan suspend", "NAME", umx_command_plan_suspend, "stop at the next step, to go on later", NULL, NULL,
     "umx plan suspend pair-eu", false},
    {"plan resume", "NAME", umx_command_plan_resume, "go on; failed steps are tried again", NULL, NULL,
     "umx plan resume pair-eu", false},
    {"plan cancel", "NAME", umx_command_plan_cancel, "stop at the next step, for good", NULL, NULL,
     "umx plan cancel pair-eu", false},
    {"plan undo", "NAME", umx_command_plan_undo, "make the plan that undoes another", undo_options,
     "Undo is a plan like any other: it is previewed, approved and started.", "umx plan undo pair-eu", false},
    {"plan result", "NAME STEP [FIELD]", umx_command_plan_result, "what a step has answered", NULL,
     "With FIELD that text alone, as it is: what a gate needs from an earlier step, as a certificate request, goes "
     "into a "
     "file.",
     "umx plan result pair-eu s2 request > um1.exchange.test.req", false},
    {"plan export", "NAME", umx_command_plan_export, "plan, bytes and journal: JSON, or a page of HTML", export_options,
     "JSON without --html, whatever -o says. The page has the plan, what it changes, who approved it and why they may, "
     "the journal and the values before and after; it needs no network and no script.",
     "umx plan export pair-eu --html --out CHG-1042.html", false},
    {"plan delete", "NAME", umx_command_plan_delete, "remove a plan that was never started", NULL,
     "Its entries stay in the journal.", "umx plan delete pair-eu", false},
    {"audit", "", umx_command_audit, "the journal: who did what, when", audit_options, NULL, "umx audit --plan pair-eu",
     false},
    {"audit verify", "", umx_command_audit_verify, "check the journal's chain and signatures", NULL,
     "Exit code 1 when it is broken.", "umx audit verify", false},
    {"grants show", "FOREST", umx_command_grants_show, "the least rights umx needs, as commands", NULL, NULL,
     "umx grants show exchange.test", false},
    {"ca status", "", umx_command_ca_status, "the deployment's certificates, and a rotation", NULL,
     "Root, intermediates and the controller's certificate: how long they last, and how many agents and operators have "
     "a "
     "valid certificate of each. While a rotation is under way: who has not followed, and what is missing.",
     "umx ca status", false},
    {"ca rotate begin", "", umx_command_ca_rotate_begin, "use the staged authority beside the old one",
     ca_begin_options,
     "The new authority is made on the controller's host first: `umxd ca new-intermediate`, or `umxd ca new-root`. "
     "From "
     "now on both are trusted; agents are told, and renew by the new one as soon as they have taken it. After a "
     "rollback "
     "it goes forward again.",
     "umx ca rotate begin", false},
    {"ca rotate complete", "", umx_command_ca_rotate_complete, "stop trusting the old authority", ca_complete_options,
     "Refused, naming them, while agents with a valid certificate have not followed. Certificates of the old authority "
     "are refused afterwards: operators log in again.",
     "umx ca rotate complete --leave-behind old1.exchange.test", false},
    {"ca rotate rollback", "", umx_command_ca_rotate_rollback, "go back to the old authority", NULL,
     "Possible until the rotation is completed. When agents have renewed by the new authority already they renew by "
     "the "
     "old one again, and `umx ca rotate complete` ends the rollback when all have.",
     "umx ca rotate rollback", false},
    {"login", "", umx_command_login, "get an identity with your Kerberos ticket", login_options,
     "Makes a new key, proves who you are with the ticket of your own forest (`kinit`), or with --certificate and "
     "--key "
     "of the CA that the controller knows for it, and writes key, certificate and chain to the identity file, readable "
     "by you alone. The certificate lives for hours; after the first time `umx login` alone is enough.",
     "umx login --controller umx.exchange.test:7444 --ca root.pem", false},
    {"logout", "", umx_command_logout, "remove your identity from this machine", NULL,
     "The key is gone then; `umx login` makes another one.", "umx logout", false},
    {"whoami", "", umx_command_whoami, "who you are to the controller, and what you may do", NULL,
     "As the directory knows you now: your name, and the roles that your groups give.", "umx whoami", false},
    {"help", "[COMMAND...]", umx_command_help, "this overview, or help for a command", NULL, NULL,
     "umx help plan approve", false},
    {"docs checks", "", umx_command_docs_checks, "docs/checks.md", NULL, NULL, "umx docs checks > docs/checks.md",
     true},
    {"docs errors", "", umx_command_docs_errors, "docs/errors.md", NULL, NULL, "umx docs errors > docs/errors.md",
     true},
    {"docs tables", "", umx_command_docs_tables, "docs/tables.md", NULL, NULL, "umx docs tables > docs/tables.md",
     true},
    {0},
};

const struct umx_command *umx_commands(void)
{
    return commands;
}

"""The forest workers against real forests: readers, single changes and their probes, proofs, membership."""

import base64
import json
import os
import signal
import subprocess
import time

import pytest
from samba.dcerpc import security
from samba.ndr import ndr_pack

from stage.programs import LAB, lab
from worker import (ACCESS, FOREIGN, NOT_DONE, OURS, Late, Refused, Worker, access, add, delete, modify, new, values,
                    version)

ORG = "CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=contoso,DC=test"
GATEWAYS = f"CN=UM IPGateway Container,{ORG}"
PLANS = f"CN=UM DialPlan Container,{ORG}"
GROUP = "S-1-5-21-1111111111-2222222222-3333333333-1104"
OTHER = "S-1-5-21-1111111111-2222222222-3333333333-1105"


@pytest.fixture
def facts(fleet):
    return json.loads((fleet / "lab.json").read_text())


@pytest.fixture
def reader(fleet):
    with Worker(fleet, "contoso.test") as worker:
        yield worker


@pytest.fixture
def writer(fleet):
    with Worker(fleet, "contoso.test", "writer") as worker:
        yield worker


def by_name(records):
    return {record.name: record for record in records}


def ldap_modify(fleet, tmp_path, ldif):
    """What somebody else does."""
    file = tmp_path / "foreign.ldif"
    file.write_text(ldif)
    lab(fleet, "load", "contoso.test", file)


# ---- reading


def test_exchange_forest_is_read_whole(reader):
    world = reader.read()
    forest = world.forest[0]
    assert (forest.forest, forest.organization, forest.organization_count) == ("contoso.test", "Contoso", 1)
    assert forest.netbios == "CONTOSO" and forest.root_dn == "DC=contoso,DC=test"
    assert len(forest.invocation_id) == 16 and forest.highest_usn > 0 and abs(forest.clock_offset) < 5_000_000
    assert forest.exchange_schema_version == 15312 and forest.domain_controller == "codc1.contoso.test"
    assert not forest.incomplete and not forest.error
    plans = by_name(world.dial_plan)
    assert set(plans) == {"Berlin-SIP", "Munich-SIP", "Old PBX", "Zürich.E164"}
    assert plans["Berlin-SIP"].phone_context == "Berlin-SIP.contoso.test"
    assert (plans["Munich-SIP"].uri_type, plans["Munich-SIP"].voip_security, plans["Munich-SIP"].digits) == (3, 1, 5)
    assert sorted(plans["Berlin-SIP"].access_number) == ["+493012345600", "+493012345601"]
    gateways = by_name(world.ip_gateway)
    assert set(gateways) == {"PBX Berlin", "Zürich, Gateway", "Lync Branch"}
    assert gateways["Zürich, Gateway"].dn.startswith("CN=Zürich\\, Gateway,")
    assert gateways["Zürich, Gateway"].status == 2 and gateways["Lync Branch"].outcalls_allowed
    assert {g.name: g.gateway_dn for g in world.hunt_group}["Zürich.E164"] == gateways["Zürich, Gateway"].dn
    assert by_name(world.auto_attendant)["After.Hours"].enabled is False
    assert "Vorstand, Berlin" in by_name(world.mailbox_policy)
    for record in [*world.dial_plan, *world.ip_gateway, *world.container, *world.access_entry, *world.admin_group]:
        assert record.forest == "contoso.test" and record.source == "codc1.contoso.test" and record.collected_at


def test_servers_have_versions_and_call_routers(reader):
    servers = {s.server: s for s in reader.read("exchange_server").exchange_server}
    cas, um = servers["cocas1.contoso.test"], servers["coum10.contoso.test"]
    assert (cas.version_major, cas.version_minor, cas.version_build) == (15, 0, 1497)
    assert (um.version_major, um.version_minor, um.version_build) == (14, 1, 218)
    assert cas.call_router_dn.startswith("CN=UMCallRouterSettings,CN=SIP,CN=Protocols,CN=COCAS1,")
    assert cas.call_router_startup_mode == 2 and len(cas.call_router_dial_plan_dn) == 2
    assert um.call_router_dn == "" and len(um.dial_plan_dn) == 2 and um.um_startup_mode == 2
    assert servers["combx2.contoso.test"].um_startup_mode == 0


def test_containers_and_their_entries(reader):
    world = reader.read("container", "access_entry")
    assert {c.kind for c in world.container} == {1, 2, 3, 4, 5, 6}
    assert all(c.dacl_canonical and not c.dacl_error for c in world.container)
    plans = next(c for c in world.container if c.kind == 2)
    entries = [e for e in world.access_entry if e.target_dn == plans.dn]
    assert plans.dacl_protected and [e.position for e in entries] == list(range(len(entries)))
    assert all(e.trustee_sid in e.sddl for e in entries)


def test_lync_forest_is_read_whole(fleet):
    with Worker(fleet, "lync.test") as worker:
        world = worker.read()
    pools = {p.pool: p for p in world.lync_pool}
    assert {p: v.voice_users for p, v in pools.items()} == {
        "pool1.lync.test": 120, "pool2.lync.test": 0, "se1.lync.test": 40, "branch1.lync.test": 20,
        "dir1.lync.test": 0}
    assert pools["branch1.lync.test"].branch and not pools["pool1.lync.test"].branch
    assert pools["pool1.lync.test"].version == 0x60000 and pools["pool1.lync.test"].type == 10
    assert world.forest[0].organization_count == 0 and not world.forest[0].incomplete
    assert world.forest[0].lync_users == 202 and len(world.voice_user) == 202
    assert sum(1 for u in world.voice_user if u.enabled and u.option_flags & 128) == 180
    assert all(u.account_disabled == bool(u.originator_sid) and u.sam_account_name for u in world.voice_user)
    assert sorted(world.forest[0].sip_domain) == ["contoso.test", "fabrikam.test", "lync.test"]
    assert all(u.originator_sid.startswith("S-1-5-21-") for u in world.voice_user if u.sip_address.endswith("o.test"))
    assert any("\\, " in u.dn and "Ö" in u.dn.upper() for u in world.voice_user)
    contacts = {c.display_name: c for c in world.contact}
    assert set(contacts) == {"Berlin OVA", "Munich OVA"}
    berlin = contacts["Berlin OVA"]
    assert (berlin.type, berlin.phone_context, berlin.telephone_number, berlin.option_flags) == (
        1, "Berlin-SIP.contoso.test", "+493012345600", 384)
    assert list(berlin.proxy_address) == ["sip:ova.berlin@contoso.test"]
    assert {t.partner for t in world.trust} == {"contoso.test", "fabrikam.test"}
    trust = next(t for t in world.trust if t.partner == "contoso.test")
    assert (trust.direction, trust.type, trust.attributes) == (3, 2, 8)
    assert list(trust.suffix_enabled) == ["contoso.test"] and trust.trust_info_error == ""
    meanings = {g.meaning: g for g in world.admin_group}
    assert meanings["rtc_server_admins"].name == "RTCUniversalServerAdmins"
    assert meanings["enterprise_admins"].sid.endswith("-519")


def test_places_for_contacts_and_what_the_lync_groups_may_there(fleet):
    with Worker(fleet, "lync.test") as worker:
        world = worker.read()
    units = {u.dn.split(",")[0]: u for u in world.organizational_unit}
    assert {"CN=Users", "OU=UM Contacts", "OU=Staff", "OU=Domain Controllers"} <= set(units)
    assert units["OU=UM Contacts"].contacts == 2 and units["OU=Staff"].contacts == 0
    assert not any(u.dacl_error for u in units.values())
    assert [name for name, unit in units.items() if unit.dacl_protected] == ["OU=Locked Contacts"]
    assert "OU=RTC Special Accounts" in units
    admins = next(g.sid for g in world.admin_group if g.meaning == "rtc_user_admins")
    entries = [e for e in world.access_entry if e.target_dn == units["OU=UM Contacts"].dn]
    assert {e.trustee_sid for e in entries} == {admins}
    assert any(e.mask == 3 and e.object_type for e in entries), "create and delete contacts"


def test_entries_of_more_lync_groups_than_anybody_has(fleet, tmp_path):
    base, count = "DC=lync,DC=test", 70
    names = [f"RTCTeam{number}" for number in range(count)]
    unit = f"OU=Many Groups,{base}"

    def load(text):
        file = tmp_path / "many.ldif"
        file.write_text(text)
        lab(fleet, "load", "lync.test", file)
    load("\n".join(f"dn: CN={name},CN=Users,{base}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\n"
                   for name in names))
    try:
        with Worker(fleet, "lync.test", group=[f"team_{name.lower()}={name}" for name in names]) as worker:
            sids = {g.sid for g in worker.read("admin_group").admin_group if g.meaning.startswith("team_")}
        assert len(sids) == count
        allowed = "".join(f"(A;;CC;;;{sid})" for sid in sorted(sids))
        dacl = security.descriptor.from_sddl(f"O:S-1-5-32-544G:S-1-5-32-544D:PAI(A;;GA;;;SY)(A;;LCRPRC;;;AU){allowed}",
                                             security.dom_sid("S-1-5-21-0-0-0"))
        load(f"dn: {unit}\nchangetype: add\nobjectClass: organizationalUnit\n"
             f"nTSecurityDescriptor:: {base64.b64encode(ndr_pack(dacl)).decode()}\n")
        with Worker(fleet, "lync.test") as worker:
            world = worker.read("organizational_unit", "access_entry")
        assert {e.trustee_sid for e in world.access_entry if e.target_dn == unit} == sids
        assert not world.forest[0].incomplete
    finally:
        gone = [unit, *(f"CN={name},CN=Users,{base}" for name in names)]
        load("\n".join(f"dn: {dn}\nchangetype: delete\n" for dn in gone))


def test_mailbox_users(reader):
    world = reader.read("mailbox_user")
    users = world.mailbox_user
    assert len(users) == 104 and sum(u.um_enabled for u in users) == 8
    for user in users:
        assert user.sam_account_name and user.sid and user.user_principal_name and len(user.object_guid) == 16
        assert all(a.lower().startswith(("sip:", "eum:")) for a in user.proxy_address)
        assert user.um_enabled == user.um_policy_dn.startswith("CN=Berlin-SIP Default Policy,") == bool(user.um_address)
    assert any(a.startswith("EUM:") for u in users for a in u.proxy_address)
    assert all(u.home_server.endswith("/cn=COMBX1") for u in users)
    sip = [a.lower() for u in users for a in u.proxy_address if a.startswith("sip:")]
    assert len(sip) - len(set(sip)) == 1, "one address is there twice"


def test_2007_groups_and_overrides(fleet, facts):
    with Worker(fleet, "fabrikam.test") as worker:
        found = {g.meaning: g.name for g in worker.read("admin_group").admin_group}
    assert found["organization_administrators"] == "Exchange Organization Administrators"
    sid = facts["forests"]["fabrikam.test"]["operators"]["ned.nobody"]["sid"]
    groups = ["organization_management=Recipient Management", f"viewer={sid}", "auditor=No Such (Group)*"]
    with Worker(fleet, "fabrikam.test", group=groups) as worker:
        world = worker.read("admin_group")
    found = {g.meaning: g for g in world.admin_group}
    assert found["organization_management"].name == "Recipient Management"
    assert found["organization_management"].found_by == "configured" and found["viewer"].sid == sid
    assert [line for line in world.forest[0].incomplete if "No Such (Group)*" in line]


def test_what_is_hidden_is_named(fleet):
    with Worker(fleet, "contoso.test", who="ned.nobody") as worker:
        world = worker.read()
    assert not world.dial_plan and not world.exchange_server and len(world.ip_gateway) == 3
    said = {line.split(":")[0] for line in world.forest[0].incomplete}
    assert said == {"access_entry", "dial_plan", "auto_attendant", "exchange_server"}
    assert sum(1 for c in world.container if c.dacl_error) == 3


def test_tables_are_chosen_by_name(reader):
    world = reader.read("trust")
    assert {field.name for field, _ in world.ListFields()} == {"forest", "trust"}
    with pytest.raises(Refused) as refused:
        reader.read("nonsense")
    assert refused.value.id == 1012


# ---- connecting


def test_simple_bind_needs_verified_tls(fleet, facts):
    forest = facts["forests"]["contoso.test"]
    simple = {"bind": 2, "password_file": forest["reader"]["password_file"]}
    for controller in ("codc1.contoso.test", "ldaps://codc1.contoso.test", "codc1.contoso.test:636"):
        with Worker(fleet, "contoso.test", domain_controllers=[controller], tls_ca=facts["ca"], **simple) as worker:
            assert len(worker.read("dial_plan").dial_plan) == 4
    cases = [({"tls_ca": "/etc/ssl/certs/ca-certificates.crt"}, 1113),
             ({"tls_ca": facts["ca"], "password_file": forest["writer"]["password_file"]}, 1202),
             ({"tls_ca": facts["ca"], "password_file": "/nowhere"}, 1008)]
    for changed, error in cases:
        with Worker(fleet, "contoso.test", **{**simple, **changed}) as worker, pytest.raises(Refused) as refused:
            worker.read("domain")
        assert refused.value.id == error


def test_discovery_and_failover(fleet):
    with Worker(fleet, "contoso.test", domain_controllers=[]) as worker:
        assert worker.read("domain").forest[0].domain_controller.startswith("codc")
        assert sorted(worker.discover()) == ["codc1.contoso.test", "codc2.contoso.test"]
    with Worker(fleet, "contoso.test", domain_controllers=["gone.contoso.test", "codc2.contoso.test"]) as worker:
        assert worker.discover() == ["gone.contoso.test", "codc2.contoso.test"]
        assert worker.read("domain").forest[0].domain_controller == "codc2.contoso.test"
    with Worker(fleet, "contoso.test", domain_controllers=["gone.contoso.test"]) as worker:
        with pytest.raises(Refused) as refused:
            worker.read("domain")
        assert refused.value.id == 1201
    with Worker(fleet, "lync.test", domain_controllers=["codc1.contoso.test"]) as worker:
        with pytest.raises(Refused) as refused:
            worker.read("domain")
        assert "contoso.test" in refused.value.reply.error.why


def test_wrong_keytab_is_refused(fleet, facts):
    keytab = facts["forests"]["lync.test"]["reader"]["keytab"]
    with Worker(fleet, "contoso.test", keytab=keytab) as worker, pytest.raises(Refused) as refused:
        worker.read("domain")
    assert refused.value.id == 1202


def test_frozen_domain_controller_costs_one_worker(fleet):
    lab(fleet, "fault", "freeze-dc", "codc1.contoso.test")
    try:
        for controller, expected in (("codc1.contoso.test", Late), ("ldaps://codc1.contoso.test", Late)):
            worker = Worker(fleet, "contoso.test", domain_controllers=[controller])
            with pytest.raises(expected):
                worker.read("domain", deadline=2.0)
            worker.process.kill()
            worker.__exit__()
        # The second line: without the controller's kill it ends by itself, soon after the deadline.
        worker = Worker(fleet, "contoso.test")
        with pytest.raises((Late, Refused)):
            worker.read("domain", deadline=1.0)
        assert worker.process.wait(10) == -signal.SIGALRM
        with Worker(fleet, "lync.test") as other:
            assert len(other.read("domain").domain) == 1
    finally:
        lab(fleet, "fault", "thaw-dc", "codc1.contoso.test")


# ---- single changes


def gateway(name, **attributes):
    escaped = name.replace(",", "\\,").replace("#", "\\#")
    return add(f"CN={escaped},{GATEWAYS}", objectClass="msExchUMIPGateway", msExchUMIPGatewayAddress="pool1.lync.test",
               msExchUMIPGatewayPort="0", msExchUMOutcallsAllowed="TRUE", msExchUMIPGatewayStatus="0", **attributes)


@pytest.fixture
def made(writer):
    """A gateway of its own with a difficult name, gone afterwards."""
    change = gateway(f"Süd, Köln 'A' {time.time_ns()}", systemFlags="1073741824")
    reply = writer.apply(change, writer.intent(change))
    yield reply.state
    try:
        gone = delete(reply.state.dn)
        writer.apply(gone, writer.intent(gone))
    except Refused as refused:
        assert refused.id == 1205


def test_add_is_probed_before_and_after(writer):
    change = gateway("#1 Zürich, Nord. ")
    change.dn = f"CN=\\#1 Zürich\\, Nord.\\ ,{GATEWAYS}"
    intent = writer.intent(change)
    assert writer.probe(change, intent).outcome == NOT_DONE
    reply = writer.apply(change, intent)
    assert reply.outcome == OURS and reply.state.exists and len(reply.state.object_guid) == 16
    assert values(reply.state, "cn") == ["#1 Zürich, Nord. "]
    assert writer.probe(change, intent).outcome == OURS
    with pytest.raises(Refused) as refused:
        writer.apply(change, intent)
    assert refused.value.id == 1206
    other = gateway("x")
    other.dn = reply.state.dn
    other.attribute[1].value[:] = ["pool2.lync.test"]
    assert writer.probe(other, intent).outcome == FOREIGN
    gone = delete(reply.state.dn)
    intent = writer.intent(gone)
    assert writer.probe(gone, intent).outcome == NOT_DONE
    assert not writer.apply(gone, intent).state.exists
    assert writer.probe(gone, intent).outcome == OURS


def test_modify_is_compare_and_set(writer, made, fleet, tmp_path):
    change = modify(made.dn, msExchUMIPGatewayAddress=(["pool1.lync.test"], ["pool2.lync.test"]),
                    msExchUMOutcallsAllowed=(["TRUE"], ["FALSE"]), msExchUMPilotIdentifier=([], []))
    intent = writer.intent(change)
    assert writer.probe(change, intent).outcome == NOT_DONE
    reply = writer.apply(change, intent)
    assert values(reply.state, "msExchUMIPGatewayAddress") == ["pool2.lync.test"]
    assert writer.probe(change, intent).outcome == OURS
    with pytest.raises(Refused) as refused:
        writer.apply(change, intent)
    assert refused.value.id == 1207


def test_probe_of_modify_tells_whose_write_it_was(writer, made, fleet, tmp_path):
    change = modify(made.dn, msExchUMIPGatewayAddress=(["pool1.lync.test"], ["pool2.lync.test"]))
    intent = writer.intent(change)

    def foreign(value):
        ldap_modify(fleet, tmp_path, f"dn:: {encoded(made.dn)}\nchangetype: modify\nreplace: msExchUMIPGatewayAddress\n"
                                     f"msExchUMIPGatewayAddress: {value}\n")
    assert writer.apply(change, intent).outcome == OURS
    assert writer.probe(change, intent).outcome == OURS
    foreign("sbc.contoso.test")
    assert writer.probe(change, intent).outcome == FOREIGN
    foreign("pool2.lync.test")
    assert writer.probe(change, intent).outcome == FOREIGN
    foreign("pool1.lync.test")
    assert writer.probe(change, intent).outcome == FOREIGN


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def test_linked_values_and_links_that_come_in(writer, made):
    plan = f"CN=Zürich.E164,{PLANS}"
    child = add(f"CN=Zürich\\, eins,{made.dn}", objectClass="msExchUMHuntGroup", msExchUMPilotIdentifier="1",
                msExchUMHuntGroupDialPlanLink=plan)
    state = writer.apply(child, writer.intent(child)).state
    assert f"{state.dn}\tmsExchUMHuntGroupDialPlanLink" in writer.object(plan, incoming_links=True).incoming_link
    change = modify(state.dn, msExchUMHuntGroupDialPlanLink=([plan], [f"CN=Old PBX,{PLANS}"]))
    intent = writer.intent(change)
    assert writer.probe(change, intent).outcome == NOT_DONE
    assert writer.apply(change, intent).outcome == OURS
    assert writer.probe(change, intent).outcome == OURS
    with pytest.raises(Refused) as refused:
        parent = delete(made.dn)
        writer.apply(parent, writer.intent(parent))
    assert refused.value.id == 1208
    gone = delete(state.dn)
    assert writer.apply(gone, writer.intent(gone)).outcome == OURS


def test_saved_object_can_be_made_again(writer, made):
    saved = writer.object(made.dn, writable_only=True, incoming_links=True)
    names = {attribute.name for attribute in saved.attribute}
    assert {"objectClass", "cn", "systemFlags", "msExchUMIPGatewayAddress"} <= names
    assert not names & {"objectGUID", "whenChanged", "uSNChanged", "instanceType", "distinguishedName"}
    gone = delete(made.dn)
    writer.apply(gone, writer.intent(gone))
    again = new("Change", kind=1, dn=made.dn)
    again.attribute.extend(saved.attribute)
    state = writer.apply(again, writer.intent(again)).state
    assert state.object_guid != made.object_guid
    assert values(state, "msExchUMIPGatewayAddress") == values(made, "msExchUMIPGatewayAddress")


def test_delete_refuses_what_changed_since(writer, made):
    gone = delete(made.dn)
    intent = writer.intent(gone)
    change = modify(made.dn, msExchUMIPGatewayPort=(["0"], ["5060"]))
    writer.apply(change, writer.intent(change))
    assert writer.probe(gone, intent).outcome == FOREIGN
    with pytest.raises(Refused) as refused:
        writer.apply(gone, intent)
    assert refused.value.id == 1207


def test_access_entry_comes_and_goes_without_a_trace(writer):
    before = writer.object(PLANS, descriptor=True)
    change = access(PLANS, GROUP)
    intent = writer.intent(change)
    assert writer.probe(change, intent).outcome == NOT_DONE
    reply = writer.apply(change, intent)
    assert reply.outcome == OURS and f"(A;CI;LCRP;;;{GROUP})" in reply.state.access
    assert version(reply.state, "nTSecurityDescriptor") == version(before, "nTSecurityDescriptor") + 1
    assert writer.probe(change, intent).outcome == OURS
    # The plans below have inherited it.
    inherited = writer.object(f"CN=Berlin-SIP,{PLANS}", descriptor=True).access
    assert f"(A;CIID;LCRP;;;{GROUP})" in inherited
    back = access(PLANS, GROUP, added=False)
    assert writer.apply(back, writer.intent(back)).outcome == OURS
    after = writer.object(PLANS, descriptor=True)
    assert after.descriptor == before.descriptor and after.access == before.access
    assert writer.probe(change, intent).outcome == FOREIGN
    with pytest.raises(Refused) as refused:
        writer.apply(back, writer.intent(back))
    assert refused.value.id == 1205


def test_access_entry_that_is_there_is_left_alone(writer):
    change = access(PLANS, GROUP)
    writer.apply(change, writer.intent(change))
    versions = version(writer.object(PLANS), "nTSecurityDescriptor")
    assert writer.apply(change, writer.intent(change)).outcome == OURS
    assert version(writer.object(PLANS), "nTSecurityDescriptor") == versions
    back = access(PLANS, GROUP, added=False)
    writer.apply(back, writer.intent(back))


def test_descriptor_that_moved_is_a_conflict(writer):
    change, other = access(PLANS, GROUP), access(PLANS, OTHER)
    intent = writer.intent(change)
    writer.apply(other, writer.intent(other))
    with pytest.raises(Refused) as refused:
        writer.apply(change, intent)
    assert refused.value.id == 1215
    assert not any(GROUP in entry for entry in writer.object(PLANS, descriptor=True).access)
    assert writer.probe(change, intent).outcome == FOREIGN
    back = access(PLANS, OTHER, added=False)
    writer.apply(back, writer.intent(back))


def test_reader_may_not_write(reader, writer):
    for change in (access(PLANS, GROUP), gateway("by the reader"),
                   modify(f"CN=PBX Berlin,{GATEWAYS}", msExchUMIPGatewayPort=(["5060"], ["5061"]))):
        with pytest.raises(Refused) as refused:
            reader.apply(change, reader.intent(change))
        assert refused.value.id == 1204
        assert change.kind == ACCESS or reader.probe(change, writer.intent(change)).outcome == NOT_DONE


def test_only_the_intents_domain_controller_answers(writer):
    change = modify(f"CN=PBX Berlin,{GATEWAYS}", msExchUMIPGatewayPort=(["5060"], ["5061"]))
    intent = writer.intent(change)
    intent.invocation_id = os.urandom(16)
    for ask in (writer.apply, writer.probe):
        with pytest.raises(Refused) as refused:
            ask(change, intent)
        assert refused.value.id == 1214
    second = writer.object(change.dn, domain_controller="codc2.contoso.test")
    assert second.domain_controller == "codc2.contoso.test" and second.exists
    with pytest.raises(Refused) as refused:
        writer.object(change.dn, domain_controller="codc1.contoso.test", invocation_id=os.urandom(16))
    assert refused.value.id == 1214
    assert writer.object(f"CN=nothing here,{GATEWAYS}").exists is False


RELAY = """
import select, socket, sys
server = socket.create_server(("127.77.0.11", 3890))
left = None  # frames from the domain controller that still pass; None: all
passed = 0
pairs = {}
while True:
    for ready in select.select([sys.stdin.buffer, server, *pairs], [], [])[0]:
        if ready is sys.stdin.buffer:
            word = sys.stdin.readline().strip()
            if word == "count":
                print(passed, flush=True)
                passed, left = 0, None
            elif word:
                left = int(word)
                print("set", flush=True)
            else:
                sys.exit()
        elif ready is server:
            client, _ = server.accept()
            real = socket.create_connection(("127.77.0.11", 389))
            pairs[client], pairs[real] = (real, False), (client, True)
        elif ready in pairs:
            other, from_server = pairs[ready]
            try:
                data = ready.recv(1 << 20)
            except OSError:
                data = b""
            if not data:
                pairs.pop(ready), pairs.pop(other)
                ready.close(), other.close()
                continue
            if from_server:
                passed += 1
                if left is not None:
                    left -= 1
                    if left < 0:
                        continue
            try:
                other.sendall(data)
            except OSError:
                pass
"""


@pytest.fixture
def relay(fleet):
    """Between a worker and codc1: relay("count") tells the answers so far, relay(n) loses all but the next n."""
    process = subprocess.Popen([LAB, "exec", "/usr/bin/python3", "-u", "-c", RELAY], text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env={**os.environ, "LAB_DIR": str(fleet)})

    def say(word):
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()
    say("count")
    yield say
    process.stdin.close()
    process.wait(10)


def test_unanswered_write_is_settled_by_the_probe(fleet, relay):
    """Whichever answer is lost, the worker never says more than it knows, and the probe finds out."""
    def port(old, new_port):
        return modify(f"CN=PBX Berlin,{GATEWAYS}", msExchUMIPGatewayPort=([old], [new_port]))

    def through(lost_after=None):
        """One change over the relay: the error's id (None: answered) and what the probe says afterwards."""
        with Worker(fleet, "contoso.test", "writer") as direct:
            now = values(direct.object(f"CN=PBX Berlin,{GATEWAYS}"), "msExchUMIPGatewayPort")[0]
            change = port(now, "5060" if now == "5070" else "5070")
            with Worker(fleet, "contoso.test", "writer", domain_controllers=["codc1.contoso.test:3890"],
                        operation_timeout=1) as worker:
                intent = worker.intent(change)
                intent.domain_controller += ":3890"
                relay("count")
                if lost_after is not None:
                    relay(lost_after)
                try:
                    error = None
                    worker.apply(change, intent)
                except Refused as refused:
                    error = refused.id
                answers = int(relay("count"))
            return error, direct.probe(change, intent).outcome, answers

    error, outcome, answers = through()
    assert (error, outcome) == (None, OURS)
    told = [through(lost)[:2] for lost in range(answers)]
    assert set(told) == {(1214, NOT_DONE), (1203, NOT_DONE), (1408, OURS)}
    assert told[-1] == (1408, OURS)
    with Worker(fleet, "contoso.test", "writer") as direct:
        if values(direct.object(f"CN=PBX Berlin,{GATEWAYS}"), "msExchUMIPGatewayPort") == ["5070"]:
            direct.apply(port("5070", "5060"), direct.intent(port("5070", "5060")))


# ---- proofs and people


def test_trust_is_proven_by_kerberos(fleet):
    with Worker(fleet, "lync.test") as worker:
        proof = worker.prove("contoso.test", "codc1.contoso.test")
        assert (proof.kind, proof.status, proof.target) == (1, 1, "codc1.contoso.test")
        assert proof.identity == "umx-reader@LYNC.TEST" and proof.duration > 0
        assert worker.prove("fabrikam.test").status == 1  # found by DNS
    with Worker(fleet, "contoso.test") as worker:
        proof = worker.prove("fabrikam.test", "fadc1.fabrikam.test")
        assert proof.status == 2 and "gives no referral" in proof.detail


def test_trust_faults_are_told_apart(fleet, tmp_path):
    before = tmp_path / "before.tar.zst"
    lab(fleet, "snapshot", before, timeout=120)
    lab(fleet, "fault", "trust-direction", "contoso.test", "lync.test", "1")
    try:
        with Worker(fleet, "lync.test") as worker:
            proof = worker.prove("contoso.test", "codc1.contoso.test")
        assert proof.status == 2 and "refuses the referral ticket" in proof.detail
        lab(fleet, "fault", "trust-direction", "contoso.test", "lync.test", "0")
        with Worker(fleet, "contoso.test") as worker:
            proof = worker.prove("lync.test", "lydc1.lync.test")
            assert proof.status == 2 and "gives no referral" in proof.detail
            assert worker.read("trust").trust[0].direction == 0
    finally:
        lab(fleet, "restore", before, timeout=180)
        before.unlink()  # it holds keys


def test_membership_is_nested_and_by_sid(fleet, facts):
    operators = facts["forests"]["contoso.test"]["operators"]
    with Worker(fleet, "contoso.test") as worker:
        groups = {g.meaning: g.sid for g in worker.read("admin_group").admin_group}
        everything = list(groups.values())
        olga = worker.membership(operators["olga.orgadmin"]["sid"], everything)  # through UC Team
        assert (olga.found, olga.enabled, olga.name) == (True, True, "olga.orgadmin")
        assert list(olga.group_sid) == [groups["organization_management"]]
        assert list(worker.membership(operators["rita.recipient"]["sid"], everything).group_sid) == [
            groups["recipient_management"]]
        assert not worker.membership(operators["ned.nobody"]["sid"], everything).group_sid
        nobody = worker.membership(GROUP, everything)
        assert not nobody.found and not nobody.enabled
        with pytest.raises(Refused) as refused:
            worker.membership("olga", everything)
        assert refused.value.id == 1210
    with Worker(fleet, "lync.test") as worker:
        user = next(u for u in worker.read("voice_user").voice_user if u.originator_sid)
        shadow = worker.membership(user.sid, [])
        assert shadow.found and not shadow.enabled


# ---- preflight


def test_preflight_tells_what_the_writer_may(writer, reader):
    """What it says is what then happens: each allowed change is made, each denied one is refused."""
    gateway = f"CN=Preflight,{GATEWAYS}"
    pbx = next(g for g in reader.read("ip_gateway").ip_gateway if g.name == "PBX Berlin")
    plan = next(p for p in reader.read("dial_plan").dial_plan if p.name == "Old PBX")
    group = next(h for h in reader.read("hunt_group").hunt_group if h.name == "Old PBX")
    changes = [
        add(gateway, objectClass="msExchUMIPGateway", msExchUMIPGatewayAddress="pre.test"),
        add(f"CN=Below,{gateway}", objectClass=["top", "msExchUMHuntGroup"]),
        add(f"CN=No,{ORG}", objectClass="msExchContainer"),
        modify(pbx.dn, msExchUMIPGatewayPort=("5060", "5061")),
        modify(ORG, displayName=([], "x")),
        delete(group.dn),
        access(PLANS, GROUP),
        access("CN=Users,DC=contoso,DC=test", GROUP),
        delete(f"CN=Nothing,{GATEWAYS}"),
        modify(gateway, msExchUMIPGatewayPort=([], "1")),
        new("Change", kind=5, dn="fe1"),
    ]
    answers = writer.preflight(*changes)
    kinds = [answer.split(":")[0] for answer in answers]
    assert kinds == ["allowed", "unknown", "denied", "allowed", "denied", "allowed", "allowed", "denied", "unknown",
                     "unknown", "unknown"], answers
    assert "the parent does not exist yet" in answers[1] and "displayName" in answers[4]
    assert "does not exist yet" in answers[9]
    told = reader.preflight(*changes)
    assert "allowed" not in told and [a.split(":")[0] for a in told][:4] == ["denied", "unknown", "denied", "denied"]
    assert plan.dn and writer.preflight() == []
    for change in (changes[2], changes[4], changes[7]):
        with pytest.raises(Refused):
            writer.apply(change, writer.intent(change))
    assert reader.read("ip_gateway").ip_gateway and not writer.object(gateway).exists, "nothing was written"

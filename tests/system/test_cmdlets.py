"""Cmdlet actions in the real PowerShell engine against the lab's forests: what each makes in the directory or in Lync's
configuration store, what it refuses, what takes it back, and what a killed agent leaves undecided."""

import base64
import json
import os
import signal
import subprocess
import time

import pytest
from stage.programs import LAB, ROOT, lab
from stage.stage import parse_ldif

RUN_ACTION = ROOT / "build" / "tests" / "run-action"
EXCHANGE, OLD, LYNC = "combx1.contoso.test", "coum10.contoso.test", "lyfe1.lync.test"
ORGANISATION = "CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=contoso,DC=test"


class Servers:
    """Runs batches on recorded servers and looks at what came of them."""

    def __init__(self, directory, state):
        self.directory = directory
        self.state = state
        self.lab = json.loads((directory / "lab.json").read_text())
        self.number = 0

    def environment(self):
        return {**os.environ, "LAB_DIR": str(self.directory)}

    def host(self, server):
        return self.directory / "hosts" / server

    def start(self, server, action, *items, batch=None, ask=False):
        self.number += 1
        argv = [LAB, "exec", RUN_ACTION, f"recorded:{self.host(server)}", self.state, action, batch or f"b{self.number}"]
        process = subprocess.Popen([str(a) for a in [*argv, *(["ask"] if ask else [])]], env=self.environment(), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write("".join(json.dumps(item) + "\n" for item in items))
        process.stdin.close()
        return process

    def run(self, server, action, *items, **more):
        process = self.start(server, action, *items, **more)
        out, err = process.stdout.read(), process.stderr.read()
        assert process.wait(timeout=120) == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def good(self, server, action, *items, **more):
        """Results of items that must all be done."""
        results = self.run(server, action, *items, **more)
        assert len(results) == len(items) and all(r["ok"] for r in results), results
        return [json.loads(r["detail"]) for r in results]

    def bad(self, server, action, item, code, text):
        (result,) = self.run(server, action, item)
        assert not result["ok"], result
        assert code in result["detail"] and text in result["detail"], result["detail"]

    def search(self, forest, base, expression="(objectClass=*)", *attributes):
        answer = lab(self.directory, "ldapsearch", forest, "-b", base, expression, *attributes, check=False)
        assert answer.returncode in (0, 32), answer.stderr
        return {dn: {name.lower(): values for name, values in entry.items()}
                for dn, entry in parse_ldif(answer.stdout).items()}

    def one(self, forest, base, expression="(objectClass=*)", *attributes):
        found = self.search(forest, base, expression, *attributes)
        assert len(found) == 1, found
        return next(iter(found.values()))

    def store(self, forest):
        return json.loads((self.directory / "stores" / f"{forest}.json").read_text())

    def facts(self, server):
        answer = lab(self.directory, "exec", ROOT / "build/bin/umx-agent", "facts", "--host", f"recorded:{self.host(server)}")
        return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def servers(fleet, tmp_path_factory):
    found = Servers(fleet, tmp_path_factory.mktemp("state"))
    if not found.lab["engine"]:
        pytest.skip("no .NET SDK here: the PowerShell engine cannot be built, so no cmdlet can be run")
    return found


def text_of(values):
    return sorted(v.decode() if isinstance(v, bytes) else v for v in values)


def test_a_dial_plan_is_made_changed_and_taken_back(servers):
    item = {"name": "Hamburg-SIP", "digits": "4", "security": "Secured", "access_numbers": "+494012345600\n+494012345601",
            "country_code": "49"}
    (made,) = servers.good(EXCHANGE, "new-um-dial-plan", item)
    assert made["dn"] == f"CN=Hamburg-SIP,CN=UM DialPlan Container,{ORGANISATION}"
    plan = servers.one("contoso.test", made["dn"])
    assert text_of(plan["msexchumphonecontext"]) == ["Hamburg-SIP.contoso.test"]
    assert text_of(plan["msexchumdialplanuritype"]) == ["3"]
    assert text_of(plan["msexchumdialplanvoipsecurity"]) == ["3"]
    assert text_of(plan["msexchumnumberingplandigits"]) == ["4"]
    assert text_of(plan["msexchumvoicemailpilotnumbers"]) == ["+494012345600", "+494012345601"]
    policy = servers.one("contoso.test", f"CN=Hamburg-SIP Default Policy,CN=UM Mailbox Policies,{ORGANISATION}")
    assert text_of(policy["msexchummailboxpolicydialplanlink"]) == [made["dn"]]
    servers.bad(EXCHANGE, "new-um-dial-plan", item, "UMX-1716", "there already")
    servers.bad(EXCHANGE, "new-um-dial-plan", {**item, "digits": "5"}, "UMX-1714", "already exists")

    (before,) = servers.good(EXCHANGE, "set-um-dial-plan", {"name": "Hamburg-SIP", "access_numbers": "+494099", "country_code": "41"})
    assert before == {"previous_access_numbers": "+494012345600\n+494012345601", "previous_country_code": "49"}
    plan = servers.one("contoso.test", made["dn"])
    assert text_of(plan["msexchumvoicemailpilotnumbers"]) == ["+494099"] and text_of(plan["msexchumcountrycode"]) == ["41"]
    servers.good(EXCHANGE, "set-um-dial-plan", {"name": "Hamburg-SIP", "access_numbers": ""})
    assert "msexchumvoicemailpilotnumbers" not in servers.one("contoso.test", made["dn"])

    (attendant,) = servers.good(EXCHANGE, "new-um-auto-attendant",
                                {"name": "Hamburg-Reception", "dial_plan": "Hamburg-SIP", "numbers": "+494012345610"})
    assert text_of(servers.one("contoso.test", attendant["dn"])["msexchumautoattendantflags"]) == ["1"]
    servers.good(EXCHANGE, "disable-um-auto-attendant", {"name": "Hamburg-Reception"})
    assert text_of(servers.one("contoso.test", attendant["dn"])["msexchumautoattendantflags"]) == ["0"]
    servers.good(EXCHANGE, "enable-um-auto-attendant", {"name": "Hamburg-Reception"})
    assert text_of(servers.one("contoso.test", attendant["dn"])["msexchumautoattendantflags"]) == ["1"]
    (extra,) = servers.good(EXCHANGE, "new-um-mailbox-policy", {"name": "Vorstand, Hamburg", "dial_plan": "Hamburg-SIP"})
    assert servers.search("contoso.test", extra["dn"])

    servers.bad(EXCHANGE, "remove-um-dial-plan", {"name": "Hamburg-SIP"}, "UMX-1714", "in use")
    servers.good(EXCHANGE, "remove-um-auto-attendant", {"name": "Hamburg-Reception"})
    servers.good(EXCHANGE, "remove-um-mailbox-policy", {"name": "Vorstand, Hamburg"})
    servers.good(EXCHANGE, "remove-um-dial-plan", {"name": "Hamburg-SIP"})
    assert not servers.search("contoso.test", ORGANISATION, "(|(cn=Hamburg*)(cn=Vorstand, Hamburg))")


def test_what_exchange_refuses_is_told(servers):
    servers.bad(EXCHANGE, "new-um-dial-plan", {"name": "A-SIP", "digits": "5", "security": "Secured"}, "UMX-1714",
                "CountryOrRegionCode")
    servers.bad(EXCHANGE, "new-um-auto-attendant", {"name": "A", "dial_plan": "Nowhere"}, "UMX-1714", "couldn't be found")
    servers.bad(EXCHANGE, "new-um-auto-attendant", {"name": "A", "dial_plan": "Berlin-SIP", "numbers": "+493012345610"},
                "UMX-1714", "Berlin-Reception")
    servers.bad(EXCHANGE, "set-cs-user", {"sip_address": "a@x.test"}, "UMX-1713", EXCHANGE)
    servers.bad(EXCHANGE, "new-um-dial-plan", {"name": "x'; Remove-UMDialPlan 'Berlin-SIP", "digits": "5", "security": "Secured"},
                "UMX-1714", "CountryOrRegionCode")
    # Exchange 2010 does not ask for the country.
    servers.good(OLD, "new-um-dial-plan", {"name": "Old-SIP", "digits": "5", "security": "SIPSecured"})
    servers.good(OLD, "remove-um-dial-plan", {"name": "Old-SIP"})
    assert not servers.search("contoso.test", ORGANISATION, "(cn=*Remove-UMDialPlan*)")


def people(servers, count):
    """Mailbox users of contoso that are not enabled."""
    found = servers.search("contoso.test", "OU=Staff,DC=contoso,DC=test",
                           "(&(msExchMailboxGuid=*)(!(msExchUMEnabledFlags=*)))", "mail", "proxyAddresses", "objectGUID")
    return [(dn, text_of(e["mail"])[0]) for dn, e in sorted(found.items())[:count]]


def enabling(person, extension):
    return {"user": person[0], "policy": "Berlin-SIP Default Policy", "extension": extension, "sip_address": f"sip:{person[1]}"}


def test_people_get_voice_mail_in_one_shell(servers):
    first, second, third = people(servers, 3)
    before = {p[0]: servers.one("contoso.test", p[0]) for p in (first, second, third)}
    results = servers.run(EXCHANGE, "enable-um-mailbox", enabling(first, "31001"), enabling(second, "31001"),
                          enabling(third, "3100"), enabling(second, "31002"))
    assert [r["ok"] for r in results] == [True, False, False, True], results
    assert "already assigned" in results[1]["detail"] and "5 digits" in results[2]["detail"]
    now = servers.one("contoso.test", first[0])
    assert {f"EUM:{first[1]};phone-context=Berlin-SIP.contoso.test", "eum:31001;phone-context=Berlin-SIP.contoso.test"} <= \
        set(text_of(now["proxyaddresses"]))
    assert text_of(now["msexchumtemplatelink"]) == [f"CN=Berlin-SIP Default Policy,CN=UM Mailbox Policies,{ORGANISATION}"]
    assert int(text_of(now["msexchumenabledflags"])[0]) & 1
    undone = servers.good(EXCHANGE, "disable-um-mailbox", {"user": first[0]}, {"user": second[0]})
    assert undone[0] == {"policy": "Berlin-SIP Default Policy", "extension": "31001", "sip_address": first[1]}
    for dn, entry in before.items():
        again = servers.one("contoso.test", dn)
        assert {n: sorted(v) for n, v in again.items() if n not in ("whenchanged", "usnchanged")} == \
            {n: sorted(v) for n, v in entry.items() if n not in ("whenchanged", "usnchanged")}


def test_eum_addresses_are_added_and_removed(servers):
    (person,) = people(servers, 1)
    old, new = f"eum:{person[1]};phone-context=X.contoso.test", "eum:41001;phone-context=X.contoso.test"
    servers.good(EXCHANGE, "set-eum-addresses", {"user": person[0], "add": f"{old}\n{new}"})
    servers.good(EXCHANGE, "set-eum-addresses", {"user": person[0], "remove": old.replace(person[1], person[1].upper())})
    addresses = text_of(servers.one("contoso.test", person[0])["proxyaddresses"])
    assert new in addresses and old not in addresses
    servers.good(EXCHANGE, "set-eum-addresses", {"user": person[0], "add": "", "remove": new})
    assert new not in text_of(servers.one("contoso.test", person[0])["proxyaddresses"])


def test_refused_eum_addresses_leave_nothing_half_way(servers):
    """What goes before the refused addition (the same address with another case) comes back."""
    person, other = people(servers, 2)
    taken, mine = "eum:42001;phone-context=X.contoso.test", "eum:42002;phone-context=X.contoso.test"
    servers.good(EXCHANGE, "set-eum-addresses", {"user": other[0], "add": taken})
    servers.good(EXCHANGE, "set-eum-addresses", {"user": person[0], "add": mine})
    servers.bad(EXCHANGE, "set-eum-addresses",
                {"user": person[0], "add": f"EUM{mine[3:]}\n{taken}", "remove": mine}, "UMX-1714", "already being used")
    addresses = text_of(servers.one("contoso.test", person[0])["proxyaddresses"])
    assert mine in addresses and taken not in addresses
    servers.good(EXCHANGE, "set-eum-addresses", {"user": person[0], "remove": mine})
    servers.good(EXCHANGE, "set-eum-addresses", {"user": other[0], "remove": taken})


def sign(servers, request, tmp_path):
    """The lab's authority signs a request."""
    (tmp_path / "r.csr").write_text(request)
    (tmp_path / "x.cnf").write_text("extendedKeyUsage = serverAuth,clientAuth\n")
    ca = servers.directory / "ca"
    subprocess.run(["openssl", "x509", "-req", "-in", tmp_path / "r.csr", "-CA", ca / "ca.pem", "-CAkey", ca / "ca.key", "-days", "300",
                    "-set_serial", "4711", "-copy_extensions", "copy", "-extfile", tmp_path / "x.cnf", "-out", tmp_path / "c.pem"],
                   check=True, capture_output=True)
    return (tmp_path / "c.pem").read_text()


def test_a_certificate_is_asked_for_imported_and_bound(servers, tmp_path):
    dn = f"CN=COMBX1,CN=Servers,CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,{ORGANISATION}"
    server = servers.one("contoso.test", dn, "(objectClass=msExchExchangeServer)")
    bound = text_of(server["msexchumcertificatethumbprint"])[0]
    (asked,) = servers.good(EXCHANGE, "new-certificate-request", {
        "server": EXCHANGE, "subject": f"CN={EXCHANGE}", "names": f"{EXCHANGE}\ncontoso.test", "friendly_name": "UM 2026"})
    assert asked["request"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
    pem = sign(servers, asked["request"], tmp_path)
    der = base64.b64encode(subprocess.run(["openssl", "x509", "-in", tmp_path / "c.pem", "-outform", "DER"], check=True,
                                          capture_output=True).stdout).decode()
    (imported,) = servers.good(EXCHANGE, "import-certificate", {"server": EXCHANGE, "certificate": der})
    certificate = next(c for c in servers.facts(EXCHANGE)["certificate"] if c["thumbprint"] == imported["thumbprint"])
    assert certificate["private_key"] and certificate["chain"] == "ok" and EXCHANGE in certificate["dns_name"]
    servers.bad(EXCHANGE, "import-certificate", {"server": EXCHANGE, "certificate": pem}, "UMX-1716", "there already")
    (previous,) = servers.good(EXCHANGE, "enable-certificate", {"server": EXCHANGE, "service": "UM", "thumbprint": imported["thumbprint"]})
    assert previous == {"previous_thumbprint": bound}
    assert imported["thumbprint"] in {s["certificate_thumbprint"] for s in servers.facts(EXCHANGE)["um_setting"]}
    servers.bad(EXCHANGE, "remove-certificate", {"server": EXCHANGE, "thumbprint": imported["thumbprint"]}, "UMX-1714", "used by")
    servers.good(EXCHANGE, "enable-certificate", {"server": EXCHANGE, "service": "UM", "thumbprint": bound})
    servers.good(EXCHANGE, "remove-certificate", {"server": EXCHANGE, "thumbprint": imported["thumbprint"]})
    # A request that nobody answers is taken back; a certificate that answers none is refused.
    (asked,) = servers.good(EXCHANGE, "new-certificate-request", {
        "server": EXCHANGE, "subject": f"CN={EXCHANGE}", "names": EXCHANGE, "friendly_name": "never"})
    servers.good(EXCHANGE, "remove-certificate-request", {"server": EXCHANGE, "thumbprint": asked["thumbprint"]})
    servers.bad(EXCHANGE, "import-certificate", {"server": EXCHANGE, "certificate": pem}, "UMX-1714", "private key")
    assert not list((servers.host(EXCHANGE) / "requests").iterdir())


def test_a_certificate_is_not_bound_in_tcp_mode(servers):
    server = "combx2.contoso.test"
    facts = servers.facts(server)
    setting = next(s for s in facts["um_setting"] if s["service"] == "MSExchangeUMCR")
    assert setting["startup_mode"] == "tcp"
    certificate = next(c for c in facts["certificate"] if c["store"] == "My" and c["private_key"]
                       and c["thumbprint"] != setting["certificate_thumbprint"])
    item = {"server": server, "service": "UMCallRouter", "thumbprint": certificate["thumbprint"]}
    servers.bad(server, "enable-certificate", item, "UMX-1714", "startup mode")
    servers.bad(server, "enable-certificate", {**item, "thumbprint": "0" * 40}, "UMX-1714", "not found")
    servers.bad(EXCHANGE, "enable-certificate", item, "UMX-1712", "server")


def plan_of(servers, identity):
    return next((p for p in servers.store("lync.test")["dial_plans"] if p["Identity"].lower() == identity.lower()), None)


def test_lync_dial_plans_and_their_rules(servers):
    item = {"identity": "site:Hamburg", "simple_name": "Hamburg-SIP.contoso.test"}
    servers.good(LYNC, "new-cs-dial-plan", item)
    assert plan_of(servers, "site:Hamburg")["SimpleName"] == "Hamburg-SIP.contoso.test"
    servers.bad(LYNC, "new-cs-dial-plan", item, "UMX-1716", "there already")
    servers.bad(LYNC, "new-cs-dial-plan", {"identity": "site:Atlantis", "simple_name": "A"}, "UMX-1714", "Atlantis")
    servers.bad(LYNC, "new-cs-dial-plan", {"identity": "Staff", "simple_name": "Berlin-SIP.contoso.test"}, "UMX-1714", "already used")
    servers.bad(LYNC, "new-cs-dial-plan", {"identity": "Staff", "simple_name": "Zürich 1"}, "UMX-1712", "simple_name")
    assert servers.good(LYNC, "set-cs-dial-plan", {**item, "simple_name": "HH"}) == [{"previous_simple_name": "Hamburg-SIP.contoso.test"}]
    rule = {"dial_plan": "site:Hamburg", "name": "Extension", "pattern": "^(\\d{4})$", "translation": "+494012$1"}
    servers.good(LYNC, "add-cs-normalization-rule", rule)
    rules = plan_of(servers, "site:Hamburg")["NormalizationRules"]
    # Before the rule that every new plan has: it leaves all numbers as they are.
    assert [r["Name"] for r in rules] == ["Extension", "Keep All"]
    assert rules[0] == {"Name": "Extension", "Pattern": "^(\\d{4})$", "Translation": "+494012$1"}
    found = next(p for p in servers.facts(LYNC)["lync_dial_plan"] if p["identity"].lower() == "site:hamburg")
    assert found["simple_name"] == "HH" and "^(\\d{4})$\t+494012$1" in found["rule"]
    servers.good(LYNC, "remove-cs-normalization-rule", {"dial_plan": "site:Hamburg", "name": "Extension"})
    assert "Extension" not in {r["Name"] for r in plan_of(servers, "site:Hamburg")["NormalizationRules"]}
    servers.good(LYNC, "remove-cs-dial-plan", {"identity": "site:Hamburg"})
    assert plan_of(servers, "site:Hamburg") is None


def lync_user(servers, address):
    entry = servers.one("lync.test", "DC=lync,DC=test", f"(msRTCSIP-PrimaryUserAddress=sip:{address})",
                        "msRTCSIP-OptionFlags", "msRTCSIP-Line")
    return int(text_of(entry["msrtcsip-optionflags"])[0]), text_of(entry.get("msrtcsip-line", []))


def test_people_get_enterprise_voice_and_policies(servers):
    users = servers.facts(LYNC)["lync_user"]
    address = next(u["sip_address"] for u in users if not u["enterprise_voice"])[4:]
    taken = next(u["line"] for u in users if u["line"])
    (before,) = servers.good(LYNC, "set-cs-user", {"sip_address": f"sip:{address}", "enterprise_voice": "true", "line": "tel:+496955;ext=55"})
    assert before == {"previous_enterprise_voice": "false", "previous_line": ""}
    assert lync_user(servers, address) == (256 | 128, ["tel:+496955;ext=55"])
    servers.bad(LYNC, "set-cs-user", {"sip_address": address, "line": taken}, "UMX-1714", "already assigned")
    servers.bad(LYNC, "set-cs-user", {"sip_address": "nobody@lync.test", "line": ""}, "UMX-1714", "nobody@lync.test")
    servers.good(LYNC, "new-cs-dial-plan", {"identity": "Staff", "simple_name": "Staff"})
    assert servers.good(LYNC, "grant-cs-dial-plan", {"sip_address": address, "policy": "Staff"}) == [{"previous_policy": ""}]
    assert servers.good(LYNC, "grant-cs-voice-policy", {"sip_address": address, "policy": "Staff"}) == [{"previous_policy": ""}]
    servers.bad(LYNC, "grant-cs-voice-policy", {"sip_address": address, "policy": "Nobody"}, "UMX-1714", "Nobody")
    user = next(u for u in servers.facts(LYNC)["lync_user"] if u["sip_address"] == f"sip:{address}")
    assert (user["dial_plan"], user["voice_policy"], user["enterprise_voice"], user["line"]) == ("Staff", "Staff", True, "tel:+496955;ext=55")
    servers.bad(LYNC, "remove-cs-dial-plan", {"identity": "Staff"}, "UMX-1714", "granted")
    assert servers.good(LYNC, "grant-cs-dial-plan", {"sip_address": address, "policy": ""}) == [{"previous_policy": "Staff"}]
    servers.good(LYNC, "grant-cs-voice-policy", {"sip_address": address, "policy": ""})
    servers.good(LYNC, "remove-cs-dial-plan", {"identity": "Staff"})
    servers.good(LYNC, "set-cs-user", {"sip_address": address, "enterprise_voice": "false", "line": ""})
    assert lync_user(servers, address) == (256, [])


def entries_of(servers, ou):
    """The access-control list of a unit, as it is stored."""
    out = lab(servers.directory, "ldapsearch", "lync.test", "-E", "1.2.840.113556.1.4.801=::MAMCAQQ=", "-b", ou, "-s", "base",
              "(objectClass=*)", "nTSecurityDescriptor").stdout
    (entry,) = parse_ldif(out).values()
    return entry["nTSecurityDescriptor"]


def test_rights_on_an_organizational_unit(servers):
    ou = "OU=Staff,DC=lync,DC=test"
    before = entries_of(servers, ou)
    for kind in ("Contact", "Device"):
        servers.good(LYNC, "grant-cs-ou-permission", {"ou": ou, "object_type": kind})
        servers.bad(LYNC, "grant-cs-ou-permission", {"ou": ou, "object_type": kind}, "UMX-1716", "there already")
    for kind in ("Contact", "Device"):
        servers.good(LYNC, "revoke-cs-ou-permission", {"ou": ou, "object_type": kind})
    assert entries_of(servers, ou) == before
    servers.good(LYNC, "revoke-cs-ou-permission", {"ou": ou, "object_type": "Device"})  # gone already
    servers.bad(LYNC, "grant-cs-ou-permission", {"ou": "OU=Nowhere,DC=lync,DC=test", "object_type": "Device"}, "UMX-1714", "")


def test_a_front_end_restarts(servers):
    def service():
        return next(s for s in json.loads((servers.host(LYNC) / "services.json").read_text()) if s["name"] == "RTCSRV")

    before = service()
    (result,) = servers.run(LYNC, "restart-front-end", {"service": "RTCSRV"})
    assert result["ok"] and "running since" in result["detail"], result
    assert service()["state"] == "running" and service()["process_id"] != before["process_id"]
    assert service()["started_at"] > before["started_at"]
    servers.bad(LYNC, "restart-front-end", {"service": "RTCMEDSRV"}, "UMX-1712", "service")


def test_calls_and_pools_are_reported(servers):
    (servers.host(EXCHANGE) / "calls.json").write_text('{"active": 3}')
    settings = {s["service"]: s for s in servers.facts(EXCHANGE)["um_setting"]}
    assert settings["MSExchangeUM"]["active_calls"] == 3
    (servers.host(EXCHANGE) / "calls.json").write_text('{"active": 0}')
    members = {m["member"]: m for m in servers.facts(LYNC)["lync_pool_member"]}
    assert members[LYNC]["site"] == "Site:Berlin" and members["branch1.lync.test"]["site"] == "Site:Hamburg"
    assert members[LYNC]["backup_pool"] == "pool2.lync.test" and members[LYNC]["backup_of"] == ["pool2.lync.test"]
    assert members[LYNC]["ready"] is True


def kill_after_the_change(servers, action, item, batch, server=EXCHANGE):
    """The agent is killed when the change is made and its shell has not answered."""
    (servers.host(server) / "paused").unlink(missing_ok=True)
    (servers.host(server) / "pause").write_text("60")
    process = servers.start(server, action, item, batch=batch)
    end = time.monotonic() + 60
    while not (servers.host(server) / "paused").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=10) == -signal.SIGKILL


def test_a_killed_agent_does_nothing_twice(servers):
    (person,) = people(servers, 1)
    item = enabling(person, "32001")
    kill_after_the_change(servers, "enable-um-mailbox", item, "killed")
    usn = servers.one("contoso.test", person[0], "(objectClass=*)", "uSNChanged")
    (asked,) = servers.run(EXCHANGE, "enable-um-mailbox", item, batch="killed", ask=True)
    assert asked["ok"], asked
    (again,) = servers.run(EXCHANGE, "enable-um-mailbox", item, batch="killed")
    assert again["ok"], again
    assert servers.one("contoso.test", person[0], "(objectClass=*)", "uSNChanged") == usn
    servers.good(EXCHANGE, "disable-um-mailbox", {"user": person[0]})


def test_a_half_made_dial_plan_says_what_is_missing(servers):
    """New-UMDialPlan makes two objects; the engine ends with the agent between them."""
    item = {"name": "Half-SIP", "digits": "5", "security": "Secured", "country_code": "49"}
    kill_after_the_change(servers, "new-um-dial-plan", item, "half")
    (asked,) = servers.run(EXCHANGE, "new-um-dial-plan", item, batch="half")
    assert not asked["ok"] and asked["uncertain"] and "UMX-1721" in asked["detail"], asked
    assert "missing: mailbox policy Half-SIP Default Policy;" in asked["detail"], asked
    # A person takes away what there is; then it can be said that it is not done, and it is done.
    servers.good(EXCHANGE, "remove-um-dial-plan", {"name": "Half-SIP"})
    (asked,) = servers.run(EXCHANGE, "new-um-dial-plan", item, batch="half", ask=True)
    assert not asked["ok"] and asked["not_done"], asked
    (done,) = servers.run(EXCHANGE, "new-um-dial-plan", item, batch="half")
    assert done["ok"], done
    servers.good(EXCHANGE, "remove-um-dial-plan", {"name": "Half-SIP"})


def test_a_half_made_dial_plan_is_made_whole_by_hand(servers):
    """A person makes the policy, and the agent finds the whole; a removal that was cut off is done again."""
    item = {"name": "Half-Old", "digits": "5", "security": "Secured", "access_numbers": "+494012345600", "country_code": "49"}
    kill_after_the_change(servers, "new-um-dial-plan", item, "old", server=OLD)
    (asked,) = servers.run(OLD, "new-um-dial-plan", item, batch="old", ask=True)
    assert asked["uncertain"] and "UMX-1721" in asked["detail"], asked
    assert "missing: mailbox policy Half-Old Default Policy;" in asked["detail"], asked
    servers.good(OLD, "new-um-mailbox-policy", {"name": "Half-Old Default Policy", "dial_plan": "Half-Old"})
    (asked,) = servers.run(OLD, "new-um-dial-plan", item, batch="old", ask=True)
    assert asked["ok"] and "Half-Old" in json.loads(asked["detail"])["dn"], asked
    # The removal is cut off after the policy: the rest is removed by doing it again.
    kill_after_the_change(servers, "remove-um-dial-plan", {"name": "Half-Old"}, "old-gone", server=OLD)
    assert servers.search("contoso.test", ORGANISATION, "(cn=Half-Old)")
    (asked,) = servers.run(OLD, "remove-um-dial-plan", {"name": "Half-Old"}, batch="old-gone", ask=True)
    assert asked["not_done"], asked
    (gone,) = servers.run(OLD, "remove-um-dial-plan", {"name": "Half-Old"}, batch="old-gone")
    assert gone["ok"], gone
    assert not servers.search("contoso.test", ORGANISATION, "(cn=Half-Old*)")

"""What operators see and give: templates and rows, the page for a change ticket, one screen of status, readings of one
pair alone."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CONTOSO, LYNC, ROOT
from plans import create, show

PAIR = "contoso.test:lync.test"


def template(stage, *arguments):
    answer = stage.umx(LYNC, "plan", "template", *arguments)
    assert answer.code == 0, answer
    return answer.json


def test_a_template_goes_through_a_spreadsheet(stage):
    rows = template(stage, "--phase", "ocsumutil", "--pair", PAIR)
    assert set(rows) == {"dial_plan", "auto_attendant", "user", "contact"}
    assert rows["contact"] and all("row" not in row for row in rows["contact"])
    for separator in ",;":
        answer = stage.umx(LYNC, "plan", "template", "--phase", "ocsumutil", "--pair", PAIR, "-o", "csv", "--separator",
                           separator, json=False)
        assert answer.code == 0 and answer.out.startswith("\ufeff"), answer
        read = list(csv.DictReader(io.StringIO(answer.out[1:]), delimiter=separator))
        assert len(read) == len(rows["contact"])
        for got, want in zip(read, rows["contact"]):
            for column, value in want.items():
                cell = got[column]
                assert (cell.removeprefix("'") or None) == (None if value is None else str(value)), (column, cell, value)


def test_phases_without_rows_and_unknown_pairs_are_refused(stage):
    answer = stage.umx(LYNC, "plan", "template", "--phase", "exchucutil")
    assert answer.code == 2 and answer.error == "UMX-1312", answer
    answer = stage.umx(LYNC, "plan", "template", "--pair", "contoso.test:nosuch.test")
    assert answer.code == 2 and answer.error == "UMX-1302", answer


def test_bad_rows_are_all_named(stage, tmp_path):
    bad = tmp_path / "plans.csv"
    bad.write_text("forest;name;digits;country_code\ncontoso.test;A;vier;49\ncontoso.test;B;4;49\n"
                   "contoso.test;C;4,9E+11;49\n")
    answer = stage.umx(CONTOSO, "plan", "create", "rows-bad", "--phase", "dial-plans", "--input", bad, json=False)
    assert answer.code == 2, answer
    assert f"{bad}:2: digits: `vier` is not a number" in answer.err
    assert f"{bad}:4: digits:" in answer.err
    assert "UMX-1313" in answer.err and f"{bad}:3" not in answer.err
    assert stage.umx(CONTOSO, "plan", "show", "rows-bad").code == 1


def test_rows_become_a_plan(stage, tmp_path):
    rows = tmp_path / "plans.csv"
    rows.write_bytes("\ufeffforest,name,digits,country_code,access_number\r\n"
                     "contoso.test,RowsEU,4,49,+4930123;+4930124\r\n,,,,\r\n".encode())
    answer = stage.umx(CONTOSO, "plan", "create", "rows-good", "--phase", "dial-plans", "--pair", PAIR, "--input", rows)
    assert answer.code == 0, answer
    plan = show(stage, "rows-good")
    assert plan["rows"] == {"dial_plan": 1, "auto_attendant": 0, "user": 0, "contact": 0}
    assert any("RowsEU" in step["summary"] for step in plan["steps"]), plan["steps"]
    refused = tmp_path / "refused.csv"
    refused.write_text("forest,name,digits\nnosuch.test,X,4\ncontoso.test,Y,99\n")
    answer = stage.umx(CONTOSO, "plan", "create", "rows-refused", "--phase", "dial-plans", "--pair", PAIR, "--input",
                       refused, json=False)
    assert answer.code == 2 and "UMX-1311" in answer.err and f"rows of dial_plan are those of {refused}" in answer.err


def test_the_page_for_the_ticket(stage, tmp_path):
    hostile = "CHG <1> & \"Müller\"'</td><script>alert(1)</script>"
    create(stage, "page", pair=PAIR, arguments=["--ticket", hostile])
    page = tmp_path / "page.html"
    answer = stage.umx(CONTOSO, "plan", "export", "page", "--html", "--out", page, json=False)
    assert answer.code == 0 and answer.out == "", answer
    export = stage.umx(CONTOSO, "plan", "export", "page").json
    steps = show(stage, "page")["steps"]
    assert show(stage, "page")["author_name"] == "olga.orgadmin of contoso.test"
    texts = [hostile, "olga.orgadmin of contoso.test", export["hash"], f"entry {export['head']['sequence']}, SHA-256 {export['head']['hash']}",
             "Forest contoso.test", *(step["summary"] for step in steps)]
    checked = subprocess.run([sys.executable, ROOT / "tests/unit/well_formed.py", page, *texts], capture_output=True,
                             text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
    assert not list(Path(tmp_path).glob("*.part"))
    entries = stage.umx(CONTOSO, "audit").json["entries"]
    assert entries[-1]["sequence"] == export["head"]["sequence"] and entries[-1]["hash"] == export["head"]["hash"]
    few = [e["sequence"] for e in entries[-2:]]
    assert [e["sequence"] for e in stage.umx(CONTOSO, "audit", "--limit", "2").json["entries"]] == few
    after = stage.umx(CONTOSO, "audit", "--after", few[0] - 1, "--limit", "1").json["entries"]
    assert [e["sequence"] for e in after] == few[:1]
    assert stage.umx(CONTOSO, "query", "SELECT max(sequence) AS newest FROM journal").json["rows"] == [{"newest": few[-1]}]


def test_one_screen(stage):
    answer = stage.umx(LYNC, "status", json=False, environment={"COLUMNS": "80"})
    lines = answer.out.splitlines()
    assert answer.code == 0 and max(map(len, lines)) <= 80, answer.out
    assert sum(line.startswith("exchucutil ") for line in lines) == 1


def read_at(stage):
    rows = stage.umx(LYNC, "query", "SELECT forest, collected_at FROM forest").json["rows"]
    return {row["forest"]: row["collected_at"] for row in rows}


def test_one_pair_reads_its_forests_alone(stage):
    stage.umx(LYNC, "check", "--phase", "forests")
    before = read_at(stage)
    answer = stage.umx(LYNC, "check", "--phase", "forests", "--pair", PAIR)
    assert {f["forest"] for f in answer.json["findings"]} <= {"contoso.test", "lync.test"}
    after = read_at(stage)
    assert before["fabrikam.test"] == after["fabrikam.test"]
    assert before["contoso.test"] < after["contoso.test"] and before["lync.test"] < after["lync.test"]


@pytest.mark.parametrize("forest, command", [("contoso.test", "msExchUMDialPlanVoipSecurity"),
                                             ("lync.test", "CCDC;contact")])
def test_grants_are_of_the_forest(stage, forest, command):
    grants = stage.umx(LYNC, "grants", "show", forest).json["grants"]
    assert any(command in grant["command"] for grant in grants)
    assert not any("<ORG>" in grant["command"] or "<CFG>" in grant["command"] for grant in grants), grants
    assert any("SHELL ACCOUNT" in grant["account"] for grant in grants)

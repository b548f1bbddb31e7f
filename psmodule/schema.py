#!/usr/bin/python3
"""schema.py UMX OUT.json: tables, columns, phases and checks as the program umx knows them, for the module.

The file keeps its time when nothing in it has changed: a program that was linked again does not build the module again.
"""
import json
import pathlib
import subprocess
import sys


def ask(umx, *words):
    return json.loads(subprocess.run([umx, *words, "-o", "json"], check=True, stdout=subprocess.PIPE).stdout)


def main(umx, out):
    tables = [{**table, "columns": ask(umx, "tables", table["name"])["columns"]} for table in ask(umx, "tables")["tables"]]
    phases = ask(umx, "phases")["phases"]
    checks = [check for phase in phases for check in ask(umx, "phases", phase["slug"])["checks"]]
    text = json.dumps({"tables": tables, "phases": phases, "checks": checks}, indent=0)
    file = pathlib.Path(out)
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


main(*sys.argv[1:])

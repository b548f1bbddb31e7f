#!/usr/bin/python3
"""views.py VIEWS.txt OUT.ps1xml: the default views of the module, from a line each."""
import pathlib
import sys
from xml.sax.saxutils import escape

WIDEST = 88  # of all columns but the last


def cell(column):
    state, name = column["state"], escape(column["name"])
    if column["brief"]:
        return f"<ScriptBlock>[Umx.Brief]::{name}($_)</ScriptBlock>"
    if state:
        return f"<ScriptBlock>[Umx.StateWord]::Show($_.{name}, $Host)</ScriptBlock>"
    return f"<PropertyName>{name}</PropertyName>"


def header(column):
    width = f"<Width>{column['width']}</Width>" if column["width"] else ""
    alignment = "<Alignment>Right</Alignment>" if column["number"] else ""
    return f"<TableColumnHeader><Label>{escape(column['name'])}</Label>{width}{alignment}</TableColumnHeader>"


def column(word):
    name, _, width = word.lstrip("*>").rstrip("!").partition(":")
    return {"name": name, "brief": word.endswith("!"), "width": int(width or 0), "state": word.startswith("*"), "number": word.startswith(">")}


def list_view(type_name, words):
    items = "".join(f"<ListItem><Label>{escape(name)}</Label>"
                    + (f"<ScriptBlock>[Umx.Brief]::{escape(name)}($_)</ScriptBlock>" if brief else f"<PropertyName>{escape(name)}</PropertyName>")
                    + "</ListItem>" for name, brief in ((word.rstrip("!"), word.endswith("!")) for word in words))
    return (f"    <View><Name>{type_name}</Name><ViewSelectedBy><TypeName>{type_name}</TypeName></ViewSelectedBy>\n"
            f"      <ListControl><ListEntries><ListEntry><ListItems>{items}</ListItems></ListEntry></ListEntries></ListControl>\n"
            f"    </View>\n")


def view(line):
    head, *words = line.split()
    if head.endswith(":"):
        return list_view(head[:-1], words)
    type_name, _, group = head.partition("/")
    columns = [column(word) for word in words]
    if sum(c["width"] + 1 for c in columns[:-1]) > WIDEST:
        raise SystemExit(f"{type_name} leaves its last column too little")
    grouped = f"<GroupBy><PropertyName>{escape(group)}</PropertyName></GroupBy>" if group else ""
    return (f"    <View><Name>{type_name}</Name><ViewSelectedBy><TypeName>{type_name}</TypeName></ViewSelectedBy>{grouped}\n"
            f"      <TableControl>\n"
            f"        <TableHeaders>{''.join(map(header, columns))}</TableHeaders>\n"
            f"        <TableRowEntries><TableRowEntry><TableColumnItems>"
            f"{''.join('<TableColumnItem>' + cell(c) + '</TableColumnItem>' for c in columns)}"
            f"</TableColumnItems></TableRowEntry></TableRowEntries>\n"
            f"      </TableControl>\n"
            f"    </View>\n")


def main(views, out):
    lines = [line for line in pathlib.Path(views).read_text().splitlines() if line and not line.startswith("#")]
    pathlib.Path(out).write_text('<?xml version="1.0" encoding="utf-8"?>\n<Configuration>\n  <ViewDefinitions>\n'
                                 + "".join(map(view, lines)) + "  </ViewDefinitions>\n</Configuration>\n")


main(*sys.argv[1:])

#!/usr/bin/python3
"""package.py FOLDER VERSION OUT.nupkg [LIBUMX.DLL]: the module folder as a package that a gallery, or a file share, serves.
With the Windows build's library, where that has been built, the package is for Windows too.

A .nupkg is a zip with a description and the parts that the Open Packaging Conventions ask for. Times and order are fixed:
the same folder makes the same bytes.
"""
import pathlib
import re
import sys
import zipfile
from xml.sax.saxutils import escape

EPOCH = (1980, 1, 1, 0, 0, 0)
TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
{types}</Types>
"""
RELATIONS = """<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/Umx.nuspec" Id="R1" />
</Relationships>
"""
DESCRIPTION = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2011/08/nuspec.xsd">
  <metadata>
    <id>Umx</id>
    <version>{version}</version>
    <authors>{author}</authors>
    <requireLicenseAcceptance>false</requireLicenseAcceptance>
    <description>{description}</description>
    <tags>PSModule PSEdition_Desktop PSEdition_Core {cmdlets}</tags>
  </metadata>
</package>
"""


def value(manifest, name):
    return re.search(rf"^\s*{name}\s*=\s*'([^']*)'", manifest, re.MULTILINE).group(1)


def main(folder, version, out, windows=None):
    root = pathlib.Path(folder)
    manifest = (root / "Umx.psd1").read_text()
    if value(manifest, "ModuleVersion") != version:
        raise SystemExit(f"Umx.psd1 has another version than {version}")
    exports = re.search(r"CmdletsToExport\s*=\s*@\((.*?)\)", manifest, re.DOTALL).group(1)
    cmdlets = " ".join(f"PSCmdlet_{name}" for name in re.findall(r"'([^']+)'", exports))
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    if windows is not None and pathlib.Path(windows).exists():
        files["bin/win-x64/libumx.dll"] = pathlib.Path(windows)
    files = dict(sorted(files.items()))
    extensions = sorted({path.suffix[1:] for path in files.values() if path.suffix} | {"nuspec"})
    types = "".join(f'  <Default Extension="{escape(e)}" ContentType="application/octet" />\n' for e in extensions)
    types += "".join(f'  <Override PartName="/{name}" ContentType="application/octet" />\n'
                     for name, path in files.items() if not path.suffix)
    parts = {
        "[Content_Types].xml": TYPES.format(types=types).encode(),
        "_rels/.rels": RELATIONS.encode(),
        "Umx.nuspec": DESCRIPTION.format(version=version, author=escape(value(manifest, "Author")), cmdlets=cmdlets,
                                         description=escape(value(manifest, "Description"))).encode(),
        **{name: path.read_bytes() for name, path in files.items()},
    }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)


main(*sys.argv[1:])

"""The PowerShell module's package for both systems: made by the Linux build, with the Windows build's library."""

import importlib.machinery
import importlib.util
import re
import subprocess
import zipfile

from stage.wine import PROGRAMS, ROOT, need

need("ninja", "dotnet")

BUILD = ROOT / "build"


def image_of(path):
    """What packaging/windows/inspect sees in a library."""
    loader = importlib.machinery.SourceFileLoader("inspect_programs", str(ROOT / "packaging/windows/inspect"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module.Image(path), module.SYSTEM


def test_the_package_has_the_library_of_both_systems(tmp_path):
    subprocess.run(["ninja", "-C", BUILD, "psmodule_package"], check=True, capture_output=True, timeout=900)
    version = re.search(r"^project\(umx VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(), re.M).group(1)
    with zipfile.ZipFile(BUILD / f"psmodule/Umx.{version}.nupkg") as package:
        names = package.namelist()
        assert {"Umx.dll", "Umx.psd1", "bin/linux-x64/libumx.so", "bin/win-x64/libumx.dll"} <= set(names)
        library = tmp_path / "libumx.dll"
        library.write_bytes(package.read("bin/win-x64/libumx.dll"))
        assert b'Extension="dll"' in package.read("[Content_Types].xml")
    assert library.read_bytes() == (PROGRAMS / "libumx.dll").read_bytes()
    image, system = image_of(library)
    wanted = set(re.findall(r"^ +(umx_\w+);", (ROOT / "native/client/libumx.map").read_text(), re.M))
    assert wanted and set(image.exports()) == wanted
    assert set(image.imports()) <= system

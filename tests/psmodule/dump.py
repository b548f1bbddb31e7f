#!/usr/bin/python3
"""dump.py LAB FOREST... - the forests as JSON, {FOREST: {DN: {attribute: [values]}}}, without what changes by itself."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stage.stage import OF_AN_OBJECT, Stage  # noqa: E402

stage = Stage(sys.argv[1])
with ThreadPoolExecutor() as pool:
    dumps = dict(zip(sys.argv[2:], pool.map(stage.dump, sys.argv[2:])))
json.dump({forest: {dn: {name: values for name, values in entry.items() if name not in OF_AN_OBJECT}
                    for dn, entry in dump.items()} for forest, dump in dumps.items()}, sys.stdout)

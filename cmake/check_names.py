# SPDX-License-Identifier: MIT
"""check_names.py XML_FOLDER INCLUDE_FOLDER LIST: what users find behind <diffseg/diffseg.hpp>, by
Doxygen's XML, is what the list holds. A new name there is a decision."""
import pathlib
import re
import sys
from xml.etree import ElementTree

xml, include, listed = map(pathlib.Path, sys.argv[1:])

headers = ["diffseg/diffseg.hpp"]  # and what they include
for header in headers:
    text = (include / header).read_text()
    headers += [name for name in re.findall(r'#include "(diffseg/[^"]*)"', text)
                if name not in headers]

found = set()
for path in xml.glob("*diffseg*.xml"):
    compound = ElementTree.parse(path).find("compounddef")
    if compound.get("kind") == "namespace" and compound.findtext("compoundname") == "diffseg":
        entries = [(member.findtext("name"), member) for member in compound.iter("memberdef")]
    elif compound.get("kind") in ("class", "struct") and compound.get("prot") == "public":
        entries = [(compound.findtext("compoundname").removeprefix("diffseg::"), compound)]
    else:
        continue
    found |= {name for name, entry in entries
              if "::" not in name and entry.find("location").get("file") in headers}

wanted = set(listed.read_text().split())
if found != wanted:
    sys.exit(f"{listed} must hold the public names; new: {sorted(found - wanted)}, "
             f"gone: {sorted(wanted - found)}")
print(len(found), "public names")

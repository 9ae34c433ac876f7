"""XML that python-pptx has no API for: Morph, arrow heads, shapes without the theme's shadow."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

from inspector.export.optional_dependency import needs_extra

with needs_extra("pptx", "slides"):
    from pptx.oxml import parse_xml
    from pptx.oxml.ns import nsdecls, qn

_MORPH = (
    '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
    '<mc:Choice xmlns:p159="http://schemas.microsoft.com/office/powerpoint/2015/09/main" Requires="p159">'
    '<p:transition {p} spd="slow" xmlns:p14="http://schemas.microsoft.com/office/powerpoint/2010/main" '
    'p14:dur="1000"><p159:morph option="byObject"/></p:transition></mc:Choice>'
    "<mc:Fallback><p:transition {p}><p:fade/></p:transition></mc:Fallback></mc:AlternateContent>"
)
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can store


def add_morph(slide: Any) -> None:
    """Add the Morph transition from the slide before: shapes of the same name move and change colour."""
    transition = parse_xml(_MORPH.format(p=nsdecls("p")))
    slide.element.insert_element_before(transition, "p:timing", "p:extLst")


def set_line(element: Any, colour: str, width: int, *, dashed: bool = False, arrow: bool = False) -> None:
    """The stroke of a shape or a connector. width: EMU."""
    dash = '<a:prstDash val="sysDash"/>' if dashed else ""
    head = '<a:tailEnd type="triangle" w="lg" len="lg"/>' if arrow else ""
    fill = f'<a:solidFill><a:srgbClr val="{colour.removeprefix("#")}"/></a:solidFill>'
    line = parse_xml(f'<a:ln {nsdecls("a")} w="{width}">{fill}{dash}<a:round/>{head}</a:ln>')
    properties = element.find(qn("p:spPr"))
    for old in properties.findall(qn("a:ln")):
        properties.remove(old)
    properties.append(line)


def drop_style(element: Any) -> None:
    """Remove the theme's border, fill, shadow and text colour."""
    for style in element.findall(qn("p:style")):
        element.remove(style)


def name(element: Any, title: str, description: str = "") -> None:
    """Set the name, which Morph matches, and the alt text. Without one, screen readers skip the shape."""
    properties = element.xpath(".//p:cNvPr")[0]
    properties.set("name", title)
    if description:
        properties.set("descr", description)


def without_dates(file: bytes) -> bytes:
    """The package without creation dates, so that every run gives the same bytes."""
    result = BytesIO()
    with zipfile.ZipFile(BytesIO(file)) as old, zipfile.ZipFile(result, "w") as new:
        for entry in old.infolist():
            undated = zipfile.ZipInfo(entry.filename, _EARLIEST)
            undated.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(undated, old.read(entry.filename))
    return result.getvalue()

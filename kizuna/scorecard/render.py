"""Specifications to pictures through vl-convert: no browser, no network, no system font."""

from __future__ import annotations

import functools
import re
from typing import Any

from kizuna.fonts import font_path

#: Slack and the Dagster UI show pictures well below this width, in pixels.
MAX_PNG_WIDTH = 990
_ARIA = re.compile(r'\s(?:aria-[a-z]+|role)="[^"]*"')
_FONT = re.compile(r'\sfont-family="[^"]*"')
_SIZE = re.compile(r'<svg[^>]*?\swidth="([\d.]+)"')
_DEFINED = re.compile(r'\sid="([^"]+)"')


@functools.cache
def _converter() -> Any:
    import vl_convert

    vl_convert.register_font_directory(str(font_path().parent))
    return vl_convert


def _raw_svg(spec: dict[str, Any]) -> str:
    return str(_converter().vegalite_to_svg(spec, allowed_base_urls=[]))


def chart_svg(spec: dict[str, Any], prefix: str) -> str:
    """The chart as SVG to stand inside a page.

    Ids of clips and gradients are numbered anew under ``prefix``: vl-convert counts them over the whole process, so
    the same chart would differ from run to run, and two charts on one page would share them. Fonts come from the page;
    the figure around it carries the description for screen readers.
    """
    svg = _FONT.sub("", _ARIA.sub("", _raw_svg(spec)))
    for number, name in enumerate(dict.fromkeys(_DEFINED.findall(svg))):
        new = f"{prefix}-{number}"
        svg = svg.replace(f'id="{name}"', f'id="{new}"').replace(f"url(#{name})", f"url(#{new})")
    return svg.replace('class="marks" ', "", 1)


def chart_png(spec: dict[str, Any], *, scale: float = 2.0) -> bytes:
    """The chart as PNG, sharp on dense screens, and never wider than ``MAX_PNG_WIDTH`` pixels."""
    found = _SIZE.search(_raw_svg(spec))
    width = float(found[1]) if found else MAX_PNG_WIDTH
    fitting = min(scale, MAX_PNG_WIDTH / width)
    return bytes(_converter().vegalite_to_png(spec, scale=fitting, allowed_base_urls=[]))

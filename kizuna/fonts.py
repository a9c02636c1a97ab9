"""The Japanese font: found in a pinned package, subset to the characters of one page, embedded.

A page that relies on the reader's fonts shows empty boxes on a machine without a Japanese one, and so do charts drawn
by vl-convert. IPAexGothic comes with the package ``matplotlib-fontja``; its licence (IPA Font License 1.0) allows
embedding in digital documents. The embedded subset carries a name of its own, as the licence asks of derived fonts.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import io
from pathlib import Path

from kizuna.errors import KizunaError

#: Name by which charts ask vl-convert for the font (the font's own family name).
CHART_FONT = "IPAexGothic"
#: Name of the embedded subset in pages.
PAGE_FONT = "Kizuna JP"

_ALWAYS = "".join(chr(code) for code in range(0x20, 0x7F)) + "\u2212\u2013\u2026\u25b2\u25bc\u00a5"


class FontError(KizunaError):
    """The pinned font package is missing or does not hold the font."""


@functools.cache
def font_path() -> Path:
    """Path of the TrueType file. The package is located, not imported: importing it would load matplotlib."""
    spec = importlib.util.find_spec("matplotlib_fontja")
    for folder in spec.submodule_search_locations or () if spec else ():
        candidate = Path(folder) / "fonts" / "ipaexg.ttf"
        if candidate.is_file():
            return candidate
    raise FontError("Japanese font not found: install the package matplotlib-fontja (see requirements.lock)")


@functools.cache
def covered_characters() -> frozenset[str]:
    """Every character the font has a glyph for."""
    from fontTools.ttLib import TTFont

    with TTFont(font_path(), lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


def missing_glyphs(text: str) -> set[str]:
    """Printable characters of ``text`` that the font cannot draw (emoji, Korean, …)."""
    return {c for c in text if c.isprintable() and not c.isspace()} - covered_characters()


@functools.lru_cache(maxsize=8)
def _subset(characters: str) -> bytes:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options()
    options.flavor = "woff"  # woff2 would need a compiled brotli package; zlib is in the standard library
    options.layout_features = ["kern", "palt"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [1, 2]
    options.recalc_timestamp = False  # same characters, same bytes
    with TTFont(font_path(), lazy=True, recalcTimestamp=False) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=characters)
        subsetter.subset(font)
        for record in font["name"].names:
            if record.nameID == 1:
                record.string = PAGE_FONT
        out = io.BytesIO()
        font.flavor = "woff"
        font.save(out, reorderTables=False)
    return out.getvalue()


def subset_font(text: str) -> bytes:
    """WOFF with the glyphs for every character of ``text`` (and ASCII); equal characters give equal bytes."""
    wanted = (set(text) | set(_ALWAYS)) & covered_characters()
    return _subset("".join(sorted(wanted)))


def font_face_css(text: str) -> str:
    """An ``@font-face`` rule with the subset for ``text`` inside it: no request, no installed font needed."""
    data = base64.b64encode(subset_font(text)).decode("ascii")
    return (
        f'@font-face{{font-family:"{PAGE_FONT}";font-display:block;'
        f'src:url("data:font/woff;base64,{data}") format("woff")}}'
    )

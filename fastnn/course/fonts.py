"""Fonts of Matplotlib that have Chinese glyphs."""

import sys
from functools import cache
from typing import Any

# What systems bring along, or install as fonts-noto-cjk and the like.
_FAMILIES = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("Noto Sans CJK JP", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback"),
    *("PingFang SC", "Hiragino Sans GB", "Heiti SC", "STHeiti", "Microsoft YaHei", "SimHei"),
    "Arial Unicode MS",
)


@cache
def chinese_font() -> str | None:
    """Return the name of a font that has Chinese glyphs; without one, say how to get it."""
    from matplotlib import font_manager

    for fresh in (False, True):
        if fresh:
            _add_new_fonts()
        installed = {font.name for font in font_manager.fontManager.ttflist}
        for family in _FAMILIES:
            if family in installed:
                return family
    print(
        "没有中文字体：图中的文字仍为英文。需要中文时请安装 fonts-noto-cjk（Debian、Ubuntu）"
        "或 google-noto-sans-cjk-fonts（Fedora）。",
        file=sys.stderr,
    )
    return None


def _add_new_fonts() -> None:
    """Add what was installed since Matplotlib made its list of fonts, as far as it may be ours."""
    from matplotlib import font_manager

    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in set(font_manager.findSystemFonts()) - known:
        if any(mark in path.lower() for mark in ("cjk", "wqy", "hans", "droidsansfallback")):
            font_manager.fontManager.addfont(path)


def font_settings(language: str) -> dict[Any, Any]:
    """Return Matplotlib's settings for pictures in a language; none for English."""
    family = chinese_font() if language == "zh" else None
    if family is None:
        return {}
    return {"font.family": "sans-serif", "font.sans-serif": [family, "DejaVu Sans"]}

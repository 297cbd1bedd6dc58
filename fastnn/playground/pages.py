"""The shell around every page: head, navigation, language and theme."""

from functools import cache
from html import escape
from importlib import resources
from string import Template
from urllib.parse import quote

WORDS = {
    "en": {
        "title": "fastnn playground",
        "playground": "Playground",
        "lessons": "Lessons",
        "other": "中文",
        "theme": "Light or dark",
        "skip": "To the content",
        "noscript": "This page needs JavaScript.",
    },
    "zh": {
        "title": "fastnn 神经网络游乐场",
        "playground": "游乐场",
        "lessons": "课程",
        "other": "English",
        "theme": "浅色或深色",
        "skip": "跳到内容",
        "noscript": "此页面需要 JavaScript。",
    },
}


def page(
    language: str, has_lessons: bool, title: str = "", lesson: str = "", slug: str | None = None
) -> str:
    """Return a page: the playground, or, with a slug, a lesson.

    Parameters
    ----------
    language : {"en", "zh"}
    has_lessons : bool
        Whether there is a link to them.
    title, lesson : str
        Of a lesson: its title, and its content as HTML.
    """
    words = WORDS[language]
    path = "/" if slug is None else f"/lessons/{quote(slug)}"
    links = [("/", words["playground"], slug is None)]
    if has_lessons:
        links.append(("/lessons/", words["lessons"], slug is not None))
    navigation = "".join(
        f'<a href="{address}"{" aria-current=page" if here else ""}>{text}</a>'
        for address, text, here in links
    )
    styles = ["style.css"] + (
        ["lesson.css"] if slug is not None and _is_there("lesson.css") else []
    )
    scripts = ["shell.js", "app.js"] if slug is None else ["shell.js", "embed.js"]
    if slug is not None and _is_there("lesson.js"):
        scripts.append("lesson.js")
    main = (
        _read("playground.html")
        if slug is None
        else f'<main class="lesson" id="main">{lesson}</main>'
    )
    return Template(_read("shell.html")).substitute(
        language=language,
        title=escape(f"{title} · {words['title']}" if title else words["title"]),
        styles="".join(f'<link rel="stylesheet" href="/static/{name}">' for name in styles),
        scripts="".join(
            f'<script type="module" src="/static/{name}"></script>' for name in scripts
        ),
        navigation=navigation,
        other="zh" if language == "en" else "en",
        other_name=words["other"],
        path=path,
        theme=words["theme"],
        skip=words["skip"],
        noscript=words["noscript"],
        main=main,
    )


@cache
def _read(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


def _is_there(name: str) -> bool:
    return resources.files(__package__).joinpath("static", name).is_file()

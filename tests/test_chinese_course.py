"""The course's programs in Chinese: comments, output and pictures."""

import re

import pytest
from click.testing import CliRunner

from fastnn import course
from fastnn.cli import main
from fastnn.course import fonts, phrases
from fastnn.course.lesson import Lesson

CHINESE = re.compile("[一-鿿]")


WORD = re.compile(r"[A-Za-z]{3,}")
# Strings that are names: of options, colours, functions and files.
NAMES = re.compile(
    r"[a-z_]+(?:_[a-z]+)*|3d|[\w.{}:-]+\.safetensors|ReLU"
    r"|(upper|lower|outside upper) (left|right|center)"
    r"|f ?'?\(x\)|R\^2|\{.*\}"
)


@pytest.mark.parametrize("system", course.SYSTEMS, ids=lambda system: system.name)
def test_programs_have_chinese_comments_and_strings(system):
    program = system.program("zh")
    english, chinese = (list(phrases.pieces(p)) for p in (system.program(), program))
    assert len(english) == len(chinese)
    for before, after in zip(english, chinese, strict=True):
        key = before.key.strip(" :")
        if WORD.search(key) and not NAMES.fullmatch(key):
            assert CHINESE.search(after.key), before.key

    def code(source):
        lines = []
        for piece in reversed(list(phrases.pieces(source))):
            source = source[: piece.start] + source[piece.end :]
        lines = [line.rstrip() for line in source.splitlines()]
        return [line for line in lines if line]

    assert code(program) == code(system.program())


@pytest.mark.parametrize("name", ["perceptron", "linear-xor", "truth-table", "stopping-rules"])
def test_chinese_output_has_the_same_numbers(name):
    (system,) = course.find(name)
    outputs = []
    for language in course.LANGUAGES:
        lesson = Lesson(silent=True, quick=True, language=language)
        system.run(lesson)
        outputs.append("\n".join(lesson.lines))
    english, chinese = outputs
    assert re.findall(r"-?\d+\.\d{3,}", english) == re.findall(r"-?\d+\.\d{3,}", chinese)
    assert CHINESE.search(chinese)
    assert not CHINESE.search(english)


def test_what_the_text_has_is_chinese_too(tmp_path, capsys):
    for name in ("perceptron", "perceptron-matrix"):
        lesson = Lesson(silent=True, language="zh")
        course.find(name)[0].run(lesson)
        assert "\n".join(lesson.lines) == course.texts("zh")[name]["expected"]
    with Lesson(tmp_path, language="zh").figure("one"):
        pass
    assert f"图片: {tmp_path / 'one.png'}" in capsys.readouterr().err


def test_phrases_are_all_used():
    """A phrase that no program has any more is a phrase too many."""
    for system in course.SYSTEMS:
        keys = {piece.key for piece in phrases.pieces(system.program())}
        assert set(phrases.table("zh").get(system.module, {})) <= keys, system.module


def test_chinese_pictures(tmp_path):
    if fonts.chinese_font() is None:
        pytest.skip("no font with Chinese glyphs")
    with pytest.MonkeyPatch.context() as patch:
        seen = []
        original = phrases.translate_figure

        def spy(figure, language):
            original(figure, language)
            from matplotlib.text import Text

            seen.extend(text.get_text() for text in figure.findobj(Text))

        patch.setattr("fastnn.course.lesson.translate_figure", spy)
        (system,) = course.find("single-layer")
        system.run(Lesson(tmp_path, silent=True, language="zh"))
    assert {"类别 1", "类别 -1", "边界"} <= set(seen)


def test_names_of_classes_are_translated_along_the_axes():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    axes.set_xticks([0, 1], ["Coat", "Bag"])
    phrases.translate_figure(axes.figure, "zh")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["外套", "包"]


def test_without_a_font_pictures_stay_english_and_it_is_said(monkeypatch, capsys):
    monkeypatch.setattr(fonts, "_FAMILIES", ("No Such Font",))
    fonts.chinese_font.cache_clear()
    try:
        assert fonts.font_settings("zh") == {}
        assert "请安装 fonts-noto-cjk" in capsys.readouterr().err
        lesson = Lesson(silent=True, quick=True, language="zh")
        (system,) = course.find("stopping-rules")
        system.run(lesson)
        assert "损失" in lesson.lines[0]  # what is printed is Chinese all the same
    finally:
        fonts.chinese_font.cache_clear()


def test_run_in_chinese(tmp_path):
    result = CliRunner().invoke(
        main, ["course", "--lang", "zh", "run", "5", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0
    assert result.stdout.startswith("权值：")

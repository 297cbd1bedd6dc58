"""What a page is told when something cannot be done, in both languages."""


class Problem(ValueError):
    """Something that a user asked for is not possible.

    Parameters
    ----------
    en, zh : str
        What was wrong, and what is accepted.
    """

    def __init__(self, en: str, zh: str):
        super().__init__(en)
        self.en, self.zh = en, zh


def told(error: Exception) -> dict[str, str]:
    """Return an error as a page shows it, by language."""
    if isinstance(error, Problem):
        return {"en": error.en, "zh": error.zh}
    text = str(error) or repr(error)
    return {"en": text, "zh": f"出错：{text}"}

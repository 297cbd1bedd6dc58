"""The command line of saved models: fastnn show FILE."""

from pathlib import Path

import click

from .options import to_json


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def show(file: Path, as_json: bool) -> None:
    """Print the card of a saved model: layers, data, training, and who wrote it."""
    from .card import card_of, text_of
    from .persistence import load_with_card

    model, saved = load_with_card(file)
    click.echo(to_json(card_of(model, saved)) if as_json else text_of(model, saved))

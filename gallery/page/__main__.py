"""`python -m gallery.page [FOLDER]`: the course by topic, and all other scripts in every style, as pages."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click

from gallery.page.course import COURSE, TOPICS, make_lesson, write_course
from gallery.page.figures import ROOT, make_entry
from gallery.page.page import write_page

SECTIONS = (
    ("A few scalars", ("square", "polynomial", "product", "saddle", "saddle_origin")),
    ("Figures of courses, drawn from code",
     ("cs231n_product", "cs231n_neuron", "olah", "cs224n_max", "micrograd", "regression", "baydin")),
    ("Models", ("classifier", "lstm", "nanogpt", "mingpt", "gpt2", "bert", "vit", "t5")),
)  # fmt: skip


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "build" / "gallery")
@click.option("--only", multiple=True, help="The name of a script, if not all of them are wanted; repeatable.")
def main(folder: Path, only: tuple[str, ...]) -> None:
    """Write the pages that show the gallery into FOLDER (build/gallery): index.html and styles.html."""
    folder = folder.resolve()
    wanted = [(heading, [name for name in names if name in (only or names)]) for heading, names in SECTIONS]
    scripts = [ROOT / "gallery" / f"{name}.py" for _, names in wanted for name in names]
    topics = {topic: [name for name in names if name in (only or names)] for topic, names in TOPICS.items()}
    course = [COURSE / f"{name}.py" for names in topics.values() for name in names]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        entries = {entry.name: entry for entry in pool.map(partial(make_entry, folder=folder), scripts)}
        lessons = {lesson.name: lesson for lesson in pool.map(partial(make_lesson, folder=folder), course)}
    sections = [(heading, [entries[name] for name in names]) for heading, names in wanted if names]
    (folder / "styles.html").write_text(write_page(sections), "utf-8")
    by_topic = {topic: [lessons[name] for name in names] for topic, names in topics.items() if names}
    (folder / "index.html").write_text(write_course(by_topic), "utf-8")
    click.echo(f"{folder / 'index.html'}: {len(scripts) + len(course)} scripts")


if __name__ == "__main__":
    main()

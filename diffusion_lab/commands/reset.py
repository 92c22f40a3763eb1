"""A lesson as it was: a fresh copy among your own lessons; the one that you worked in is kept beside it."""

from diffusion_lab.commands import copies
from diffusion_lab.commands.slides import notebooks


def add_arguments(parser):
    parser.add_argument("lesson", metavar="NUMBER", help="the lesson to bring back, such as 04")


def run(args):
    (lesson,) = notebooks([args.lesson])
    kept = copies.bring_back(lesson)
    folder = copies.own_lessons().name
    print(f"{folder}/{lesson.name} is as it was." + (f" Yours is kept as {folder}/{kept}" if kept else ""))

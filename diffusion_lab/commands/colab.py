"""A lesson for Google Colab: a copy whose first cell brings the course, and keeps the torch that is there."""

import json
import re
from pathlib import Path

from diffusion_lab.commands.slides import notebooks
from diffusion_lab.errors import LabError
from diffusion_lab.files import new_file

# A host, a port and a way, with nothing in them that a shell, IPython or git reads otherwise.
ADDRESS = re.compile(r"https://[^\W_][\w.-]*(:\d+)?(/([\w.~:/+-]|%[2-9A-Fa-f][0-9A-Fa-f])*)?")
CELL = """\
# Run this first: it brings the course, and all that it needs beside Colab's own torch. (Not yet tried in Colab.)
![ -d /content/course ] || git clone --quiet --depth 1 {address} /content/course
%pip install --quiet --requirement /content/course/colab/requirements.txt

import sys

from google.colab import output

sys.path.insert(0, "/content/course")
output.enable_custom_widget_manager()"""


def add_arguments(parser):
    parser.add_argument("lesson", metavar="NUMBER", help="the lesson, such as 04")
    parser.add_argument("address", help="where Colab clones the course from, https://...")
    parser.add_argument("--out", type=Path, default=Path("colab.ipynb"), help="the notebook to write (colab.ipynb)")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def run(args):
    """Write the copy. Raises LabError where the address is none that Colab could clone from."""
    if not ADDRESS.fullmatch(args.address):
        raise LabError(f"an address that anybody can clone from was expected, https://...; {args.address!r} came")
    (lesson,) = notebooks([args.lesson])
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    first = {"cell_type": "code", "execution_count": None, "id": "colab", "metadata": {}, "outputs": [],
             "source": CELL.format(address=args.address)}  # fmt: skip
    notebook["cells"].insert(0, first)
    with new_file(args.out, (".ipynb",), args.force) as part:
        part.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{args.out}: open it in Colab with File, Upload notebook, and run its first cell first")

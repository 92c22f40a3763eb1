"""Models by the part they play: what they are called, where they live, what they cost and need."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


@dataclass(frozen=True)
class Role:
    """A model as a lesson asks for it.

    `title`; `homes`, its addresses on the Hugging Face hub, tried in order; `old_homes`, addresses that are gone but
    may lie in a cache; `shipped`, its folder among this package's weights; `licence`; `gigabytes` to download, about
    (the hub is asked before); `needs`, in words; `n`, `guidance_scale` and `sampler`, its habits.
    """

    title: str
    homes: tuple[str, ...] = ()
    old_homes: tuple[str, ...] = ()
    shipped: str = ""
    licence: str = ""
    gigabytes: float = 0.0
    needs: str = "a GPU"
    n: int = 20
    guidance_scale: float = 7.5
    sampler: str = "own"

    @property
    def habits(self) -> dict:
        return {"name": self.title, "n": self.n, "guidance_scale": self.guidance_scale, "sampler": self.sampler}


ROLES = {
    "tiny-sd": Role("Tiny SD", shipped="tiny_sd"),
    "stable-diffusion-v1-5": Role(
        "Stable Diffusion v1.5",
        homes=("stable-diffusion-v1-5/stable-diffusion-v1-5", "benjamin-paine/stable-diffusion-v1-5"),
        old_homes=("runwayml/stable-diffusion-v1-5",),
        licence="CreativeML OpenRAIL-M",
        gigabytes=2.1,
        needs="a GPU with 4 GB of memory",
        n=50,
    ),
    "sd-turbo": Role(
        "SD-Turbo",
        homes=("stabilityai/sd-turbo",),
        licence="Stability AI Community Licence",
        gigabytes=2.6,
        needs="a GPU with 4 GB of memory",
        n=4,
        guidance_scale=1.0,
    ),
}


def role_of(name: str) -> Role:
    """The role of that name, or the one whose address on the hub it is; any other address is a role of its own.

    Raises LabError for what is neither.
    """
    if name in ROLES:
        return ROLES[name]
    for role in ROLES.values():
        if name in (*role.homes, *role.old_homes):
            return role
    owner, slash, model = name.partition("/")
    if slash and owner and model and "/" not in model and owner not in (".", "..", "~"):
        return Role(model, homes=(name,))
    raise LabError(f"a model is one of {', '.join(ROLES)}, an address on the hub (owner/name) or a folder; "
                   f"{name!r} came; choose one of these")  # fmt: skip

"""The samplers that diffusers brings, one line each: the only place that names them."""

from dataclasses import dataclass, field

from ..sampling import SAMPLERS as OWN


@dataclass(frozen=True)
class Scheduler:
    """A sampler as diffusers has it: its `title` for a learner, the `kind` of scheduler that walks (the name of its
    class in diffusers, without "Scheduler"), what that kind is told beyond the model's own numbers, and `eta`, the
    share of fresh noise where it shakes."""

    title: str
    kind: str
    settings: dict = field(default_factory=dict)
    eta: float | None = None


SAMPLERS = {
    "ddim": Scheduler(OWN["ddim"].title, "DDIM"),
    "ddpm": Scheduler(OWN["ddpm"].title, "DDPM", eta=1.0),
    "euler": Scheduler("Euler", "EulerDiscrete"),
    "euler_ancestral": Scheduler("Euler ancestral", "EulerAncestralDiscrete", eta=1.0),
    "heun": Scheduler(OWN["heun"].title, "HeunDiscrete"),
    "dpmpp_2m": Scheduler(OWN["dpmpp_2m"].title, "DPMSolverMultistep"),
    "dpmpp_2m_karras": Scheduler("DPM++ 2M Karras", "DPMSolverMultistep", {"use_karras_sigmas": True}),
    "dpmpp_2m_sde": Scheduler("DPM++ 2M SDE", "DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver++"}, 1.0),
    "dpmpp_1s": Scheduler("DPM++ 1S", "DPMSolverSinglestep"),
    "unipc": Scheduler("UniPC", "UniPCMultistep"),
    "deis": Scheduler("DEIS", "DEISMultistep"),
    "lms": Scheduler("LMS", "LMSDiscrete"),
    "kdpm2": Scheduler("KDPM2", "KDPM2Discrete"),
    "pndm": Scheduler("PNDM", "PNDM", {"skip_prk_steps": True}),
    "lcm": Scheduler("LCM", "LCM", eta=1.0),
}

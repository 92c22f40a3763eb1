"""The samplers that diffusers brings, one line each: the only place that names them. Nothing heavy is loaded here."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scheduler:
    """A sampler as diffusers has it: its `title` for a learner, the `kind` of scheduler that walks (the name of its
    class in diffusers, without "Scheduler"), and what that kind is told beyond the model's own numbers."""

    title: str
    kind: str
    settings: dict = field(default_factory=dict)


SAMPLERS = {
    "ddim": Scheduler("DDIM", "DDIM"),
    "ddpm": Scheduler("DDPM", "DDPM"),
    "euler": Scheduler("Euler", "EulerDiscrete"),
    "euler_ancestral": Scheduler("Euler ancestral", "EulerAncestralDiscrete"),
    "heun": Scheduler("Heun", "HeunDiscrete"),
    "dpmpp_2m": Scheduler("DPM++ 2M", "DPMSolverMultistep"),
    "dpmpp_2m_karras": Scheduler("DPM++ 2M Karras", "DPMSolverMultistep", {"use_karras_sigmas": True}),
    "dpmpp_2m_sde": Scheduler("DPM++ 2M SDE", "DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_1s": Scheduler("DPM++ 1S", "DPMSolverSinglestep"),
    "unipc": Scheduler("UniPC", "UniPCMultistep"),
    "deis": Scheduler("DEIS", "DEISMultistep"),
    "lms": Scheduler("LMS", "LMSDiscrete"),
    "kdpm2": Scheduler("KDPM2", "KDPM2Discrete"),
    "pndm": Scheduler("PNDM", "PNDM", {"skip_prk_steps": True}),
    "lcm": Scheduler("LCM", "LCM"),
}

"""How Tiny SD turbo learns: from its teacher alone. No picture is needed, only prompts and static.

It is asked where the sampler of four calls will ask it, at t = 999, 749, 499 and 249; that of two asks at the first and
the third. It learns on paths that it walks itself, so that its second call knows what its first one leaves behind.
"""

import copy
import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn

from ...distillation import jumps, matching, target
from ...errors import LabError
from ...files import whole_folder
from ...guidance import guide, guided
from ...mixing import add_noise, eps_of, predicted_eps, predicted_x0, target_of
from ...places import WEIGHTS
from ...sampling import ddim_step
from ...stable_diffusion import StableDiffusion
from ...training import Checkpoint, Optimisers, adamw, horizon, train, warm_up_and_down
from ...worlds import scenes
from ..tiny_sd.assembly import save_weights
from ..tiny_sd.settings import half
from ..tiny_sd.stages import follow

TEACHER = WEIGHTS / "tiny_sd"
FINE = 8  # guided steps of the teacher for a whole path
FOUR, TWO, ONE = [999, 749, 499, 249], [999, 499], [999]
SILENT = 0.03  # share of empty prompts
MATCHED = 0.7  # share of the second stage in the weights: it draws more surely, the first is truer to the world


class Teacher:
    """Tiny SD, which is not trained, and whatever both losses draw from a generator."""

    def __init__(self, batch: int):
        self.batch = batch
        self.sd = StableDiffusion.load(TEACHER, device="cpu")
        self.unet, self.schedule = self.sd.pipeline.unet.requires_grad_(False), self.sd.schedule
        self.unet.set_attn_processor(AttnProcessor())  # on a CPU the plain one is the faster one to train
        self.alpha_bars, self.empty = self.schedule.alpha_bars.float(), self.sd.condition([""])

    def pupil(self) -> UNet2DConditionModel:
        """A U-Net to be trained that begins as the teacher's own."""
        return copy.deepcopy(self.unet).requires_grad_(True)

    def draw(self, generator: torch.Generator, silent: float = 0.0) -> tuple[list[str], Tensor]:
        """Fresh prompts, B of them, a share of them empty; never a combination that is kept from training."""
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        prompts = [scenes.caption(scenes.choose_window(rng, "train"), rng) for _ in range(self.batch)]
        if silent:
            prompts = ["" if rng.random() < silent else prompt for prompt in prompts]
        return prompts, self.sd.condition(prompts)                                # (B, 24, 128)

    def static(self, generator: torch.Generator) -> Tensor:
        """Fresh static (B, 4, 16, 16)."""
        return torch.randn(self.batch, *self.sd.shape, generator=generator)


def velocity(unet: nn.Module, x_t: Tensor, t: int | Tensor, condition: Tensor) -> Tensor:
    """What a U-Net guesses, v (B, 4, 16, 16), in float32."""
    with half(x_t.device):
        v = unet(x_t, t, condition).sample
    return v.float()


class Imitation:
    """One jump of the student lands where two or four guided steps of the teacher land: from 999 to 499, from 749 to
    249, from 499 and from 249 to the end. Two walks of three go in two calls, the third in four; there the two calls
    in between are learned. The error is that of v."""

    def __init__(self, teacher: Teacher):
        (fine,) = jumps(teacher.schedule, 1, FINE)
        self.teacher = teacher
        self.jumps = {999: fine[:4], 749: fine[2:6], 499: fine[4:], 249: fine[6:]}

    def __call__(self, student: nn.Module, generator: torch.Generator) -> Tensor:
        prompts, condition = self.teacher.draw(generator, SILENT)
        teacher, four = guided(self.teacher.sd, prompts), bool(torch.rand(1, generator=generator) < 1 / 3)
        x, errors = self.teacher.static(generator), []
        for t, alpha_bar, alpha_bar_next in self.teacher.schedule.times(FOUR if four else TWO):
            learns = not four or t in (749, 249)
            with torch.set_grad_enabled(learns):
                v = velocity(student, x, t, condition)                            # (B, 4, 16, 16)
            if learns:
                with half("cpu"):
                    x0 = target(teacher, x, self.jumps[t])
                wanted = target_of(x0, predicted_eps(x, x0, alpha_bar), alpha_bar, "v")
                errors.append((v - wanted).square().mean())
            x = ddim_step(x, eps_of(v.detach(), x, alpha_bar, "v"), alpha_bar, alpha_bar_next)
        return sum(errors) / 2


class Matching:
    """The last call of a walk shall draw what the teacher draws, any of it (distillation.matching). Half of the walks
    go in two calls, a quarter in four, a quarter in one. Beside the student a second network, the "fake", learns
    what the student's pictures look like when they are noised (to t = 20 to 800)."""

    def __init__(self, teacher: Teacher):
        self.teacher = teacher

    def __call__(self, networks: nn.ModuleDict, generator: torch.Generator) -> Tensor:
        _, condition = self.teacher.draw(generator)
        x0 = self.walked(networks["student"], condition, generator)               # (B, 4, 16, 16)
        still, B = x0.detach(), len(x0)
        t = (20 + 780 * (torch.arange(B) + torch.rand(B, generator=generator)) / B).long()
        alpha_bar = self.teacher.alpha_bars[t].view(-1, 1, 1, 1)
        eps = torch.randn(x0.shape, generator=generator)
        x_t = add_noise(still, alpha_bar, eps)
        v = velocity(networks["fake"], x_t, t, condition)
        error = (v - target_of(still, eps, alpha_bar, "v")).square().mean()
        real, fake = (_picture(each, x_t, alpha_bar) for each in (self.pulled(x_t, t, condition), v.detach()))
        return matching(x0, real, fake) + error

    def walked(self, student: nn.Module, condition: Tensor, generator: torch.Generator) -> Tensor:
        """The pictures x0 at the end of the student's walks; gradients go through the last call."""
        x = self.teacher.static(generator)
        walk = (TWO, FOUR, ONE)[int(torch.multinomial(torch.tensor([0.5, 0.25, 0.25]), 1, generator=generator))]
        for t, alpha_bar, alpha_bar_next in self.teacher.schedule.times(walk):
            with torch.set_grad_enabled(t == walk[-1]):
                eps = eps_of(velocity(student, x, t, condition), x, alpha_bar, "v")
                if t == walk[-1]:
                    return predicted_x0(x, eps, alpha_bar)
                x = ddim_step(x, eps, alpha_bar, alpha_bar_next)

    @torch.no_grad()
    def pulled(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """The teacher's guess of v, guided."""
        cond = velocity(self.teacher.unet, x_t, t, condition)
        uncond = velocity(self.teacher.unet, x_t, t, self.teacher.empty.expand_as(condition))
        return guide(uncond, cond, self.teacher.sd.guidance_scale)


def _picture(v: Tensor, x_t: Tensor, alpha_bar: Tensor) -> Tensor:
    return predicted_x0(x_t, eps_of(v, x_t, alpha_bar, "v"), alpha_bar)


def two_speeds(networks: nn.ModuleDict) -> Optimisers:
    """AdamW without momentum: 5e-5 for the student, four times that for the fake, which must keep up."""
    rates = {"student": 5e-5, "fake": 2e-4}
    each = [torch.optim.AdamW(networks[name].parameters(), lr, betas=(0.0, 0.99), weight_decay=0.0)
            for name, lr in rates.items()]  # fmt: skip
    return Optimisers(each, warm_up_and_down(20, 0.4), clip=None)


def train_both(args: Namespace) -> Path:
    """Imitation, then matching; returns the student's folder, `out`/tiny_sd_turbo."""
    teacher = Teacher(args.batch)
    imitated = follow("imitate", train(
        teacher.pupil(), Imitation(teacher), args.steps[0], optimizer=adamw(3e-4, warm_up_and_down(20, 0.6)),
        ema=horizon(0.05), seed=50, checkpoint=_checkpoint(args, "imitate")))  # fmt: skip
    student = teacher.pupil()
    student.load_state_dict(imitated.state_dict())
    networks = nn.ModuleDict({"student": student, "fake": teacher.pupil()})
    matched = follow("match", train(
        networks, Matching(teacher), args.steps[1], optimizer=two_speeds, ema=horizon(0.1), seed=51,
        checkpoint=_checkpoint(args, "match")))  # fmt: skip
    return export(between(imitated, matched["student"], MATCHED), args.out / "tiny_sd_turbo")


@torch.no_grad()
def between(first: nn.Module, second: nn.Module, share: float) -> nn.Module:
    """A network with weights on the line from the first one's (share 0) to those of a second, trained on from it (share
    1) (Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", 2022, equation 1)."""
    made = copy.deepcopy(second)
    for mine, before in zip(made.parameters(), first.parameters(), strict=True):
        mine.lerp_(before, 1 - share)
    return made


def _checkpoint(args: Namespace, stage: str) -> Checkpoint:
    path = args.out / f"{stage}.safetensors"
    if path.exists() and not args.resume:
        raise LabError(f"an empty place was expected; a training lies in {args.out}; add --resume to go on with it, or "
                       "name another folder with --out")
    return Checkpoint(path, args.every)


def export(unet: UNet2DConditionModel, folder: Path) -> Path:
    """Writes what differs from the teacher: the U-Net in float16, and the habits, which name the model that has the
    rest. Returns the folder."""
    about = json.loads((TEACHER / "diffusion_lab.json").read_text(encoding="utf-8"))
    about |= {"name": "Tiny SD turbo", "n": 4, "guidance_scale": 1.0, "sampler": "ddim", "rest": "tiny-sd"}
    with whole_folder(folder) as part:
        (part / "unet").mkdir()
        save_weights(unet, part / "unet" / "diffusion_pytorch_model.safetensors")
        shutil.copy(TEACHER / "unet" / "config.json", part / "unet")
        (part / "diffusion_lab.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return folder

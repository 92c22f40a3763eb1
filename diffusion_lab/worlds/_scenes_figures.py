"""The eight subjects of the scenes world, and what they ride."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ._scenes_draw import RGB, Pen, darker, lighter, mix

COLOURS: dict[str, RGB] = {
    "white": (246, 246, 250), "black": (50, 48, 62), "grey": (150, 156, 170), "brown": (146, 92, 54),
    "red": (222, 58, 54), "orange": (244, 142, 44), "yellow": (252, 206, 62), "green": (84, 182, 76),
    "blue": (58, 124, 224), "purple": (146, 88, 200), "pink": (246, 152, 186),
}  # fmt: skip
WHITE, INK, ROSE, AMBER, METAL = (252, 252, 254), (34, 30, 46), (244, 138, 150), (250, 156, 42), (206, 212, 224)
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Pose:
    """Where the parts of a figure lie; the ground is y = 0, upwards is negative, everyone looks to the right."""

    head: tuple[float, float]
    torso: tuple[float, float]
    far_arm: Points
    near_arm: Points
    far_leg: Points
    near_leg: Points
    lean: float = 0.0


def _eyes(pen: Pen, gap: float = 7.5, y: float = -1, size: float = 4.2, colour: RGB = INK) -> None:
    for x in (-gap, gap):
        pen.ellipse(x + 1.5, y, size, size * 1.12, colour)
        pen.ellipse(x + 2.8, y - 1.8, size * 0.36, size * 0.36, WHITE)


def _astronaut(pen: Pen, coat: RGB) -> None:
    pen.stroke([(-9, -16), (-11, -24)], 2.6, METAL)
    pen.ellipse(-11, -25, 3.4, 3.4, COLOURS["red"])
    pen.ellipse(0, 0, 20, 19, coat)
    pen.ellipse(2, 1, 15, 13, darker(coat, 0.3))
    pen.ellipse(2, 1, 13, 11, (36, 52, 116))
    pen.ellipse(8, -4, 3.4, 2.6, (176, 206, 252), 30)


def _cat(pen: Pen, coat: RGB) -> None:
    for side in (-1, 1):
        pen.polygon([(side * 19, -5), (side * 17, -26), (side * 3, -15)], coat)
        pen.polygon([(side * 15.5, -11), (side * 15, -20.5), (side * 8, -15)], ROSE)
    pen.ellipse(0, 0, 20, 17, coat)
    pen.ellipse(1.5, 8, 9, 6.5, lighter(coat, 0.6))
    _eyes(pen, 8.5, -1.5)
    pen.ellipse(1.5, 5, 2.8, 2, (228, 96, 116))


def _dog(pen: Pen, coat: RGB) -> None:
    pen.ellipse(0, -1, 18, 18, coat)
    for side in (-1, 1):
        pen.ellipse(side * 17, 0, 6, 14, darker(coat, 0.35), side * -14)
    pen.ellipse(1.5, 8, 11, 8.5, lighter(coat, 0.65))
    _eyes(pen, 7.5, -4)
    pen.ellipse(1.5, 4.5, 5, 3.6, INK)
    pen.ellipse(1.5, 13, 3, 3.4, ROSE)


def _robot(pen: Pen, coat: RGB) -> None:
    pen.stroke([(0, -14), (0, -24)], 3, METAL)
    pen.ellipse(0, -25, 4, 4, COLOURS["red"])
    pen.box(-18, 0, 4, 6, darker(coat, 0.3), 2)
    pen.box(18, 0, 4, 6, darker(coat, 0.3), 2)
    pen.box(0, 0, 18, 16, coat, 5)
    pen.box(1.5, -1, 13.5, 10, INK, 4)
    for x in (-5, 8):
        pen.ellipse(x, -1, 4, 4.4, (92, 236, 232))


def _penguin(pen: Pen, coat: RGB) -> None:
    pen.ellipse(0, 0, 18, 18, coat)
    for side in (-1, 1):
        pen.ellipse(1.5 + side * 6, 0, 8, 9, WHITE)
    pen.ellipse(1.5, 7, 11, 8, WHITE)
    _eyes(pen, 6.5, -1, 3.6)
    pen.polygon([(-4, 4), (7, 4), (1.5, 11)], AMBER)


def _frog(pen: Pen, coat: RGB) -> None:
    for x in (-10, 11):
        pen.ellipse(x, -13, 9, 9, coat)
        pen.ellipse(x, -14, 6.4, 6.4, WHITE)
        pen.ellipse(x + 1.5, -14, 3.6, 4, INK)
    pen.ellipse(0, 2, 21, 14, coat)
    pen.ellipse(1, 8, 15, 7, lighter(coat, 0.5))
    pen.curve([(-10, 5), (1.5, 12), (13, 5)], 2.4, darker(coat, 0.6))


def _rabbit(pen: Pen, coat: RGB) -> None:
    for x, degrees in ((-8, -10), (9, 10)):
        pen.ellipse(x, -21, 6.2, 14, darker(coat, 0.06), degrees)
        pen.ellipse(x, -20, 3.2, 9.5, ROSE, degrees)
    pen.ellipse(0, 0, 18, 17, coat)
    _eyes(pen, 7.5, -2)
    pen.ellipse(1.5, 4.5, 3, 2.2, (228, 96, 116))
    pen.box(1.5, 10.5, 3, 3, WHITE, 1)


def _panda(pen: Pen, coat: RGB) -> None:
    dark = COLOURS["black"] if coat == COLOURS["white"] else darker(coat, 0.45)
    for side in (-1, 1):
        pen.ellipse(side * 14, -14, 7, 7, dark)
    pen.ellipse(0, 0, 20, 17.5, lighter(coat, 0.1))
    for x, degrees in ((-7, 25), (10, -25)):
        pen.ellipse(x, -1, 5.6, 7, dark, degrees)
        pen.ellipse(x, -1, 3, 3, WHITE)
        pen.ellipse(x + 0.8, -1, 2, 2, INK)
    if dark != COLOURS["black"]:
        pen.ellipse(1.5, 9, 9, 6.5, WHITE)
    pen.ellipse(1.5, 7, 3.6, 2.6, INK)


HEADS: dict[str, Callable[[Pen, RGB], None]] = {
    "astronaut": _astronaut, "cat": _cat, "dog": _dog, "robot": _robot,
    "penguin": _penguin, "frog": _frog, "rabbit": _rabbit, "panda": _panda,
}  # fmt: skip


def _limbs(subject: str, coat: RGB) -> tuple[RGB, RGB, RGB]:
    """The colours of arms and legs, of the feet, and of the belly."""
    if subject == "astronaut":
        return darker(coat, 0.1), darker(coat, 0.4), darker(coat, 0.1)
    if subject == "robot":
        return darker(coat, 0.25), darker(coat, 0.45), lighter(coat, 0.35)
    if subject == "penguin":
        return darker(coat, 0.1), AMBER, WHITE
    if subject == "panda":
        dark = COLOURS["black"] if coat == COLOURS["white"] else darker(coat, 0.45)
        return dark, dark, lighter(coat, 0.1)
    return darker(coat, 0.1), darker(coat, 0.18), lighter(coat, 0.6)


def _torso(pen: Pen, subject: str, coat: RGB, belly: RGB) -> None:
    if subject == "robot":
        pen.box(0, 0, 12, 14, coat, 4)
        pen.box(1.5, 0, 7, 7, belly, 2)
        pen.ellipse(1.5, 0, 3.2, 3.2, COLOURS["red"])
        return
    pen.ellipse(0, 0, 13, 15.5, coat)
    if subject == "astronaut":
        pen.box(2, 1, 7, 5, METAL, 2)
        pen.ellipse(-1, 1, 2.4, 2.4, COLOURS["red"])
        pen.ellipse(5, 1, 2.4, 2.4, COLOURS["blue"])
    elif subject != "panda":
        pen.ellipse(2, 2, 8.5, 11, belly)


def _behind(pen: Pen, subject: str, coat: RGB) -> None:
    """What is seen behind the torso: a tail or a backpack."""
    if subject == "cat":
        pen.curve([(-8, 12), (-26, 14), (-22, -8)], 6, darker(coat, 0.12))
    elif subject == "dog":
        pen.curve([(-8, 12), (-20, 10), (-21, -2)], 6, darker(coat, 0.2))
    elif subject == "rabbit":
        pen.ellipse(-13, 11, 6, 6, lighter(coat, 0.6))
    elif subject == "astronaut":
        pen.box(-12, -2, 7, 12, darker(METAL, 0.25), 3)


def figure(pen: Pen, subject: str, coat: RGB, pose: Pose, ride: Callable[[Pen], None] | None = None) -> None:
    """Draws a subject in its pose: far limbs, the ride, torso, near limbs, head."""
    limb, foot, belly = _limbs(subject, coat)
    torso = pen.at(*pose.torso, 1.0, pose.lean)
    _leg(pen, pose.far_leg, darker(limb, 0.14), darker(foot, 0.1))
    if ride:
        ride(pen)
    pen.stroke(pose.far_arm, 7, darker(limb, 0.14))
    _behind(torso, subject, coat)
    _torso(torso, subject, coat, belly)
    _leg(pen, pose.near_leg, limb, foot)
    pen.stroke(pose.near_arm, 7.5, limb)
    HEADS[subject](pen.at(*pose.head), coat)


def _leg(pen: Pen, points: Points, limb: RGB, foot: RGB) -> None:
    if points:
        pen.stroke(points, 8.5, limb)
        x, y = points[-1]
        pen.ellipse(x + 2.5, y + 0.5, 7, 4.4, foot)


def horse(pen: Pen, coat: RGB) -> None:
    """A stout pony that walks to the right, with a red saddle cloth."""
    mane = lighter(coat, 0.45) if sum(coat) < 240 else darker(coat, 0.5)
    far, near = darker(coat, 0.25), coat
    pen.curve([(-26, -36), (-42, -36), (-39, -14)], 8, mane)
    for hip, hoof in ((-14, -12), (22, 24)):
        pen.stroke([(hip, -24), (hoof, -4)], 8.5, far)
        pen.box(hoof, -2, 4.6, 3, darker(far, 0.5), 1)
    pen.ellipse(-1, -31, 29, 14.5, near)
    for hip, hoof in ((-22, -25), (15, 13)):
        pen.stroke([(hip, -24), (hoof, -4)], 9.5, near)
        pen.box(hoof, -2, 5.2, 3, darker(near, 0.6), 1)
    pen.stroke([(15, -56), (8, -40)], 8, mane)
    pen.stroke([(17, -36), (27, -56)], 15, near)
    pen.polygon([(19, -60), (21, -74), (29, -63)], near)
    pen.stroke([(21, -66), (15, -56)], 6, mane)
    pen.stroke([(27, -60), (39, -53)], 14, near)
    pen.ellipse(41, -52, 6.4, 6.4, lighter(near, 0.3) if sum(near) < 650 else darker(near, 0.12))
    pen.ellipse(31, -61, 2.7, 3, INK if sum(near) > 240 else WHITE)
    pen.ellipse(-6, -40, 13, 8, COLOURS["red"])


def skateboard(pen: Pen, colour: RGB) -> None:
    """A board with turned-up ends on two large wheels."""
    for x in (-17, 17):
        pen.ellipse(x, -5.5, 5.8, 5.8, INK)
        pen.ellipse(x, -5.5, 2.4, 2.4, WHITE)
    pen.stroke([(-34, -17), (-26, -12.5), (26, -12.5), (34, -17)], 5.5, colour)


def bicycle(pen: Pen, colour: RGB) -> None:
    """A stout bicycle: two thick wheels with pale discs, a frame of four thick bars, saddle and handlebar."""
    for x in (-24, 25):
        pen.ellipse(x, -17, 17, 17, INK)
        pen.ellipse(x, -17, 12.6, 12.6, (214, 220, 230))
        pen.ellipse(x, -17, 3.2, 3.2, INK)
    pen.stroke([(-24, -17), (0, -16), (18, -38), (-11, -38), (-24, -17)], 4.6, colour)
    pen.stroke([(-11, -40), (0, -16)], 4.6, colour)
    pen.stroke([(25, -17), (17, -44), (24, -47)], 4.6, colour)
    pen.stroke([(-16, -42), (-5, -42)], 5, INK)
    pen.ellipse(0, -16, 4.5, 4.5, mix(INK, METAL, 0.5))


def _on_foot(lift: float, wave: float, stride: float) -> Pose:
    """Standing, on the ground or on a board; `wave` in [0, 1] raises the near hand, `stride` parts the feet."""
    hand = (22 + 3 * wave, lift - 26 - 24 * wave)
    return Pose(head=(0, lift - 57), torso=(0, lift - 29), far_arm=[(-9, lift - 38), (-21, lift - 27)],
                near_arm=[(9, lift - 38), hand], far_leg=[(-6, lift - 18), (-6 - stride, lift - 4)],
                near_leg=[(6, lift - 18), (6 + stride, lift - 4)])  # fmt: skip


def draw_figure(pen: Pen, subject: str, ride: str, colours: tuple[RGB, RGB], wave: float) -> None:
    """Draws subject and ride with the ground at y = 0 of the pen's frame; wave in [0, 1] is the pose. The pen's part
    is the subject's, the one after it the ride's."""
    coat, other = colours
    part = pen.part + 1
    if ride == "standing":
        figure(pen, subject, coat, _on_foot(0, wave, 2))
    elif ride == "skateboard":
        skateboard(pen.at(0, 0, part=part), other)
        figure(pen, subject, coat, _on_foot(-15, wave, 9))
    elif ride == "bicycle":
        pose = Pose((0, -82), (-5, -55), [(3, -62), (21, -48)], [(1, -60), (22, -47)],
                    [(-5, -44), (6, -34), (3, -21)], [(-7, -44), (7, -30 - 3 * wave), (-1, -13 + wave)],
                    10)  # fmt: skip
        figure(pen, subject, coat, pose, lambda p: bicycle(p.at(0, 0, part=part), other))
    else:
        pose = Pose((-5, -83), (-7, -55), [(0, -62), (14, -55 - 8 * wave)], [(-2, -60), (16, -52 - 8 * wave)], (),
                    [(-8, -44), (2, -36), (0, -22)])  # fmt: skip
        figure(pen, subject, coat, pose, lambda p: horse(p.at(0, 0, part=part), other))

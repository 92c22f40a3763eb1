"""The networks keep the shapes they promise, hear what they are told, and lose detail with their skips."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from diffusion_lab.networks import MLP, Attention, ResidualBlock, UNet, time_waves


def awake(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with no layer left at its quiet start of zeros."""
    torch.manual_seed(seed)
    for p in network.parameters():
        if p.dim() > 1 and not p.any():
            nn.init.normal_(p, std=0.05)
    return network.eval()


def inputs(B: int, *shape: int, words: int = 5):
    g = torch.Generator().manual_seed(1)
    x, t = torch.randn(B, *shape, generator=g), torch.randint(1000, (B,), generator=g)
    return x, t, (torch.rand(B, words, generator=g) < 0.5).float()


NETWORKS = {"mlp": (lambda **how: MLP(words=5, **how), (2,)), "unet": (lambda **how: UNet(words=5, **how), (3, 16, 16))}


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_guess_has_the_shape_of_the_sample_and_each_sample_its_own(name):
    build, shape = NETWORKS[name]
    network = awake(build())
    x, t, condition = inputs(4, *shape)
    guess = network(x, t, condition)
    assert guess.shape == x.shape and guess.std() > 0.01
    for k in range(4):
        alone = network(x[k : k + 1], t[k : k + 1], condition[k : k + 1])
        torch.testing.assert_close(alone[0], guess[k], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_time_and_words_are_heard(name):
    build, shape = NETWORKS[name]
    network = awake(build())
    x, t, condition = inputs(2, *shape)
    guess = network(x, t, condition)
    assert (network(x, 999 - t, condition) - guess).abs().max() > 1e-3
    assert (network(x, t, 1 - condition) - guess).abs().max() > 1e-3
    torch.testing.assert_close(network(x, t), network(x, t, torch.zeros_like(condition)))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name):
    build, shape = NETWORKS[name]
    network = awake(build())
    x, t, condition = inputs(8, *shape)
    network(x, t, condition).square().mean().backward()
    assert [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("channels", [(8, 8), (16, 32, 64), (8, 16, 24, 32)])
@torch.no_grad()
def test_a_unet_of_any_depth(channels):
    x, t, condition = inputs(2, 3, 16, 16)
    assert UNet(channels, words=5)(x, t, condition).shape == x.shape


@torch.no_grad()
def test_each_skip_can_be_cut_and_mended():
    network = awake(UNet((16, 32, 64), words=5))
    without = awake(UNet((16, 32, 64), words=5, skips=False))
    without.load_state_dict(network.state_dict())  # cutting changes no weight
    x, t, condition = inputs(2, 3, 16, 16)
    whole = network(x, t, condition)
    one_by_one = []
    for level in range(2):
        network.skips[level] = False
        one_by_one.append(network(x, t, condition))
        network.skips[level] = True
    assert torch.equal(network(x, t, condition), whole)
    network.skips = [False, False]
    assert torch.equal(network(x, t, condition), without(x, t, condition))
    results = [whole, *one_by_one, without(x, t, condition)]
    assert all((a - b).abs().max() > 1e-3 for i, a in enumerate(results) for b in results[:i])


@torch.no_grad()
def test_without_skips_no_single_pixel_passes():
    """What the halving averages away can reach the result only through a skip."""
    network = awake(UNet((16, 32, 64)))
    x, t, _ = inputs(1, 3, 16, 16)
    checker = torch.ones(16, 16)
    checker[::2, ::2] = checker[1::2, 1::2] = -1
    network.skips = [False, False]
    network.first = Through()
    network.enter = nn.Conv2d(3, 16, 1)
    torch.testing.assert_close(network(x + checker, t), network(x, t), rtol=1e-4, atol=1e-5)
    network.skips = [True, False]
    assert (network(x + checker, t) - network(x, t)).abs().max() > 1e-2


class Through(nn.Module):
    def forward(self, x, context):
        return x


@torch.no_grad()
def test_attention_by_hand_is_attention():
    attention = awake(Attention(16))
    x = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    q, k, v = attention.query_key_value(attention.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=2)
    mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).view(2, 16, 4, 4)
    torch.testing.assert_close(attention(x), x + attention.leave(mixed))


@torch.no_grad()
def test_attention_does_not_mind_where_things_are():
    attention = awake(Attention(16))
    x = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    order = torch.randperm(16, generator=torch.Generator().manual_seed(4))
    moved = x.flatten(2)[:, :, order].view_as(x)
    torch.testing.assert_close(attention(moved), attention(x).flatten(2)[:, :, order].view_as(x))


@torch.no_grad()
def test_a_new_block_changes_nothing():
    x, context = torch.randn(2, 16, 8, 8), torch.randn(2, 8)
    block = ResidualBlock(16, 16, 8)
    nn.init.zeros_(block.conv2.bias)
    torch.testing.assert_close(block(x, context), x)


def test_time_waves_tell_any_two_timesteps_apart():
    waves = time_waves(torch.arange(1000), 32)
    assert waves.shape == (1000, 32) and waves.abs().max() <= 1
    far = torch.cdist(waves.double(), waves.double()) + 10 * torch.eye(1000)
    assert far.min() > 0.1
    torch.testing.assert_close(waves[7, 0], torch.tensor(7.0).sin())


def test_time_waves_are_the_formula():
    waves = [math.sin, math.cos]
    expected = [[wave(t * 10000 ** (-k / 3)) for wave in waves for k in range(3)] for t in (0, 7, 999)]
    torch.testing.assert_close(time_waves(torch.tensor([0, 7, 999]), 6), torch.tensor(expected), rtol=1e-4, atol=1e-4)


def told(P: dict, t, condition, width: int):
    """The context, written out."""
    h = F.silu(F.linear(time_waves(t, width), P["context.time.0.weight"], P["context.time.0.bias"]))
    h = F.linear(h, P["context.time.2.weight"], P["context.time.2.bias"])
    return F.silu(h + condition @ P["context.words.weight"].T)


@torch.no_grad()
def test_an_mlp_written_out():
    network = awake(MLP(words=5, width=8, depth=2, waves=2))
    x, t, condition = inputs(4, 2)
    P = dict(network.named_parameters())
    context = told(P, t, condition, 4)
    waves = [torch.sin(math.pi / 2 * x), torch.cos(math.pi / 2 * x), torch.sin(math.pi * x), torch.cos(math.pi * x)]
    h = F.linear(torch.cat([x, *waves], 1), P["enter.weight"], P["enter.bias"])
    for k in range(2):
        scale, shift = F.linear(context, P[f"tell.{k}.weight"], P[f"tell.{k}.bias"]).chunk(2, 1)
        h = h + F.linear(F.silu(h * (1 + scale) + shift), P[f"layers.{k}.weight"], P[f"layers.{k}.bias"])
    guess = F.linear(F.silu(h), P["leave.weight"], P["leave.bias"])
    torch.testing.assert_close(network(x, t, condition), guess, rtol=1e-4, atol=1e-5)
    assert "context.words.bias" not in P


@pytest.mark.parametrize(("before", "after"), [(16, 8), (8, 8)])
@torch.no_grad()
def test_a_block_written_out(before, after):
    block = awake(ResidualBlock(before, after, 6))
    x, context = torch.randn(2, before, 4, 4), torch.randn(2, 6)
    h = F.conv2d(F.silu(F.group_norm(x, 8)), block.conv1.weight, block.conv1.bias, padding=1)
    scale, shift = F.linear(context, block.tell.weight, block.tell.bias)[..., None, None].chunk(2, 1)
    h = F.conv2d(F.silu(F.group_norm(h, 8) * (1 + scale) + shift), block.conv2.weight, block.conv2.bias, padding=1)
    by = x if before == after else F.conv2d(x, block.bypass.weight, block.bypass.bias)
    torch.testing.assert_close(block(x, context), by + h, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_unet_written_out():
    network = awake(UNet((8, 16), words=5))
    x, t, condition = inputs(2, 3, 8, 8)
    context = told(dict(network.named_parameters()), t, condition, 16)
    fine = network.first(F.conv2d(x, network.enter.weight, network.enter.bias, padding=1), context)
    coarse = network.down[0](fine.view(2, 8, 4, 2, 4, 2).mean((3, 5)), context)
    coarse = network.middle(network.look(coarse), context)
    wide = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    last = F.silu(F.group_norm(network.up[0](torch.cat([wide, fine], 1), context), 8))
    guess = F.conv2d(last, network.leave[-1].weight, network.leave[-1].bias, padding=1)
    torch.testing.assert_close(network(x, t, condition), guess, rtol=1e-4, atol=1e-5)


def test_what_is_not_said_is_the_size_of_the_course():
    shapes = [{name: tuple(p.shape) for name, p in network.named_parameters()} for network in (MLP(), UNet())]
    assert len(MLP().layers) == 3 and shapes[0]["enter.weight"] == (128, 14) and shapes[0]["leave.weight"] == (2, 128)
    assert shapes[0]["tell.2.weight"] == (256, 64) and shapes[0]["context.time.0.weight"] == (64, 64)
    assert shapes[1]["enter.weight"] == (16, 3, 3, 3) and shapes[1]["up.1.conv1.weight"] == (32, 88, 3, 3)
    assert shapes[1]["leave.2.weight"] == (3, 16, 3, 3) and shapes[1]["context.time.2.weight"] == (56, 56)
    assert not any("words" in name for each in shapes for name in each)  # it knows none
    x, t, condition = inputs(2, 2)
    torch.testing.assert_close(MLP().eval()(x, t, condition).shape, x.shape)


@torch.no_grad()
def test_at_its_start_a_unet_says_nothing_and_attention_changes_nothing():
    x, t, _ = inputs(2, 3, 16, 16)
    network = UNet()
    torch.testing.assert_close(network(x, t), network.leave[-1].bias.view(1, 3, 1, 1).expand_as(x))
    look, here = Attention(16), torch.randn(1, 16, 2, 2)
    torch.testing.assert_close(look(here), here + look.leave.bias.view(1, 16, 1, 1))

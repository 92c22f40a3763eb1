// From static to picture: DDIM, DPM++ 2M and DPM++ 2M SDE with the times and the numbers that Python's have.

import { generator } from "./random.js";

// As numpy rounds: a half to the even neighbour.
export function roundHalfEven(x) {
  const down = Math.floor(x), half = x - down;
  return half === 0.5 ? down + (down % 2 ? 1 : 0) : Math.round(x);
}

// n times from T - 1 down in equal steps ("trailing"). Where 1000 / n falls badly there are n + 1, as in numpy.arange.
export function timesteps(T, n) {
  const gap = T - T / n - T;
  return Array.from({ length: Math.ceil(-T / -(T / n)) }, (_, i) => roundHalfEven(T + i * gap) - 1);
}

// What a network predicts, as the picture x0 = alpha x - sigma v = (x - sigma eps) / alpha.
const X0 = {
  v: (x, guess, alpha, sigma) => alpha * x - sigma * guess,
  eps: (x, guess, alpha, sigma) => (x - sigma * guess) / alpha,
  x0: (x, guess) => guess,
};

// The times of a path, its shares of signal, and the weights of its moves: x_next = keep x + take D + shake z, where D is
// x0 or, `ahead`, x0 + ahead (x0 - x0_before).

function ddim(told, n) {
  const bars = told.alpha_bars, stride = Math.floor(bars.length / n);
  return timesteps(bars.length, n).map((t) => {
    const a = bars.at(t), next = t - stride >= 0 ? bars[t - stride] : told.final;
    const ratio = Math.sqrt((1 - next) / (1 - a)); // of the noise that stays: eps = (x - sqrt(a) x0) / sqrt(1 - a)
    return { t, alphaBar: a, keep: ratio, take: Math.sqrt(next) - ratio * Math.sqrt(a), shake: 0, ahead: 0 };
  });
}

// DPM-Solver++ (2M) (Lu et al., 2022, algorithm 2), with sigma / alpha, `noise`, as its clock: e^-h = noise_next / noise.
// The first step and the last one look at one guess only. With `sde` part of the noise is fresh.
const dpmpp = (sde) => (told, n) => {
  const times = timesteps(told.alpha_bars.length, n);
  const noise = times.map((t) => told.alpha_bars[Math.max(t, 0)]).map((a) => Math.sqrt((1 - a) / a));
  noise.push(0);
  return times.map((t, i) => {
    const [before, now, next] = [noise[i - 1], noise[i], noise[i + 1]];
    const decay = next / now, alpha = 1 / Math.hypot(1, next), sigma = next * alpha;
    const shrink = sigma / (now / Math.hypot(1, now));
    const ahead = i && next ? Math.log(now / next) / Math.log(before / now) / 2 : 0; // h / 2 h_before
    if (!sde) return { t, alphaBar: 1 / (1 + now * now), keep: shrink, take: alpha * (1 - decay), shake: 0, ahead };
    const left = decay * decay;
    return { t, alphaBar: 1 / (1 + now * now), keep: shrink * decay, take: alpha * (1 - left), shake: sigma * Math.sqrt(1 - left), ahead };
  });
};

export const SAMPLERS = { ddim, dpmpp_2m: dpmpp(false), dpmpp_2m_sde: dpmpp(true) };

// Every step from a seed's static to the picture: yields { t, alphaBar, x_t, x0, eps, x0_uncond } for each call of
// `predict(x, t)` -> { guess, uncond }, what the network says after guidance and, or null, without the prompt (a
// promise); and at last where it arrived, alphaBar 1.
export async function* denoise(predict, told, { seed, n, sampler }) {
  const randn = generator(seed), size = told.shape.reduce((a, b) => a * b), x0Of = X0[told.prediction];
  let x = randn(size), before = null;
  for (const { t, alphaBar, keep, take, shake, ahead } of SAMPLERS[sampler](told, n)) {
    const alpha = Math.sqrt(alphaBar), sigma = Math.sqrt(1 - alphaBar), x_t = x;
    const { guess, uncond } = await predict(x_t, t);
    const clean = (said) => said && x_t.map((v, i) => x0Of(v, said[i], alpha, sigma)), x0 = clean(guess);
    yield { t, alphaBar, x_t, x0, eps: x_t.map((v, i) => (v - alpha * x0[i]) / sigma), x0_uncond: clean(uncond) };
    const z = shake ? randn(size) : null, past = before || x0;
    x = x_t.map((v, i) => keep * v + take * (x0[i] + ahead * (x0[i] - past[i])) + (z ? shake * z[i] : 0));
    before = x0;
  }
  yield { t: -1, alphaBar: 1, x_t: x, x0: x, eps: new Float32Array(size), x0_uncond: null };
}

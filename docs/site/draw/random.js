// The random numbers of torch.randn on a CPU: a seed here draws the static that it draws in Python.

const N = 624, M = 397;

// The Mersenne Twister (Matsumoto and Nishimura, "Mersenne Twister", 1998), seeded as torch does: by the low 32 bits.
function twister(seed) {
  const state = new Uint32Array(N);
  state[0] = Number(BigInt(seed) & 0xffffffffn);
  for (let i = 1; i < N; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let next = N;
  return () => {
    if (next === N) {
      for (let i = 0; i < N; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
        state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      next = 0;
    }
    let y = state[next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

// A source of standard normal numbers: randn(size) -> Float32Array, one after the other as from one torch.Generator.
export function generator(seed) {
  const bits = twister(seed);
  const single = () => (bits() & 0xffffff) / 2 ** 24;
  const double = () => ((bits() & 0x1fffff) * 2 ** 32 + bits()) / 2 ** 53;
  let spare = null;

  // Box and Muller, 1958: eight pairs (i, i + 8) at a time. What is left over at the end is drawn anew with its fellows.
  function many(size) {
    const out = Float32Array.from({ length: size }, single);
    for (let start = 0; start + 16 <= size; start += 16) pairs(out, start);
    if (size % 16) {
      for (let i = size - 16; i < size; i++) out[i] = single();
      pairs(out, size - 16);
    }
    return out;
  }

  function pairs(out, start) {
    for (let i = start; i < start + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - out[i])), angle = 2 * Math.PI * out[i + 8];
      out[i] = radius * Math.cos(angle);
      out[i + 8] = radius * Math.sin(angle);
    }
  }

  // Fewer than 16 come one by one, of each pair the second one is kept for later.
  function one() {
    if (spare !== null) {
      const kept = spare;
      spare = null;
      return kept;
    }
    const angle = 2 * Math.PI * double(), radius = Math.sqrt(-2 * Math.log1p(-double()));
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  return (size) => (size < 16 ? Float32Array.from({ length: size }, one) : many(size));
}

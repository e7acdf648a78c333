/** A part of a volume that is contiguous where the first axis is fastest. */
export interface Piece {
  /** In numpy's notation. */
  index: string;
  /** Number of values. */
  count: number;
  /** Position of its first value among all. */
  at: number;
  /** Positions along the last axis. */
  first: number;
  end: number;
}

/** Cuts a volume into pieces of at most about so many values, in order. */
export function* pieces(shape: readonly number[], most: number): Generator<Piece> {
  const total = shape.reduce((all, n) => all * n, 1);
  if (shape.length === 0) {
    yield { index: "...", count: 1, at: 0, first: 0, end: 1 };
    return;
  }
  if (total === 0) return;
  // The axis that is cut: the last one of which one position is small enough.
  let axis = shape.length - 1;
  let row = total / shape[axis]!;
  while (axis > 0 && row > most) {
    axis -= 1;
    row /= shape[axis]!;
  }
  const length = shape[axis]!;
  const step = Math.max(1, Math.min(length, Math.floor(most / row)));
  const outer = shape.slice(axis + 1);
  const outerCount = outer.reduce((all, n) => all * n, 1);
  let at = 0;
  for (let block = 0; block < outerCount; block += 1) {
    const positions: number[] = [];
    let rest = block;
    for (const n of outer) {
      positions.push(rest % n);
      rest = Math.floor(rest / n);
    }
    // Ranges of one keep the number of axes.
    const behind = positions.map((p) => `, ${p}:${p + 1}`).join("");
    const last = positions.at(-1);
    for (let first = 0; first < length; first += step) {
      const end = Math.min(length, first + step);
      const count = row * (end - first);
      yield {
        index: `[..., ${first}:${end}${behind}]`,
        count,
        at,
        first: last ?? first,
        end: last === undefined ? end : last + 1,
      };
      at += count;
    }
  }
}

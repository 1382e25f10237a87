/** Searches by halves in what is sorted. */

/** Index of the first of some sorted numbers, from `low` up to `high`, that is at least `wanted`; `high` where none is. */
export const firstFrom = (list: Uint32Array | Float64Array, wanted: number, low = 0, high = list.length): number => {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** How many of `count` things in order something holds of, which it does of the first ones alone. */
export const countWhile = (count: number, holds: (index: number) => boolean): number => {
  let low = 0;
  while (low < count) {
    const middle = (low + count) >> 1;
    if (holds(middle)) low = middle + 1;
    else count = middle;
  }
  return low;
};

/** One line of two texts: in both, only in the newer one, or only in the older one. */
export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed'
  readonly text: string
}

/** Texts with more lines than this are compared as wholes, because the table of a comparison grows with the square. */
const MAX_LINES = 1_000

/** The lines of two texts in order, by their longest common subsequence. */
export function diffLines(before: string, after: string): readonly DiffLine[] {
  const [old, young] = [before.split('\n'), after.split('\n')]
  if (old.length > MAX_LINES || young.length > MAX_LINES) return replaceAll(old, young)
  const lengths = commonLengths(old, young)
  const lines: DiffLine[] = []
  let [i, j] = [0, 0]
  while (i < old.length || j < young.length) {
    const isSame = i < old.length && j < young.length && old[i] === young[j]
    if (isSame) {
      lines.push({ kind: 'same', text: old[i++] ?? '' })
      j++
    } else if (j >= young.length || (i < old.length && lengthAt(lengths, i + 1, j) >= lengthAt(lengths, i, j + 1))) {
      lines.push({ kind: 'removed', text: old[i++] ?? '' })
    } else lines.push({ kind: 'added', text: young[j++] ?? '' })
  }
  return lines
}

function replaceAll(old: readonly string[], young: readonly string[]): readonly DiffLine[] {
  return [
    ...old.map((text) => ({ kind: 'removed', text }) as const),
    ...young.map((text) => ({ kind: 'added', text }) as const),
  ]
}

function lengthAt(lengths: readonly (readonly number[])[], i: number, j: number): number {
  return lengths[i]?.[j] ?? 0
}

/** For each pair of rests of the two texts, the length of their longest common subsequence. */
function commonLengths(old: readonly string[], young: readonly string[]): readonly (readonly number[])[] {
  const lengths = Array.from({ length: old.length + 1 }, () => new Array<number>(young.length + 1).fill(0))
  for (let i = old.length - 1; i >= 0; i--) {
    const row = lengths[i] as number[]
    for (let j = young.length - 1; j >= 0; j--) {
      row[j] =
        old[i] === young[j]
          ? 1 + lengthAt(lengths, i + 1, j + 1)
          : Math.max(lengthAt(lengths, i + 1, j), lengthAt(lengths, i, j + 1))
    }
  }
  return lengths
}

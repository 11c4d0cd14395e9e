/**
 * Fuzz tests run a share of their rounds in `npm test`, and all of them in `npm run test:full`.
 * The seed is printed; `PURSER_SEED=… npm test` repeats a run.
 */
export const isFullRun: boolean = process.env.PURSER_TEST_FULL === '1'

/** The number of rounds in this run. */
export function rounds(full: number, share: number): number {
  return isFullRun ? full : share
}

export const seed: number = Number(process.env.PURSER_SEED ?? Math.trunc(Math.random() * 2 ** 31))

export function printSeed(name: string): void {
  console.log(`# ${name}: seed ${seed}`)
}

export interface FuzzPart {
  readonly number: number
  readonly seed: number
  readonly numRuns: number
}

/**
 * The rounds of a long fuzz test in parts, each with a seed of its own, so that one part can be repeated and several
 * processes can share a run: `PURSER_SEED=… PURSER_PARTS=6-10` runs the parts 6 to 10. `npm test` runs a share of one.
 */
export function fuzzParts(full: { readonly parts: number; readonly rounds: number }, share: number): FuzzPart[] {
  if (!isFullRun) return [{ number: 1, seed, numRuns: share }]
  const [first = 1, last = first] = (process.env.PURSER_PARTS ?? `1-${full.parts}`).split('-').map(Number)
  const count = Math.max(0, Math.min(last, full.parts) - first + 1)
  return Array.from({ length: count }, (_, index) => {
    const number = first + index
    return { number, seed: (seed + number - 1) % 2 ** 31, numRuns: Math.ceil(full.rounds / full.parts) }
  })
}

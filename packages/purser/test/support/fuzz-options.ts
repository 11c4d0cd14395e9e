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

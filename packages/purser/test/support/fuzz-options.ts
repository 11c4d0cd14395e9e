/**
 * Long proofs run in full with `npm run test:full`; `npm test` runs a share of each.
 * The seed is printed, so that a failure can be run again: `PURSER_SEED=… npm test`.
 */
export const proving: boolean = process.env.PURSER_TEST_FULL === '1'

/** The number of rounds for this run: all of them when proving, else a share. */
export function rounds(full: number, share: number): number {
  return proving ? full : share
}

export const seed: number = Number(process.env.PURSER_SEED ?? Math.trunc(Math.random() * 2 ** 31))

export function printSeed(what: string): void {
  console.log(`# ${what}: seed ${seed}`)
}

import { describe, it } from 'node:test'
import fc from 'fast-check'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { DRIVERS, type Driver, openLedgerHarness } from '../support/ledger-harness.ts'
import { createModel, type Model, type Real, WITH_CLOCK, WITH_ZONES } from './commands.ts'

/** Sequences per store: every erasure rewrites the whole file, so the file must not grow without limit. */
const SEQUENCES_PER_STORE = 250

async function check(driver: Driver, commands: typeof WITH_ZONES, numRuns: number): Promise<void> {
  for (let done = 0; done < numRuns; done += SEQUENCES_PER_STORE)
    await checkOnOneStore(driver, commands, {
      numRuns: Math.min(SEQUENCES_PER_STORE, numRuns - done),
      seed: seed + done,
    })
}

/** Every sequence has a namespace of its own. */
async function checkOnOneStore(
  driver: Driver,
  commands: typeof WITH_ZONES,
  { numRuns, seed }: { readonly numRuns: number; readonly seed: number },
): Promise<void> {
  await using base = await openLedgerHarness({ driver })
  let run = 0
  const rules = fc.record({
    dailyCap: fc.constantFrom(0, 2, 5),
    window: fc.constantFrom('day' as const, 'rolling24h' as const),
    timeZone: fc.constantFrom('UTC', 'America/Sao_Paulo'),
    wall: fc.constantFrom('2026-03-08T05:30:00Z', '2011-12-29T22:00:00Z'),
  })
  await fc.assert(
    fc.asyncProperty(rules, commands, async (chosen, sequence) => {
      const harness = await openLedgerHarness({ ...chosen, store: base.store, namespace: `run-${run++}` })
      const real: Real = { harness, tickets: [] }
      await fc.asyncModelRun((): { model: Model; real: Real } => ({ model: createModel(chosen), real }), sequence)
      await real.harness[Symbol.asyncDispose]()
    }),
    { numRuns, seed, endOnFailure: false },
  )
}

describe('the ledger behaves like the reference model', () => {
  printSeed('ledger model')
  for (const driver of DRIVERS) {
    const numRuns = driver === 'memory' ? rounds(8_000, 250) : rounds(2_500, 30)
    it(`in ${numRuns} sequences with zone changes, on ${driver}`, () => check(driver, WITH_ZONES, numRuns))
    it(`in ${numRuns} sequences with clocks that are set back, on ${driver}`, () => check(driver, WITH_CLOCK, numRuns))
  }
})

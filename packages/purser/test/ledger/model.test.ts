import { describe, it } from 'node:test'
import fc from 'fast-check'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { DRIVERS, type Driver, type House, type Order, openHouse } from '../support/ledger-harness.ts'
import { type Plain, plainOf, type Real, WITH_CLOCK, WITH_ZONES } from './commands.ts'

/** Sequences that share a store: every erasure writes its whole file anew, so it must not grow without end. */
const PER_STORE = 250

async function check(driver: Driver, commands: typeof WITH_ZONES, numRuns: number): Promise<void> {
  for (let done = 0; done < numRuns; done += PER_STORE)
    await checkOnOneStore(driver, commands, { numRuns: Math.min(PER_STORE, numRuns - done), seed: seed + done })
}

/** Each sequence has a namespace of its own. */
async function checkOnOneStore(
  driver: Driver,
  commands: typeof WITH_ZONES,
  { numRuns, seed }: { readonly numRuns: number; readonly seed: number },
): Promise<void> {
  await using base = await openHouse({ driver })
  let run = 0
  const rules = fc.record({
    dailyCap: fc.constantFrom(0, 2, 5),
    window: fc.constantFrom('day' as const, 'rolling24h' as const),
    timeZone: fc.constantFrom('UTC', 'America/Sao_Paulo'),
    wall: fc.constantFrom('2026-03-08T05:30:00Z', '2011-12-29T22:00:00Z'),
  })
  await fc.assert(
    fc.asyncProperty(rules, commands, async (chosen, sequence) => {
      const order: Order = { ...chosen, store: base.store, namespace: `run-${run++}` }
      let house = await openHouse(order)
      const open = async (clock = house.clock): Promise<House> =>
        Object.assign(await openHouse({ ...order, clock }), { namespace: order.namespace })
      house = await open()
      const real: Real = {
        house,
        tickets: [],
        async reopen() {
          await real.house[Symbol.asyncDispose]()
          return open(real.house.clock)
        },
      }
      const setup = (): { model: Plain; real: Real } => ({ model: plainOf(chosen), real })
      await fc.asyncModelRun(setup, sequence)
      await real.house[Symbol.asyncDispose]()
    }),
    { numRuns, seed, endOnFailure: false },
  )
}

describe('the ledger is the plain ledger (model test)', () => {
  printSeed('ledger model')
  for (const driver of DRIVERS) {
    const numRuns = driver === 'memory' ? rounds(8_000, 250) : rounds(2_500, 30)
    it(`${numRuns} sequences with zones that change, on ${driver}`, () => check(driver, WITH_ZONES, numRuns))
    it(`${numRuns} sequences with clocks that go back, on ${driver}`, () => check(driver, WITH_CLOCK, numRuns))
  }
})

import assert from 'node:assert/strict'
import { systemEffects } from '../../src/core/effects.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { PurserError } from '../../src/errors.ts'
import { openJournal } from '../../src/journal/journal.ts'
import type { Store } from '../../src/storage/store.ts'
import { assertConsistent } from './assert-consistent.ts'
import { countingFold, ROOT } from './children/counting-fold.ts'

const USERS = Array.from({ length: 16 }, (_, index) => `user ${index}`)
/** Milliseconds of real time. */
export const delay = (delayMs: number): Promise<void> =>
  new Promise((resolve) => systemEffects.setTimer(resolve, delayMs))

/** Writes that go on while a test breaks something. */
export interface WriteLoad {
  /** The last acknowledged sequence of each user. */
  readonly acknowledged: Map<string, number>
  readonly failures: unknown[]
  stop(): Promise<void>
}

/** Writes to all users without a pause, as `crash-writer.ts` does; a write that fails is followed by the next one. */
export function startWriteLoad(store: Store, padding = ''): WriteLoad {
  const journal = openJournal({ store, keys: createKeyring(ROOT), effects: systemEffects, fold: countingFold })
  const acknowledged = new Map<string, number>()
  const failures: unknown[] = []
  let isStopped = false
  async function writeForever(id: string): Promise<void> {
    while (!isStopped) {
      try {
        const sequence = await journal.write(
          { namespace: 'crash', id },
          {
            decide: ({ version }) => ({
              events: [{ type: 'test:step', detail: '', data: {} }],
              records: [{ kind: 'note', name: String(version + 1).padStart(9, '0'), value: `y${padding}` }],
              usage: { steps: version + 1 },
              seen: true,
              result: ({ view }) => view.version,
            }),
          },
        )
        acknowledged.set(id, sequence)
      } catch (error) {
        failures.push(error)
        await delay(20)
      }
    }
  }
  const writers = Promise.all(USERS.map(writeForever))
  return {
    acknowledged,
    failures,
    async stop() {
      isStopped = true
      await writers
      await journal.close()
    },
  }
}

/** Resolves when so many more writes have been acknowledged. */
export async function untilWritten(load: WriteLoad, total: number): Promise<void> {
  const sum = (): number => load.acknowledged.values().reduce((all, part) => all + part, 0)
  const goal = sum() + total
  while (sum() < goal) await delay(10)
}

/** Every failure was `store_unavailable`, and what was acknowledged is stored, completely. */
export async function assertNothingLost(store: Store, load: WriteLoad): Promise<void> {
  for (const error of load.failures) assert.ok(PurserError.is(error, 'store_unavailable'), String(error))
  for (const id of USERS) await assertConsistent(store, id, load.acknowledged.get(id) ?? 0)
}

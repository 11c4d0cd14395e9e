import { systemEffects } from '../../../src/core/effects.ts'
import { createKeyring } from '../../../src/core/keyring.ts'
import { openJournal } from '../../../src/journal/journal.ts'
import { countingFold, ROOT } from './counting-fold.ts'
import { openStore } from './open-store.ts'

/**
 * Prints `ready`, waits for a line, makes its attempts on one user (`concurrent` or `sequential`), and prints how many
 * of them were under the cap.
 */
const [location = '', attempts = '0', cap = '0', mode = 'concurrent'] = process.argv.slice(2)
const store = await openStore(location)
const journal = openJournal({ store, keys: createKeyring(ROOT), effects: systemEffects, fold: countingFold })

const attempt = (): Promise<boolean> =>
  journal.write(
    { namespace: 'processes', id: 'ann' },
    {
      decide: ({ usage: { steps = 0 } }) => {
        if (steps >= Number(cap)) return { result: () => false }
        return { usage: { steps: steps + 1 }, seen: true, result: () => true }
      },
    },
  )

console.log('ready')
process.stdin.once('data', async () => {
  const allowed: boolean[] = []
  if (mode === 'concurrent') allowed.push(...(await Promise.all(Array.from({ length: Number(attempts) }, attempt))))
  else while (allowed.length < Number(attempts)) allowed.push(await attempt())
  console.log(allowed.filter(Boolean).length)
  await journal.close()
  await store.close()
  process.exit(0)
})

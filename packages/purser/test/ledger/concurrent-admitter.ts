/*
 * One of several processes that admit the same user on one SQLite file at the same time.
 * argv: path, admissions, cap. Says `ready`, waits for a line on stdin, prints how many were allowed.
 */
import { once } from 'node:events'
import { systemEffects } from '../../src/core/effects.ts'
import { openHouse } from '../support/ledger-harness.ts'

const [path = '', count = '0', cap = '0'] = process.argv.slice(2)
const house = await openHouse({ driver: 'sqlite', path, dailyCap: Number(cap), effects: systemEffects })
process.stdin.resume()
for (;;) {
  process.stdout.write('ready\n')
  const [line] = (await once(process.stdin, 'data')) as [Buffer]
  const user = line.toString().trim()
  if (user === 'end') break
  let allowed = 0
  let failed = 0
  await Promise.all(
    Array.from({ length: Number(count) }, async (_, index) => {
      // In several commits, so that processes really meet between reading and writing.
      for (let turn = 0; turn < index % 8; turn++) await new Promise((resolve) => setImmediate(resolve))
      try {
        if ((await house.of(user).admit()).allowed) allowed++
      } catch {
        failed++
      }
    }),
  )
  process.stdout.write(`${JSON.stringify({ allowed, failed })}\n`)
}
await house.ledger.close()
await house.journal.close()
await house.store.close()
process.stdin.pause()

/*
 * One of several processes that admit the same user on one SQLite file at the same time.
 * argv: path, admissions, cap. Prints `ready`, reads a user id from stdin, admits, prints the number allowed and failed;
 * again until it reads `end`.
 */
import { once } from 'node:events'
import { systemEffects } from '../../src/core/effects.ts'
import { openLedgerHarness } from '../support/ledger-harness.ts'

const [path = '', count = '0', cap = '0'] = process.argv.slice(2)
await using harness = await openLedgerHarness({ driver: 'sqlite', path, dailyCap: Number(cap), effects: systemEffects })
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
      // Spread over several commits, so that the processes conflict between read and write.
      for (let turn = 0; turn < index % 8; turn++) await new Promise((resolve) => setImmediate(resolve))
      try {
        if ((await harness.user(user).admit()).allowed) allowed++
      } catch {
        failed++
      }
    }),
  )
  process.stdout.write(`${JSON.stringify({ allowed, failed })}\n`)
}
process.stdin.pause()

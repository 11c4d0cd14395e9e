import { systemEffects } from '../../src/core/effects.ts'
import { openRuntimeHarness } from '../support/runtime-harness.ts'

/*
 * Configures one user in a loop until it is killed, and prints every acknowledged version.
 * node restart-child.ts PATH SECRET
 */
const [, , path = '', secret = ''] = process.argv
const secretKey = { current: secret, previous: [] }
const harness = await openRuntimeHarness({ path, effects: systemEffects, secretKey })
const user = harness.user('ada')
for (;;) {
  const { version } = await user.settings()
  const next = await user.configure({
    provider: 'many',
    model: version % 2 === 0 ? 'x' : 'y',
    region: `of ${version + 1}`,
  })
  await user.setSecret('many', { apiKey: `canary of ${version + 1}` })
  await user.startSession(`s${version % 50}`, { policy: 'pin' })
  process.stdout.write(`${next.version}\n`)
}

import { systemEffects } from '../../src/core/effects.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { openHouse } from '../support/runtime-harness.ts'

/*
 * Runs until it is killed: configures one user again and again and prints every version that was acknowledged.
 * node restart-child.ts PATH SECRET
 */
const [, , path = '', secret = ''] = process.argv
const store = await openSqliteStore({ path, effects: systemEffects })
const house = await openHouse({ store, effects: systemEffects, secretKey: { current: secret, previous: [] } })
const user = house.user('ada')
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

import { appendFileSync } from 'node:fs'
import { systemEffects } from '../../../src/core/effects.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { accept } from '../../../src/testing/store-contract/samples.ts'

/**
 * Listens, and appends what it hears to a file, so that it is there when the listener has returned. For each line of
 * standard input it creates a user of that name, and says so.
 */
const [path = '', heard = ''] = process.argv.slice(2)
const store = await openSqliteStore({ path, effects: systemEffects })
store.bus.subscribe((message) => appendFileSync(heard, `${JSON.stringify(message)}\n`))
process.stdin.setEncoding('utf8')
process.stdin.on('data', async (text: string) => {
  for (const id of text.trim().split('\n')) {
    await accept(store, { namespace: 'processes', id })
    console.log(`created ${id}`)
  }
})
// The next write to the second file comes after the note that this process listens.
await store.bus.publish({ topic: 'context', namespace: 'processes', detail: 'a listener' })
console.log('ready')

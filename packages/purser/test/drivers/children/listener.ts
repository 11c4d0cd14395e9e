import { appendFileSync } from 'node:fs'
import { mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { openStore } from './open-store.ts'

/**
 * Subscribes to the bus and appends every message to a file, synchronously, so that a delivered message is in the file.
 * For each line of standard input it creates a user with that id, and prints a line.
 */
const [location = '', file = ''] = process.argv.slice(2)
const store = await openStore(location)
store.bus.subscribe((message) => appendFileSync(file, `${JSON.stringify(message)}\n`))
process.stdin.setEncoding('utf8')
process.stdin.on('data', async (text: string) => {
  for (const id of text.trim().split('\n')) {
    await mustCommit(store, { namespace: 'processes', id })
    console.log(`created ${id}`)
  }
})
// Publishing is a later write to the cache file than the row that lists this process as a listener.
await store.bus.publish({ topic: 'context', namespace: 'processes', detail: 'a listener' })
console.log('ready')

import { systemEffects } from '../../src/core/effects.ts'
import { openPurser } from '../../src/purser/open-purser.ts'

/*
 * A process on a shared store, with its wall clock ahead. It prints `ready`, waits for a line on stdin, prints
 * `calling`, makes 20 concurrent calls with the user's token, and prints `done` or the reason of the first failure.
 * With `repeat` it calls and prints again until it is killed or a call fails. node oauth-child.ts PATH SECRET URL
 * ISSUER AHEAD_MS [repeat]
 */
const [, , path = '', secretKey = '', url = '', issuer = '', aheadMs = '0', repeat] = process.argv
const purser = await openPurser({
  store: `sqlite:${path}`,
  secretKey,
  effects: { now: () => systemEffects.now() + Number(aheadMs) },
  mcpServers: { wiki: { url, oauth: { redirectUrl: 'https://app.example/back', issuer } } },
})
await using lease = await purser.user('ada').runtime.acquire()
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
process.stdout.write('calling\n')
let failed: PromiseRejectedResult | undefined
do {
  const calls = Array.from({ length: 20 }, async () => {
    const client = await lease.mcp('wiki')
    return client.callTool({ name: 'echo', arguments: { message: 'hello' } })
  })
  failed = (await Promise.allSettled(calls)).find((outcome) => outcome.status === 'rejected')
  process.stdout.write(failed === undefined ? 'done\n' : `${failed.reason?.details?.reason ?? failed.reason}\n`)
} while (repeat !== undefined && failed === undefined)
lease.release()
await purser.close()
process.stdin.destroy()

import { systemEffects } from '../../src/core/effects.ts'
import { openPurser } from '../../src/purser.ts'

/*
 * Another process on the same file, its wall clock ahead: says `ready`, waits for a line, says `asking`, calls twenty
 * times at once with the user's token, and tells what came of it: `done`, or why not. With `on`, it says so and begins
 * again until it is killed or a call fails.
 * node oauth-child.ts PATH SECRET URL ISSUER AHEAD_MS [on]
 */
const [, , path = '', secretKey = '', url = '', issuer = '', ahead = '0', on] = process.argv
const purser = await openPurser({
  store: `sqlite:${path}`,
  secretKey,
  effects: { now: () => systemEffects.now() + Number(ahead) },
  mcpServers: { wiki: { url, oauth: { redirectUrl: 'https://app.example/back', issuer } } },
})
await using lease = await purser.user('ada').runtime.acquire()
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
process.stdout.write('asking\n')
let failed: PromiseRejectedResult | undefined
do {
  const calls = Array.from({ length: 20 }, async () => {
    const client = await lease.mcp('wiki')
    return client.callTool({ name: 'echo', arguments: { message: 'hello' } })
  })
  failed = (await Promise.allSettled(calls)).find((outcome) => outcome.status === 'rejected')
  process.stdout.write(failed === undefined ? 'done\n' : `${failed.reason?.details?.reason ?? failed.reason}\n`)
} while (on !== undefined && failed === undefined)
lease.release()
await purser.close()
process.stdin.destroy()

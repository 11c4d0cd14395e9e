import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

let harness: ServerHarness
let port: number
before(async () => {
  harness = await openServerHarness()
  port = Number(new URL(await harness.server.listen()).port)
})
after(() => harness[Symbol.asyncDispose]())

/** Sends requests at once and returns the status lines of what comes back until the connection closes. */
async function send(requests: readonly string[]): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
  })
  socket.on('error', () => undefined).write(requests.join(''))
  await new Promise((resolve) => socket.once('close', resolve))
  return text.match(/HTTP\/1\.1 \d+/g) ?? []
}

test('a few requests without a wait for answers are answered in their order', async () => {
  const requests = Array.from(
    { length: 15 },
    (_, index) => `GET /${index % 2 ? 'livez' : 'no'} HTTP/1.1\r\nhost: x\r\n\r\n`,
  )
  requests.push('GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  const expected = Array.from({ length: 16 }, (_, index) => `HTTP/1.1 ${index % 2 ? 200 : 404}`)
  assert.deepEqual(await send(requests), expected)
})

test('a connection that sends thousands of requests without a wait is closed, and they are not handled', async () => {
  for (const path of ['/livez', '/openapi.json', '/nothing', '/api/users']) {
    const answers = await send(Array.from({ length: 4_000 }, () => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`))
    assert.ok(answers.length <= 17, `${path}: ${answers.length} answers`)
  }
})

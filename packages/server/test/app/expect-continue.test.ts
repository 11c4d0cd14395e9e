import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

let harness: ServerHarness
let port: number
let key: string
before(async () => {
  harness = await openServerHarness()
  key = await harness.createKey('service')
  port = Number(new URL(await harness.server.listen()).port)
})
after(() => harness[Symbol.asyncDispose]())

const BODY = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], user: 'ada' })

/** A request whose client waits before it sends its body. */
function begin(path: string, headers: Readonly<Record<string, string | number>>): Socket {
  const lines = Object.entries({ host: 'x', expect: '100-continue', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  socket.on('error', () => undefined).write(`POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  return socket
}

/** All that a server sends until it closes the connection. */
async function readToEnd(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (part: string) => {
    text += part
  })
  await once(socket, 'close')
  return text
}

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'multipart/form-data; boundary=b' }

test('a client that waits with its body gets an error without being asked for it, and the connection closes', async () => {
  const bearer = { authorization: `Bearer ${key}`, 'x-purser-user': 'ada' }
  for (const [path, headers, status] of [
    ['/v1/chat/completions', { ...JSON_TYPE, 'content-length': BODY.length }, 401],
    ['/v1/chat/completions', { ...JSON_TYPE, 'transfer-encoding': 'chunked', authorization: 'Bearer wrong' }, 401],
    ['/v1/messages', { ...JSON_TYPE, 'content-length': BODY.length, 'x-api-key': 'wrong' }, 401],
    ['/v1/audio/transcriptions', { ...FORM_TYPE, 'content-length': 100_000_000 }, 401],
    ['/v1/audio/transcriptions', { ...FORM_TYPE, ...bearer, 'content-length': 100_000_000 }, 413],
    ['/v1/chat/completions', { ...JSON_TYPE, ...bearer, 'content-length': 100_000_000 }, 413],
    ['/v1/chat/completions', { ...bearer, 'content-type': 'text/plain', 'content-length': 5 }, 415],
    ['/v1/chat/completions', { ...JSON_TYPE, ...bearer, 'content-encoding': 'gzip', 'content-length': 5 }, 415],
    ['/v1/nothing', { ...JSON_TYPE, ...bearer, 'content-length': 5 }, 404],
    ['/api/keys', { ...JSON_TYPE, ...bearer, 'content-length': BODY.length }, 403],
    ['/api/session', { ...JSON_TYPE, 'content-length': 1_000_000 }, 413],
    ['/v1/chat/completions', { ...JSON_TYPE, ...bearer, 'content-length': 5, expect: 'x', connection: 'close' }, 417],
  ] as const) {
    const answer = await readToEnd(begin(path, headers))
    assert.equal(answer.slice(0, 12), `HTTP/1.1 ${status}`, `${path} ${JSON.stringify(headers)}`)
    assert.match(answer, /x-request-id: .*"error":\{/s)
  }
})

test('a client that waits with its body is asked for it when it is read, and the connection stays open', async () => {
  const socket = begin('/v1/chat/completions', {
    ...JSON_TYPE,
    authorization: `Bearer ${key}`,
    'content-length': BODY.length,
  })
  const [asked] = (await once(socket, 'data')) as [string]
  assert.equal(asked, 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write(`${BODY}GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  const answers = await readToEnd(socket)
  assert.deepEqual(
    [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ['200', '200'],
    answers,
  )
})

test('a form is asked for once its user is known', async () => {
  const form = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
  const headers = { ...FORM_TYPE, authorization: `Bearer ${key}`, 'content-length': form.length }
  assert.match(await readToEnd(begin('/v1/audio/transcriptions', headers)), /^HTTP\/1\.1 400 .*user/s)
  const socket = begin('/v1/audio/transcriptions', { ...headers, 'x-purser-user': 'ada', connection: 'close' })
  const [asked] = (await once(socket, 'data')) as [string]
  assert.equal(asked, 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write(form)
  assert.match(await readToEnd(socket), /^HTTP\/1\.1 400 .*The form has no file/s)
})

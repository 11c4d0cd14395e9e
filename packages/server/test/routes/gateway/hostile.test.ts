import assert from 'node:assert/strict'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { ADMIN_KEY, type Purser, SERVICE_KEY, startPurser } from '../../support/processes.ts'

let purser: Purser

before(async () => {
  purser = await startPurser({ store: 'memory:', server: { bodyLimitBytes: 100_000 } })
})
after(() => purser?.stop())

const MESSAGES = [{ role: 'user', content: 'hello' }]

async function told(answer: Response): Promise<[number, string]> {
  const body = (await answer.json()) as { error?: { code: string } }
  return [answer.status, body.error?.code ?? 'ok']
}

/** Sends header bytes as they are, which `fetch` would not. */
function raw(path: string, headers: Record<string, string>, body?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(purser.url)
    const call = request(
      { hostname, port, path, method: body === undefined ? 'GET' : 'POST', headers },
      (answer: IncomingMessage) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }))
      },
    )
    call.on('error', reject)
    // With a text as its body Node would write the headers as UTF-8, once more.
    call.end(body === undefined ? undefined : Buffer.from(body))
  })
}

test('UC-D18 a user is required, and every spelling of nobody is refused', async () => {
  assert.deepEqual(await told(await purser.chat({ messages: MESSAGES })), [400, 'user_required'])
  for (const user of [
    '',
    42,
    true,
    {},
    [],
    '{{user}}',
    'a{{b}}',
    '{"device_id":"x"}',
    '.',
    '..',
    'a\u0000b',
    '\ud800',
    'x'.repeat(300),
  ]) {
    assert.deepEqual(
      await told(await purser.chat({ user, messages: MESSAGES })),
      [400, 'user_id_invalid'],
      JSON.stringify(user),
    )
  }
  assert.deepEqual(await told(await purser.chat({ user: null, messages: MESSAGES })), [400, 'user_required'])
})

test('ids that look like something else are just ids, each with its own count', async () => {
  const ids = [
    '__proto__',
    'constructor',
    'a:b',
    'a',
    'a/b',
    'events:a',
    '%2F',
    '🙂',
    'é',
    'e\u0301',
    ' a',
    "'; drop table users; --",
  ]
  for (const user of ids)
    assert.deepEqual(await told(await purser.chat({ user, messages: MESSAGES })), [200, 'ok'], user)
  for (const user of ids) {
    const { body } = await purser.api('GET', `/api/users/${encodeURIComponent(user)}/bond`)
    assert.deepEqual([(body as { user: string }).user, (body as { dailyCount: number }).dailyCount], [user, 1])
  }
})

test('a header is taken literally: its bytes are the id, in the order of the contract', async () => {
  const chat = (headers: Record<string, string>, body: object = { messages: MESSAGES }) =>
    raw('/v1/me', { authorization: `Bearer ${SERVICE_KEY}`, ...headers }, undefined).then((answer) => ({
      ...answer,
      body: JSON.parse(answer.body),
      asked: body,
    }))
  const bytes = Buffer.from('🙂é').toString('latin1')
  assert.equal((await chat({ 'x-purser-user': bytes })).body.user, '🙂é')
  assert.equal((await chat({ 'x-purser-user': 'a%20b+c' })).body.user, 'a%20b+c')
  assert.equal((await chat({ 'x-purser-user': '\xe9' })).body.error.code, 'user_id_invalid')
  assert.equal((await chat({ 'x-purser-user': '' })).body.error.code, 'user_id_invalid')
  const all = { 'x-litellm-end-user-id': 'third', 'x-openwebui-user-id': 'second', 'x-purser-user': 'first' }
  assert.equal((await chat(all)).body.user, 'first')
  const { 'x-purser-user': _, ...two } = all
  assert.equal((await chat(two)).body.user, 'second')
})

test('every x-purser header is read as UTF-8, and bytes that are none are refused by its name', async () => {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1')
  await purser.api('POST', '/api/users/utf/sessions', { id: 'später 🙂', policy: 'pin' })
  const headers = { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json' }
  const chat = (more: Record<string, string>) =>
    raw('/v1/chat/completions', { ...headers, ...more }, JSON.stringify({ user: 'utf', messages: MESSAGES }))
  const unknown = JSON.parse((await chat({ 'x-purser-preset': bytes('größer') })).body)
  assert.match(unknown.error.message, /größer/)
  for (const name of ['x-purser-session', 'x-purser-preset', 'x-purser-time-zone', 'idempotency-key']) {
    const { error } = JSON.parse((await chat({ [name]: '\xe9' })).body)
    assert.deepEqual([error.code, error.param], ['invalid_request_error', name])
  }
  const admin = { ...headers, authorization: `Bearer ${ADMIN_KEY}`, 'x-purser-reason': bytes('möglich ✓') }
  await raw('/api/users/utf/correct', admin, JSON.stringify({ phase: 'warm' }))
  const { body } = await purser.api('GET', '/api/users/utf/events?limit=1')
  assert.equal((body as { data: { reason: string }[] }).data[0]?.reason, 'möglich ✓')
})

test('the body names the user by safety_identifier before user before metadata.user_id, and a header before all', async () => {
  const names = { safety_identifier: 's', user: 'u', metadata: { user_id: 'm' } }
  const counts = async () =>
    Promise.all(
      ['h', 's', 'u', 'm'].map(async (user) => {
        const { body } = await purser.api('GET', `/api/users/${user}/bond`)
        return (body as { dailyCount: number }).dailyCount
      }),
    )
  await purser.chat({ ...names, messages: MESSAGES }, { 'x-purser-user': 'h' })
  assert.deepEqual(await counts(), [1, 0, 0, 0])
  await purser.chat({ ...names, messages: MESSAGES })
  assert.deepEqual(await counts(), [1, 1, 0, 0])
  await purser.chat({ user: 'u', metadata: { user_id: 'm' }, messages: MESSAGES })
  await purser.chat({ metadata: { user_id: 'm' }, messages: MESSAGES })
  assert.deepEqual(await counts(), [1, 1, 1, 1])
})

test('bodies that are no chat request are 400, larger than the limit 413, of another kind 415', async () => {
  for (const body of [
    '{',
    '[]',
    'null',
    '"x"',
    '{}',
    '{"messages":{}}',
    '{"messages":[]}',
    '{"messages":["x"]}',
    '{"__proto__":{},"messages":[]}',
  ]) {
    const answer = await purser.chat(body, { 'x-purser-user': 'ada' })
    assert.deepEqual(await told(answer), [400, 'invalid_request_error'], body)
  }
  for (const body of ['[]', 'null', '"x"', '5'])
    assert.deepEqual(await told(await purser.chat(body)), [400, 'invalid_request_error'], `${body} of nobody`)
  const large = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(100_000) }] })
  assert.deepEqual(await told(await purser.chat(large, { 'x-purser-user': 'ada' })), [413, 'invalid_request_error'])
  const text = await purser.chat('hello', { 'x-purser-user': 'ada', 'content-type': 'text/plain' })
  assert.deepEqual(await told(text), [415, 'invalid_request_error'])
  const packed = await purser.chat('{}', { 'x-purser-user': 'ada', 'content-encoding': 'gzip' })
  assert.deepEqual(await told(packed), [415, 'invalid_request_error'])
})

test('who sends a body that is far too large is told so, and not cut off', async () => {
  const huge = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(30_000_000) }] })
  for (let round = 0; round < 5; round++)
    assert.deepEqual(await told(await purser.chat(huge, { 'x-purser-user': 'ada' })), [413, 'invalid_request_error'])
})

test('x-purser-* headers with a value that cannot be are refused by name', async () => {
  for (const [name, value] of [
    ['x-purser-mode', 'remember'],
    ['x-purser-cache', 'yes'],
    ['x-purser-preset', 'nothing'],
    ['x-purser-time-zone', 'Mars/Base'],
  ] as const) {
    const answer = await purser.chat({ user: 'ada', messages: MESSAGES }, { [name]: value })
    assert.equal(answer.status, 400, name)
    const { error } = (await answer.json()) as { error: { param: string; hint?: string } }
    assert.equal(error.param, name)
  }
  const { body } = await purser.api('GET', '/api/users/ada/bond')
  assert.equal((body as { dailyCount: number }).dailyCount, 0)
})

test('a model without a name is refused as such', async () => {
  const answer = await purser.chat({ user: 'ada', model: '', messages: MESSAGES })
  assert.equal(answer.status, 400)
  const { error } = (await answer.json()) as { error: { code: string; param: string } }
  assert.deepEqual([error.code, error.param], ['invalid_request_error', 'model'])
})

test('an unknown model is model_not_found, an unknown address unknown_url', async () => {
  assert.deepEqual(await told(await purser.chat({ user: 'ada', model: 'gpt-99', messages: MESSAGES })), [
    404,
    'model_not_found',
  ])
  const answer = await fetch(`${purser.baseURL}/embeddings`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_KEY}` },
  })
  assert.deepEqual(await told(answer), [404, 'unknown_url'])
})

test('whoever has no key is told so before the body is read', async () => {
  const { hostname, port } = new URL(purser.url)
  const socket = connect(Number(port), hostname)
  const answered = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())))
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90000\r\n\r\n{',
  )
  assert.match(await answered, /^HTTP\/1\.1 401 /)
  socket.destroy()
})

test('what is no HTTP, or has headers beyond all measure, gets the same error body', async () => {
  const { hostname, port } = new URL(purser.url)
  for (const [bytes, status] of [
    ['nonsense\r\n\r\n', 400],
    [`GET /livez HTTP/1.1\r\nhost: x\r\nx-large: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
  ] as const) {
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined)
    socket.write(bytes)
    await closed
    assert.match(text, new RegExp(`^HTTP/1.1 ${status} `))
    assert.equal(JSON.parse(text.slice(text.indexOf('{'))).error.code, 'invalid_request_error')
  }
})

test('dots as an id reach the server as they are and are refused there', async () => {
  for (const id of ['.', '..', '%2E%2E']) {
    const { body } = await raw(`/api/users/${id}/bond`, { authorization: `Bearer ${ADMIN_KEY}` })
    assert.match(body, /user_id_invalid/)
  }
})

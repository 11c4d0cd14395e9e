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

async function getStatusAndCode(response: Response): Promise<[number, string]> {
  const body = (await response.json()) as { error?: { code: string } }
  return [response.status, body.error?.code ?? 'ok']
}

/** Sends header bytes unchanged, which `fetch` does not. */
function sendRaw(
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(purser.url)
    const call = request(
      { hostname, port, path, method: body === undefined ? 'GET' : 'POST', headers },
      (response: IncomingMessage) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
      },
    )
    call.on('error', reject)
    // With a string as its body Node would encode the headers as UTF-8 again.
    call.end(body === undefined ? undefined : Buffer.from(body))
  })
}

test('UC-D18 a user is required, and an invalid user id is rejected', async () => {
  assert.deepEqual(await getStatusAndCode(await purser.chat({ messages: MESSAGES })), [400, 'user_required'])
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
      await getStatusAndCode(await purser.chat({ user, messages: MESSAGES })),
      [400, 'user_id_invalid'],
      JSON.stringify(user),
    )
  }
  assert.deepEqual(await getStatusAndCode(await purser.chat({ user: null, messages: MESSAGES })), [
    400,
    'user_required',
  ])
})

test('ids that look like keys, paths or code are ordinary ids with counts of their own', async () => {
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
    assert.deepEqual(await getStatusAndCode(await purser.chat({ user, messages: MESSAGES })), [200, 'ok'], user)
  for (const user of ids) {
    const { body } = await purser.api('GET', `/api/users/${encodeURIComponent(user)}/bond`)
    assert.deepEqual([(body as { user: string }).user, (body as { dailyCount: number }).dailyCount], [user, 1])
  }
})

test('the id is the literal value of a header, and headers have the precedence of the contract', async () => {
  const chat = (headers: Record<string, string>, body: object = { messages: MESSAGES }) =>
    sendRaw('/v1/me', { authorization: `Bearer ${SERVICE_KEY}`, ...headers }, undefined).then((response) => ({
      ...response,
      body: JSON.parse(response.body),
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

test('x-purser headers are decoded as UTF-8, and invalid bytes are rejected with the name of the header', async () => {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1')
  await purser.api('POST', '/api/users/utf/sessions', { id: 'später 🙂', policy: 'pin' })
  const headers = { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json' }
  const chat = (more: Record<string, string>) =>
    sendRaw('/v1/chat/completions', { ...headers, ...more }, JSON.stringify({ user: 'utf', messages: MESSAGES }))
  const unknown = JSON.parse((await chat({ 'x-purser-preset': bytes('größer') })).body)
  assert.match(unknown.error.message, /größer/)
  for (const name of ['x-purser-session', 'x-purser-preset', 'x-purser-time-zone', 'idempotency-key']) {
    const { error } = JSON.parse((await chat({ [name]: '\xe9' })).body)
    assert.deepEqual([error.code, error.param], ['invalid_request_error', name])
  }
  const admin = { ...headers, authorization: `Bearer ${ADMIN_KEY}`, 'x-purser-reason': bytes('möglich ✓') }
  await sendRaw('/api/users/utf/correct', admin, JSON.stringify({ phase: 'warm' }))
  const { body } = await purser.api('GET', '/api/users/utf/events?limit=1')
  assert.equal((body as { data: { reason: string }[] }).data[0]?.reason, 'möglich ✓')
})

test('the user comes from a header before safety_identifier, user and metadata.user_id of the body', async () => {
  const names = { safety_identifier: 's', user: 'u', metadata: { user_id: 'm' } }
  const getCounts = async () =>
    Promise.all(
      ['h', 's', 'u', 'm'].map(async (user) => {
        const { body } = await purser.api('GET', `/api/users/${user}/bond`)
        return (body as { dailyCount: number }).dailyCount
      }),
    )
  await purser.chat({ ...names, messages: MESSAGES }, { 'x-purser-user': 'h' })
  assert.deepEqual(await getCounts(), [1, 0, 0, 0])
  await purser.chat({ ...names, messages: MESSAGES })
  assert.deepEqual(await getCounts(), [1, 1, 0, 0])
  await purser.chat({ user: 'u', metadata: { user_id: 'm' }, messages: MESSAGES })
  await purser.chat({ metadata: { user_id: 'm' }, messages: MESSAGES })
  assert.deepEqual(await getCounts(), [1, 1, 1, 1])
})

test('an invalid chat request is 400, a body over the limit 413, another media type or encoding 415', async () => {
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
    const response = await purser.chat(body, { 'x-purser-user': 'ada' })
    assert.deepEqual(await getStatusAndCode(response), [400, 'invalid_request_error'], body)
  }
  for (const body of ['[]', 'null', '"x"', '5'])
    assert.deepEqual(
      await getStatusAndCode(await purser.chat(body)),
      [400, 'invalid_request_error'],
      `${body} without a user`,
    )
  const large = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(100_000) }] })
  assert.deepEqual(await getStatusAndCode(await purser.chat(large, { 'x-purser-user': 'ada' })), [
    413,
    'invalid_request_error',
  ])
  const text = await purser.chat('hello', { 'x-purser-user': 'ada', 'content-type': 'text/plain' })
  assert.deepEqual(await getStatusAndCode(text), [415, 'invalid_request_error'])
  const compressed = await purser.chat('{}', { 'x-purser-user': 'ada', 'content-encoding': 'gzip' })
  assert.deepEqual(await getStatusAndCode(compressed), [415, 'invalid_request_error'])
})

test('a client that sends a far too large body can read the 413', async () => {
  const huge = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(30_000_000) }] })
  for (let round = 0; round < 5; round++)
    assert.deepEqual(await getStatusAndCode(await purser.chat(huge, { 'x-purser-user': 'ada' })), [
      413,
      'invalid_request_error',
    ])
})

test('invalid values of x-purser headers are rejected with the name of the header', async () => {
  for (const [name, value] of [
    ['x-purser-mode', 'remember'],
    ['x-purser-cache', 'yes'],
    ['x-purser-preset', 'nothing'],
    ['x-purser-time-zone', 'Mars/Base'],
  ] as const) {
    const response = await purser.chat({ user: 'ada', messages: MESSAGES }, { [name]: value })
    assert.equal(response.status, 400, name)
    const { error } = (await response.json()) as { error: { param: string; hint?: string } }
    assert.equal(error.param, name)
  }
  const { body } = await purser.api('GET', '/api/users/ada/bond')
  assert.equal((body as { dailyCount: number }).dailyCount, 0)
})

test('an empty model is rejected with param model', async () => {
  const response = await purser.chat({ user: 'ada', model: '', messages: MESSAGES })
  assert.equal(response.status, 400)
  const { error } = (await response.json()) as { error: { code: string; param: string } }
  assert.deepEqual([error.code, error.param], ['invalid_request_error', 'model'])
})

test('an unknown model is model_not_found, an unknown route unknown_url', async () => {
  assert.deepEqual(await getStatusAndCode(await purser.chat({ user: 'ada', model: 'gpt-99', messages: MESSAGES })), [
    404,
    'model_not_found',
  ])
  const response = await fetch(`${purser.baseURL}/unknown`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_KEY}` },
  })
  assert.deepEqual(await getStatusAndCode(response), [404, 'unknown_url'])
})

test('a missing key is 401 before the body is read', async () => {
  const { hostname, port } = new URL(purser.url)
  const socket = connect(Number(port), hostname)
  const received = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())))
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90000\r\n\r\n{',
  )
  assert.match(await received, /^HTTP\/1\.1 401 /)
  socket.destroy()
})

test('malformed HTTP and too large headers get the same error body', async () => {
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

test('the ids . and .. reach the server and are rejected there', async () => {
  for (const id of ['.', '..', '%2E%2E']) {
    const { body } = await sendRaw(`/api/users/${id}/bond`, { authorization: `Bearer ${ADMIN_KEY}` })
    assert.match(body, /user_id_invalid/)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { McpServerOption } from '../../src/options.ts'
import { fillDefinition, findPlaceholderError } from '../../src/runtime/settings/mcp-definition.ts'
import { fails } from '../support/runtime-harness.ts'

const fill = (definition: McpServerOption, user: string, credentials: Record<string, string> | null = null) =>
  fillDefinition(definition, { server: 's', user, credentials })

test('placeholders are encoded for their position: URL, header, environment', () => {
  const remote = {
    url: 'https://h/{user}/mcp?k={secret.key}',
    headers: { 'x-user': '{user}', authorization: 'Bearer {secret.key}' },
  }
  assert.deepEqual(fill(remote, 'a/b?&é', { key: 'k y' }), {
    url: 'https://h/a%2Fb%3F%26%C3%A9/mcp?k=k%20y',
    headers: { 'x-user': 'a%2Fb%3F%26%C3%A9', authorization: 'Bearer k y' },
  })
  const child = { command: 'x', args: ['-y'], env: { WHO: '<{user}>', KEY: '{secret.key}' } }
  assert.deepEqual(fill(child, 'a/b', { key: 'line\nline' }), {
    command: 'x',
    args: ['-y'],
    env: { WHO: '<a/b>', KEY: 'line\nline' },
  })
})

test('filled-in values are not scanned for placeholders, and inherited properties are not secret fields', () => {
  const definition = { command: 'x', env: { A: '{user}', B: '{secret.key}' } }
  const filled = fill(definition, '{secret.key}', { key: '{user}' }) as { env: Record<string, string> }
  assert.deepEqual(filled.env, { A: '{secret.key}', B: '{user}' })
  assert.throws(() => fill({ command: 'x', env: { A: '{secret.constructor}' } }, 'ada', {}), fails('secret_missing'))
  assert.throws(() => fill({ command: 'x', env: { A: '{secret.key}' } }, 'ada', null), fails('secret_missing'))
})

test('a secret that is not a valid header value is refused, and is not in the error', () => {
  const definition = { url: 'https://h/', headers: { authorization: '{secret.key}' } }
  for (const key of ['a\r\nx-other: 1', 'a\0', 'ключ']) {
    assert.throws(
      () => fill(definition, 'ada', { key }),
      (error: Error & { code?: string }) => error.code === 'secret_invalid' && !error.message.includes(key),
    )
  }
})

test('a secret that is a dot segment does not select another path of the server', () => {
  const definition = { url: 'https://h/{secret.team}/mcp' }
  for (const team of ['..', '.']) assert.throws(() => fill(definition, 'ada', { team }), fails('secret_invalid'))
  for (const team of ['../x', '%2e%2e', '..\\', '...', 'a..b', '?', '#', '//evil.example']) {
    const { url } = fill(definition, 'ada', { team }) as { url: string }
    assert.match(new URL(url).href, /^https:\/\/h\/[^/?#]+\/mcp$/)
  }
  const fixed = { url: 'https://h/a/../{secret.team}' }
  assert.deepEqual(fill(fixed, 'ada', { team: 'x' }), { url: 'https://h/a/../x' }, "the operator's own path stays")
})

test('two user ids always give different URLs and headers', () => {
  const id = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => text.isWellFormed() && text !== '.' && text !== '..')
  const definition = { url: 'https://h/{user}', headers: { 'x-user': '{user}' } }
  fc.assert(
    fc.property(id, id, (one, other) => {
      const [first, second] = [fill(definition, one), fill(definition, other)] as {
        url: string
        headers: { 'x-user': string }
      }[]
      if (one === other) return
      assert.notEqual(first?.url, second?.url)
      assert.notEqual(first?.headers['x-user'], second?.headers['x-user'])
      assert.match(first?.headers['x-user'] ?? '', /^[!-~]*$/)
      assert.equal(new URL(first?.url ?? '').host, 'h')
    }),
  )
  for (const [one, other] of [
    ['é', '%C3%A9'],
    [' a', 'a'],
    ['a b', 'a%20b'],
    ['a', 'A'],
  ] as const) {
    assert.notDeepEqual(fill(definition, one), fill(definition, other))
  }
})

test('a placeholder with an unknown name, in the host or in the command line is a configuration error', () => {
  const wrong: McpServerOption[] = [
    { url: 'https://{user}.h/' },
    { url: 'https://{secret.host}/' },
    { url: 'https://h/{user_id}' },
    { url: 'https://h/{secret}' },
    { url: 'https://h/', headers: { a: '{secret.}' } },
    { command: '{user}' },
    { command: 'x', args: ['--key={secret.key}'] },
    { command: 'x', env: { A: '{USER}' } },
  ]
  for (const definition of wrong) assert.ok(findPlaceholderError(definition), JSON.stringify(definition))
  const right: McpServerOption[] = [
    { url: 'https://h/{user}?q={secret.key-2}', headers: { a: '{"json": 1}' } },
    { command: 'x', args: ['{}', '{other}'], env: { A: '{user}{secret.a_b}' } },
  ]
  for (const definition of right) assert.equal(findPlaceholderError(definition), undefined)
})

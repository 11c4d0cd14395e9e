import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { expandEnv, PurserError } from 'purser'
import { loadConfig, resolveConfig } from '../../src/config/load.ts'
import { maskConfig } from '../../src/config/mask.ts'

const directory = mkdtempSync(join(tmpdir(), 'purser-config-'))
after(() => rmSync(directory, { recursive: true }))

let files = 0
function load(
  content: unknown,
  environment: Record<string, string> = {},
  flags: Record<string, string | boolean> = {},
) {
  const path = join(directory, `${files++}.json`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return loadConfig({ flags: { config: path, ...flags }, environment, directory })
}

function getError(run: () => unknown): PurserError {
  try {
    run()
  } catch (error) {
    assert.ok(PurserError.is(error), String(error))
    return error
  }
  return assert.fail('no error was thrown')
}

test('flags take precedence over the environment, the environment over the file, the file over the defaults', () => {
  const file = { server: { port: 1, host: 'localhost', prefix: '/p' }, ledger: { dailyCap: 1 } }
  const environment = { PURSER_PORT: '2', PURSER_DAILY_CAP: '2' }
  const { config } = load(file, environment, { port: '3' })
  assert.equal(config.server.port, 3)
  assert.equal(config.ledger?.dailyCap, 2)
  assert.equal(config.server.prefix, '/p')
  assert.equal(config.server.bodyLimitBytes, 20_971_520)
  assert.equal(config.store, 'sqlite:data/purser.db')
})

test('without any configuration the built-in provider is used', () => {
  const { config, file } = loadConfig({ flags: {}, environment: {}, directory })
  assert.equal(file, null)
  assert.equal(config.providers?.demo?.kind, 'demo')
  assert.deepEqual(config.runtime?.defaults, { provider: 'demo', model: 'demo' })
})

test('a replacement configuration ignores file and environment, and only flags take precedence over it', () => {
  writeFileSync(join(directory, 'purser.config.json'), JSON.stringify({ store: 'sqlite:real.db' }))
  const environment = { PURSER_STORE: 'sqlite:other.db', PURSER_CONFIG: 'nowhere.json', PURSER_PROT: '1' }
  const replacement = { store: 'memory:', ledger: { dailyCap: 40, phases: ['new', 'old'] } }
  const sources = { environment, directory, config: replacement }
  const { config, file, warnings } = loadConfig({ ...sources, flags: { 'daily-cap': '5' } })
  rmSync(join(directory, 'purser.config.json'))
  assert.deepEqual([config.store, file, warnings], ['memory:', null, []])
  assert.deepEqual(config.ledger, { dailyCap: 5, phases: ['new', 'old'] })
  assert.equal(loadConfig({ ...sources, flags: { store: 'sqlite:mine.db' } }).config.store, 'sqlite:mine.db')
})

test('with a configured provider the built-in one is absent', () => {
  const { config } = load({ providers: { local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:1/v1' } } })
  assert.deepEqual(Object.keys(config.providers ?? {}), ['local'])
  assert.equal(config.runtime, undefined)
})

test('null removes a limit in the file as in the library', () => {
  const file = { ledger: { dailyCap: null }, answers: { ttlMs: null }, runtime: { maxLive: null } }
  const { config } = load(file)
  assert.equal(config.ledger?.dailyCap, null)
  assert.equal(config.answers?.ttlMs, null)
  assert.equal(config.runtime?.maxLive, null)
})

test('an unknown key at any depth is an error that suggests the closest valid key', () => {
  for (const [content, path, hint] of [
    [{ stor: 'memory:' }, 'stor', "Did you mean 'store'?"],
    [{ server: { prot: 1 } }, 'server.prot', "Did you mean 'port'?"],
    [{ ledger: { dailycap: 1 } }, 'ledger.dailycap', "Did you mean 'dailyCap'?"],
    [{ context: { budget: 1 } }, 'context.budget', ''],
  ] as const) {
    const error = getError(() => load(content))
    assert.equal(error.code, 'option_unknown')
    assert.match(error.message, new RegExp(path.replaceAll('.', '\\.')))
    if (hint !== '') assert.equal(error.hint, hint)
    assert.ok(error.hint)
  }
})

test('all invalid values are reported at once, with their paths', () => {
  const error = getError(() =>
    load({ store: 'redis:x', server: { port: 99_999, prefix: 'x/' }, providers: { a: { kind: 'opnai' } } }),
  )
  assert.equal(error.code, 'option_invalid')
  const issues = ((error.details?.issues ?? []) as { path: string }[]).map(({ path }) => path)
  assert.deepEqual(issues.toSorted(), ['providers.a.kind', 'server.port', 'server.prefix', 'store'])
})

test('an MCP server is a URL or a command, and unknown fields are rejected with the name of the server', () => {
  assert.ok(load({ mcpServers: { a: { url: 'https://x.example/mcp' }, b: { command: 'npx', args: ['-y'] } } }))
  const error = getError(() => load({ mcpServers: { a: { comand: 'npx' } } }))
  assert.match(error.message, /mcpServers\.a/)
})

/** `${NAME}`, written so that the linter does not take it for a template literal. */
const variable = (name: string): string => ['$', '{', name, '}'].join('')

test('a variable is expanded in any string of the file, a doubled dollar escapes it, and a missing one is an error', () => {
  const key = variable('KEY')
  const file = { providers: { a: { kind: 'openai', apiKey: key, headers: { x: `a-${key}-$${key}` } } } }
  const { config, environmentPaths } = load(file, { KEY: 'k1' })
  assert.deepEqual(config.providers?.a, { kind: 'openai', apiKey: 'k1', headers: { x: `a-k1-$${key}` } })
  assert.equal(expandEnv(config.providers)?.a?.headers?.x, `a-k1-${key}`)
  assert.deepEqual(environmentPaths, ['providers.a.apiKey', 'providers.a.headers.x'])
  const error = getError(() => load(file, {}))
  assert.match(error.message, /providers\.a\.apiKey needs \$KEY/)
})

test('numbers and switches in the environment are parsed, and invalid values are rejected with the name of the variable', () => {
  assert.equal(load({}, { PURSER_ANSWERS: 'on' }).config.answers?.enabled, true)
  assert.match(getError(() => load({}, { PURSER_PORT: 'http' })).message, /PURSER_PORT/)
  assert.match(getError(() => load({}, { PURSER_ANSWERS: 'perhaps' })).message, /PURSER_ANSWERS/)
})

test('an unknown PURSER_ variable only warns, with a suggestion', () => {
  const { warnings } = load({}, { PURSER_PROT: '1', PURSER_ADMIN_KEY: 'x', OTHER: 'y' })
  assert.deepEqual(warnings, ["Unknown environment variable PURSER_PROT. Did you mean 'PURSER_PORT'?"])
})

test('a file that is missing or not valid JSON is an error with its path', () => {
  assert.match(getError(() => load('{ "a": 1, }')).message, /is not valid JSON/)
  const missing = () => loadConfig({ flags: { config: 'nowhere.json' }, environment: {}, directory })
  assert.match(getError(missing).message, /Cannot read the configuration file .*nowhere\.json/)
})

test('secrets at any path and values from the environment are masked', () => {
  const file = {
    store: 'postgres://u:pg-1@h/db?schema=s&sslpassword=ssl-1&password=pg-2',
    secretKey: { current: 'aaa', previous: ['bbb'] },
    providers: {
      a: { kind: 'openai', apiKey: 'sk-1', models: ['m'] },
      aws: { kind: 'amazon-bedrock', accessKeyId: 'id-1', secretAccessKey: 'aws-1' },
    },
    mcpServers: {
      b: { command: 'npx', args: [variable('ARG')], env: { T: 'tok-1' } },
      c: { url: 'https://u:pw@h', headers: { x: 'h-1' } },
      d: {
        url: 'https://h',
        oauth: { redirectUrl: 'https://h/back', clientId: 'app', clientSecret: 'cs-1', issuer: 'https://i' },
      },
    },
  }
  const { config, environmentPaths } = load(file, { ARG: 'arg-1', PURSER_SECRET_KEY: 'ccc' })
  const text = JSON.stringify(maskConfig(config, environmentPaths))
  for (const secret of [
    'aaa',
    'bbb',
    'ccc',
    'sk-1',
    'id-1',
    'aws-1',
    'pw',
    'tok-1',
    'h-1',
    'arg-1',
    'cs-1',
    'pg-1',
    'pg-2',
    'ssl-1',
  ]) {
    assert.ok(!text.includes(`"${secret}`) && !text.includes(`${secret}"`) && !text.includes(`:${secret}@`), secret)
    assert.ok(!text.includes(`=${secret}`), secret)
  }
  assert.ok(text.includes('"m"'))
})

test('a configuration in code reads variables in every text, and expands none twice', () => {
  process.env.TEST_PREFIX = '/deck'
  process.env.TEST_NESTED = variable('OTHER')
  try {
    const config = resolveConfig({
      store: 'memory:',
      namespace: variable('TEST_NESTED'),
      server: { prefix: variable('TEST_PREFIX') },
    })
    assert.equal(config.server.prefix, '/deck')
    assert.equal(expandEnv(config.namespace), variable('OTHER'))
  } finally {
    delete process.env.TEST_PREFIX
    delete process.env.TEST_NESTED
  }
})

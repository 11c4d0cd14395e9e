import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openPurser, PurserError, type PurserOptions, systemEffects } from '../../src/index.ts'

const key = randomBytes(32).toString('base64')

/** An object that contains itself. */
const circular: Record<string, unknown> = {}
circular.self = circular

const invalidOptions: readonly (readonly [why: string, options: unknown, code: string])[] = [
  ['null instead of options', null, 'option_invalid'],
  ['a number instead of options', 3, 'option_invalid'],
  ['a list instead of options', [], 'option_invalid'],
  ['a misspelt option', { stor: 'memory:' }, 'option_unknown'],
  ['a misspelt option of a group', { ledger: { dailycap: 1 } }, 'option_unknown'],
  ['an effect that is not a function', { effects: { now: 3 } }, 'option_invalid'],
  ['an unknown effect', { effects: { bogus: 1 } }, 'option_invalid'],
  ['a provider that contains itself', { providers: { x: circular } }, 'option_invalid'],
  ['an MCP server that contains itself', { mcpServers: { x: { command: 'x', env: circular } } }, 'option_invalid'],
  ['a source that contains itself', { context: { sources: { profile: { body: [circular] } } } }, 'option_invalid'],
  ['an object that is not a store', { store: {} }, 'option_invalid'],
  ['an offset instead of a time zone', { timeZone: '+05:00' }, 'option_invalid'],
  ['a phase that is too long', { ledger: { phases: ['x'.repeat(65), 'b'] } }, 'option_invalid'],
  ['a phase that is not well-formed', { ledger: { phases: ['\ud800', 'b'] } }, 'option_invalid'],
  ['a namespace with control characters', { namespace: 'a\0b' }, 'option_invalid'],
  ['a namespace that is not well-formed', { namespace: '\ud800' }, 'option_invalid'],
  ['a secret key without `current`', { secretKey: { curent: key } }, 'option_invalid'],
  ['a secret key with other characters behind it', { secretKey: `${key}!!garbage` }, 'option_invalid'],
  ['a secret key with other characters in it', { secretKey: `!${key}` }, 'option_invalid'],
  ['a secret key that is too short', { secretKey: key.slice(4) }, 'option_invalid'],
  ['a damaged previous secret key', { secretKey: { current: key, previous: [`${key} x`] } }, 'option_invalid'],
  ['previous secret keys that are not a list', { secretKey: { current: key, previous: key } }, 'option_invalid'],
  ['a value that is not JSON', { ledger: { window: { days: 1n } } }, 'option_invalid'],
]

for (const [why, options, code] of invalidOptions) {
  test(`openPurser rejects ${why} with a hint that contains no key`, async () => {
    const input =
      Array.isArray(options) || options === null || typeof options !== 'object' ? options : inMemory(options)
    await assert.rejects(openPurser(input as PurserOptions), (error) => {
      assert.ok(PurserError.is(error))
      assert.equal(error.code, code)
      assert.ok(error.hint)
      assert.ok(!`${error.message} ${error.hint}`.includes(key))
      return true
    })
  })
}

test('a variable of the environment is read in every text of the options, as in a configuration file', async () => {
  // Written so that the linter does not take it for a template literal.
  const variable = (name: string): string => ['$', '{', name, '}'].join('')
  const variables = {
    TEST_ZONE: 'Asia/Kolkata',
    TEST_SPACE: 'tenant-7',
    TEST_KEY: key,
    TEST_MODEL: 'demo',
    TEST_PHASE: 'waking',
    TEST_WINDOW: 'day',
  }
  Object.assign(process.env, variables)
  try {
    await using purser = await openPurser({
      store: 'memory:',
      namespace: variable('TEST_SPACE'),
      timeZone: variable('TEST_ZONE'),
      secretKey: { current: variable('TEST_KEY') },
      providers: { demo: { kind: 'demo' } },
      presets: { one: { model: variable('TEST_MODEL') } },
      runtime: { defaults: { provider: 'demo', model: `${variable('TEST_MODEL')}-$${variable('LITERAL')}` } },
      ledger: { window: variable('TEST_WINDOW') as 'day', phases: ['dormant', variable('TEST_PHASE')] },
    })
    const ada = purser.user('ada')
    assert.equal(ada.namespace, 'tenant-7')
    assert.equal((await ada.ledger.bond()).timeZone, 'Asia/Kolkata')
    assert.equal((await ada.runtime.settings()).model, `demo-${variable('LITERAL')}`)
    assert.equal((await ada.runtime.settings({ override: { preset: 'one' } })).model, 'demo')
    await ada.ledger.observe({ phase: 'waking' })
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name]
  }
  const missing = openPurser({
    store: 'memory:',
    timeZone: variable('TEST_ZONE'),
    presets: { a: { model: variable('NO') } },
  })
  await assert.rejects(missing, (error) => {
    assert.ok(PurserError.is(error, 'option_invalid'))
    assert.match(error.message, /timeZone needs \$TEST_ZONE.*presets\.a\.model needs \$NO/)
    return true
  })
})

test('a store object is used as it is', async () => {
  const store = await openMemoryStore({ effects: systemEffects })
  let closed = 0
  const own = { ...store, close: async () => void closed++ }
  const purser = await openPurser({ store: own, secretKey: key })
  assert.equal(purser.store, store.traits)
  await purser.close()
  assert.equal(closed, 1)
})

test('null removes every limit, and undefined leaves every default', async () => {
  const limits = {
    runtime: { idleMs: null, mcpIdleMs: null, maxLeaseMs: null, sweepMs: null, maxLive: null, maxMcpProcesses: null },
    context: {
      budgetMs: null,
      ttlMs: null,
      maxStaleMs: null,
      maxUsers: null,
      maxConcurrentLoads: null,
      maxAbandonedLoads: null,
    },
    ledger: { dailyCap: null, keepEvents: null },
    answers: { ttlMs: null, maxEntries: null, maxBytes: null, touchEveryMs: null },
  }
  await using unlimited = await openPurser(inMemory(limits))
  const user = unlimited.user('ada')
  assert.deepEqual(await user.ledger.quota(), { remaining: -1, cap: 0, count: 0, resetAt: null })
  assert.equal((await user.context.resolve()).status, 'fresh')
  await user.answers.remember('question', async () => 'answer')
  assert.equal((await user.answers.lookup('question'))?.expiresAt, null)

  await using defaults = await openPurser(
    inMemory({ namespace: undefined, ledger: undefined, answers: { ttlMs: undefined } }),
  )
  assert.equal(defaults.namespace, 'default')
  assert.equal(defaults.answers.stats().ttlMs, 604_800_000)
})

test('an undefined effect is the default, and an effect that is a method keeps its object', async () => {
  class Clock {
    readonly #instant = Date.parse('2026-01-31T12:00:00Z')
    readonly setTimer = undefined
    now(): number {
      return this.#instant
    }
  }
  await using purser = await openPurser(inMemory({ effects: new Clock() }))
  const admitted = await purser.user('ada').ledger.record('acme:seen')
  assert.equal(admitted.at, '2026-01-31T12:00:00.000Z')
})

function inMemory(options: object): PurserOptions {
  return { store: 'memory:', ...options }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fails, openRuntimeHarness } from '../support/runtime-harness.ts'

test('an unknown user has the defaults with their origin, and is not created (RC-08)', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const settings = await harness.user('unknown').settings()
  assert.equal(settings.version, 0)
  assert.equal(settings.provider, 'local')
  assert.equal(settings.model, 'm')
  assert.equal(settings.origin.provider, 'default')
  assert.equal(settings.region, null)
  assert.deepEqual(settings.mcpServers, [])
  assert.ok(Object.isFrozen(settings) && Object.isFrozen(settings.origin) && Object.isFrozen(settings.parameters))
  assert.deepEqual(harness.runtimes.active(), [])
  assert.equal(await harness.store.users.load(harness.subject('unknown')), undefined)
})

test('settings hold every field of a runtime context and no live clients (RC-02)', async () => {
  await using harness = await openRuntimeHarness()
  const user = harness.user('ada')
  const settings = await user.configure({
    provider: 'local',
    model: 'n',
    region: 'eu-west-1',
    deployment: 'gpt-eu',
    baseURL: 'https://models.example/v1',
    mcpServers: ['plain'],
    preset: 'calm',
    parameters: { temperature: 1 },
    allowedModels: ['n', 'local/m'],
    fallbacks: [],
  })
  assert.deepEqual(
    { ...settings, origin: settings.origin.model },
    {
      version: 1,
      provider: 'local',
      model: 'n',
      region: 'eu-west-1',
      deployment: 'gpt-eu',
      baseURL: 'https://models.example/v1',
      mcpServers: ['plain'],
      preset: 'calm',
      parameters: { temperature: 1 },
      allowedModels: ['n', 'local/m'],
      fallbacks: [],
      origin: 'user',
    },
  )
  assert.deepEqual(await user.settings(), settings)
})

test('configuring one user does not affect other users (RC-07, RC-D01)', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  await harness.user('ada').configure({ provider: 'many', model: 'y' })
  assert.equal((await harness.user('bob').settings()).provider, 'local')
  assert.equal((await harness.user('ada').settings()).provider, 'many')
})

test('setting only a provider does not keep the model of another provider (RC-D03)', async () => {
  await using harness = await openRuntimeHarness()
  const user = harness.user('ada')
  await user.configure({ provider: 'many', model: 'y', deployment: 'd', baseURL: 'https://one.example/' })
  const moved = await user.configure({ provider: 'other' })
  assert.deepEqual([moved.provider, moved.model], ['other', 'only'])
  assert.deepEqual([moved.deployment, moved.baseURL], [null, null])
  await assert.rejects(user.configure({ provider: 'many' }), fails('model_required'))
  assert.deepEqual((await user.settings()).provider, 'other')
  assert.equal((await user.configure({ provider: 'local' })).model, 'm')
  assert.equal((await user.configure({ model: 'n' })).provider, 'local')
})

test('an override applies to one lease, by fields or by preset, and is not stored (RC-16)', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  await user.configure({ model: 'n', parameters: { temperature: 1, seed: 3 } })
  const [plain, byPreset, byFields] = await Promise.all([
    user.acquire(),
    user.acquire({ override: { preset: 'fast' } }),
    user.acquire({ override: { provider: 'open', model: 'z', region: 'eu' } }),
  ])
  assert.deepEqual([plain.settings.provider, plain.settings.model], ['local', 'n'])
  assert.deepEqual([byPreset.settings.provider, byPreset.settings.model], ['many', 'x'])
  assert.deepEqual(byPreset.settings.parameters, { temperature: 0, seed: 3 })
  assert.deepEqual([byPreset.settings.preset, byPreset.settings.origin.model], ['fast', 'turn'])
  assert.deepEqual([byFields.settings.provider, byFields.settings.model, byFields.settings.region], ['open', 'z', 'eu'])
  assert.equal(byFields.settings.origin.region, 'turn')
  const after = await user.settings()
  assert.deepEqual([after.version, after.provider, after.model, after.preset], [1, 'local', 'n', null])
})

test('an assigned preset is below the user layer, an override above it, and fields of the override win over its preset', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  await user.configure({ preset: 'fast', parameters: { temperature: 1 } })
  const settings = await user.settings()
  assert.deepEqual([settings.provider, settings.model, settings.parameters.temperature], ['many', 'x', 1])
  assert.deepEqual(
    [settings.origin.provider, settings.origin.parameters, settings.origin.preset],
    ['preset', 'user', 'user'],
  )
  const turn = await user.settings({ override: { preset: 'calm', model: 'y' } })
  assert.deepEqual([turn.provider, turn.model, turn.parameters.temperature], ['many', 'y', 0.1])
})

test('a model chosen for one provider is not used when a lower layer sets another provider', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  assert.deepEqual((await user.configure({ model: 'n' })).origin.provider, 'default')
  const settings = await user.configure({ preset: 'fast' })
  assert.deepEqual([settings.provider, settings.model], ['many', 'x'])
  assert.deepEqual((await user.configure({ preset: null })).model, 'n')
})

test('null clears a field and shows the layer below; parameters merge by name (RFC 7396)', async () => {
  await using harness = await openRuntimeHarness({
    runtime: { defaults: { provider: 'local', region: 'eu', parameters: { seed: 1 } } },
  })
  const user = harness.user('ada')
  await user.configure({ region: 'us', parameters: { temperature: 1, providerOptions: { a: { b: 1, c: 2 } } } })
  const settings = await user.configure({
    region: null,
    parameters: { temperature: null, providerOptions: { a: { b: null } } },
  })
  assert.deepEqual([settings.region, settings.origin.region], ['eu', 'default'])
  assert.deepEqual(settings.parameters, { seed: 1, providerOptions: { a: { c: 2 } } })
  assert.deepEqual((await user.settings({ override: { region: null } })).region, null)
})

test("the operator's allow-lists apply in every layer: provider models and allowedModels", async () => {
  await using harness = await openRuntimeHarness({
    runtime: { defaults: { provider: 'local', allowedModels: ['m', 'many/x'] } },
  })
  const user = harness.user('ada')
  await assert.rejects(user.configure({ model: 'n' }), fails('model_not_allowed'))
  await assert.rejects(user.settings({ override: { model: 'n' } }), fails('model_not_allowed'))
  await assert.rejects(user.acquire({ override: { model: 'n', allowedModels: null } }), fails('model_not_allowed'))
  await assert.rejects(user.acquire({ override: { model: 'n', allowedModels: ['n'] } }), fails('model_not_allowed'))
  await assert.rejects(user.acquire({ override: { provider: 'many', model: 'y' } }), fails('model_not_allowed'))
  assert.equal((await user.settings({ override: { preset: 'fast' } })).model, 'x')
  await user.startSession('s', { policy: 'pin' })
  await user.configure({ allowedModels: ['n'], model: 'n' })
  await assert.rejects(
    user.acquire({ session: 's' }),
    fails('model_not_allowed'),
    'pinned settings are checked as well',
  )
  assert.equal((await user.acquire()).settings.model, 'n')
})

for (const [patch, code] of [
  [{ providr: 'local' }, 'settings_invalid'],
  [{ provider: 7 }, 'settings_invalid'],
  [{ provider: 'lokal' }, 'provider_unknown'],
  [{ provider: 'many' }, 'model_required'],
  [{ model: 'x' }, 'provider_unknown'],
  [{ provider: 'local', model: 'x' }, 'model_not_allowed'],
  [{ preset: 'fasst' }, 'preset_unknown'],
  [{ mcpServers: ['plane'] }, 'mcp_unknown'],
  [{ mcpServers: ['plain', 'plain'] }, 'settings_invalid'],
  [{ mcpServers: 'plain' }, 'settings_invalid'],
  [{ baseURL: 'ftp://x/' }, 'settings_invalid'],
  [{ baseURL: 'https://key@host/' }, 'settings_invalid'],
  [{ baseURL: 'https://host/?key=1' }, 'settings_invalid'],
  [{ region: '' }, 'settings_invalid'],
  [{ region: 'a\nb' }, 'settings_invalid'],
  [{ parameters: [] }, 'settings_invalid'],
  [{ parameters: { temperature: 'hot' } }, 'settings_invalid'],
  [{ parameters: { max_tokens: 5 } }, 'settings_invalid'],
  [{ parameters: { messages: [] } }, 'settings_invalid'],
  [{ parameters: { x: () => 1 } }, 'settings_invalid'],
  [JSON.parse('{"parameters": {"x": {"__proto__": {"y": 1}}}}'), 'settings_invalid'],
  [JSON.parse('{"__proto__": {"provider": "local"}}'), 'settings_invalid'],
  [{ parameters: { x: 'long'.repeat(3_000) } }, 'settings_invalid'],
  [null, 'settings_invalid'],
  [[], 'settings_invalid'],
] as [never, string][]) {
  test(`an invalid patch is refused with ${code} and stores nothing: ${JSON.stringify(patch)?.slice(0, 60)}`, async () => {
    await using harness = await openRuntimeHarness()
    await assert.rejects(harness.user('ada').configure(patch), fails(code))
    assert.equal(await harness.store.users.load(harness.subject('ada')), undefined)
  })
}

test('the error of a misspelt field or name suggests the closest one', async () => {
  const user = (await openRuntimeHarness()).user('ada')
  const hint = (error: { hint?: string }): boolean => /Did you mean/.test(error.hint ?? '')
  await assert.rejects(user.configure({ providr: 'local' } as never), hint)
  await assert.rejects(user.configure({ provider: 'locl' }), hint)
  await assert.rejects(user.configure({ preset: 'fest' }), hint)
  await assert.rejects(user.configure({ parameters: { max_tokens: 1 } as never }), hint)
})

test('of two writers with the same expected version exactly one succeeds, and writers without one lose no change', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const other = await harness.openInstance()
  const patches = Array.from({ length: 20 }, (_, index) => ({ parameters: { [`p${index}`]: index } }))
  await Promise.all(patches.map((patch, index) => (index % 2 ? harness : other).user('ada').configure(patch)))
  const settings = await harness.user('ada').settings()
  assert.equal(settings.version, 20)
  assert.equal(Object.keys(settings.parameters).length, 20)
  const races = await Promise.allSettled(
    [harness, other].map((one) => one.user('ada').configure({ region: 'eu' }, { expectedVersion: 20 })),
  )
  assert.deepEqual(races.map((race) => race.status).sort(), ['fulfilled', 'rejected'])
  for (const race of races) if (race.status === 'rejected') assert.equal(race.reason.code, 'version_conflict')
})

test('each configure logs one event with actor, reason, before and after; one that changes nothing logs none', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  await user.configure({ model: 'n' }, { actor: 'ops', reason: 'asked for it' })
  const same = await user.configure({ model: 'n' })
  await user.configure({ model: null })
  assert.equal(same.version, 1)
  const events = await harness.store.events.newest(harness.subject('ada'), { limit: 10 })
  const [second, first] = events.map((event) => JSON.parse(event.body))
  assert.equal(events.length, 2)
  assert.deepEqual(
    { type: first.type, data: first.data, actor: first.actor, reason: first.reason },
    {
      type: 'admin_action',
      data: { action: 'settings_changed', version: 1, before: { model: null }, after: { model: 'n' } },
      actor: 'ops',
      reason: 'asked for it',
    },
  )
  assert.deepEqual([second.data.before, second.data.after, second.actor], [{ model: 'n' }, { model: null }, 'app'])
})

test('settings that refer to a removed provider or preset can be read and corrected, but not acquired', async () => {
  await using harness = await openRuntimeHarness()
  await harness.user('ada').configure({ provider: 'many', model: 'x', preset: 'fast' })
  const without = await harness.openInstance({ providers: { local: { kind: 'demo', models: ['m'] } }, presets: {} })
  const user = without.user('ada')
  assert.equal((await user.settings()).provider, 'many')
  await assert.rejects(user.acquire(), fails('preset_unknown'))
  await assert.rejects(user.configure({ preset: null }), fails('provider_unknown'))
  assert.equal((await user.configure({ preset: null, provider: 'local' })).model, 'm')
  assert.equal((await user.acquire()).settings.provider, 'local')
})

test('configuration errors are thrown at start', async () => {
  const start = (options: object) => openRuntimeHarness(options as never)
  await assert.rejects(start({ runtime: { defaults: { provder: 'local' } } }), fails('option_invalid'))
  await assert.rejects(start({ runtime: { defaults: { provider: 'nowhere' } } }), fails('provider_unknown'))
  await assert.rejects(start({ presets: { a: { preset: 'a' } } }), fails('option_invalid'))
  await assert.rejects(start({ mcpServers: { a: { url: 'http://x', command: 'y' } } }), fails('option_invalid'))
  for (const url of ['', 'x', 'host/mcp', 'ftp://x/', 'http://', 'http://a b/', 5]) {
    await assert.rejects(start({ mcpServers: { a: { url } } }), fails('option_invalid'), `url: ${url}`)
  }
  await assert.rejects(start({ mcpServers: { a: { url: 'http://{user}.x/' } } }), fails('option_invalid'))
  await assert.rejects(start({ mcpServers: { a: { url: 'http://x/{user_id}' } } }), fails('option_invalid'))
  await assert.rejects(
    start({ mcpServers: { a: { command: 'x', args: ['{secret.token}'] } } }),
    fails('option_invalid'),
  )
  await assert.rejects(start({ mcpServers: { a: { url: 'http://x/', env: {} } } }), fails('option_unknown'))
  await assert.rejects(
    start({ providers: { a: { kind: 'demo', models: ['x'], defaultModel: 'y' } } }),
    fails('option_invalid'),
  )
})

test('unusual user ids are distinct, and invalid ones are refused', async () => {
  await using harness = await openRuntimeHarness()
  for (const id of ['__proto__', 'constructor', 'toString', 'a/b', 'a:b', '1', 'é', 'e\u0301', '{"a":1}']) {
    assert.equal((await harness.user(id).settings()).version, 0)
    await harness.user(id).configure({ region: `of ${id}` })
  }
  for (const id of ['__proto__', 'é', 'e\u0301']) assert.equal((await harness.user(id).settings()).region, `of ${id}`)
  for (const id of ['', null, undefined, 7, 'a\r\nb', 'x'.repeat(1_000_000)]) {
    assert.throws(() => harness.user(id as string), fails('user_id_invalid'))
  }
})

test('the built-in demo provider has a default model', async () => {
  await using harness = await openRuntimeHarness({
    providers: { demo: { kind: 'demo' } },
    presets: {},
    runtime: { defaults: { provider: 'demo' } },
  })
  assert.equal((await harness.user('ada').settings()).model, 'demo')
})

test('a write that is aborted before it is decided is not done', async () => {
  await using harness = await openRuntimeHarness()
  const user = harness.user('ada')
  const aborting = async (write: (options: { signal: AbortSignal }) => Promise<unknown>): Promise<void> => {
    const abort = new AbortController()
    const call = write({ signal: abort.signal })
    abort.abort(new Error('gone'))
    await assert.rejects(call, /gone/)
  }
  await aborting((options) => user.configure({ region: 'eu' }, options))
  await aborting((options) => user.setSecret('local', { apiKey: 'k' }, options))
  await aborting((options) => user.startSession('s', { policy: 'pin', ...options }))
  await harness.clock.pass(0)
  assert.equal((await user.settings()).version, 0)
  assert.deepEqual([await user.secrets(), await user.sessions()], [[], []])
  assert.equal(await harness.store.users.load(harness.subject('ada')), undefined)
})

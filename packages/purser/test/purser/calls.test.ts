import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPurser, type Purser, PurserError, type User } from '../../src/index.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'

type Call = (target: { readonly purser: Purser; readonly user: User }, options: never) => Promise<unknown>

const question: ChatRequest = { messages: [{ role: 'user', content: 'Hello?' }] }

/** Every asynchronous call with options, with its other arguments. */
const calls: Readonly<Record<string, Call>> = {
  'runtime.configure': ({ user }, options) => user.runtime.configure({ parameters: { temperature: 1 } }, options),
  'runtime.settings': ({ user }, options) => user.runtime.settings(options),
  'runtime.setSecret': ({ user }, options) => user.runtime.setSecret('demo', { apiKey: 'k' }, options),
  'runtime.secrets': ({ user }, options) => user.runtime.secrets(options),
  'runtime.startSession': ({ user }, options) =>
    user.runtime.startSession('tab', { policy: 'pin', ...(options as object) }),
  'runtime.sessions': ({ user }, options) => user.runtime.sessions(options),
  'runtime.endSession': ({ user }, options) => user.runtime.endSession('tab', options),
  'runtime.acquire': async ({ user }, options) => (await user.runtime.acquire(options)).release(),
  'runtime.evict': ({ user }, options) => user.runtime.evict(options),
  'context.invalidate': ({ user }, options) => user.context.invalidate(options),
  'profile.put': ({ user }, options) => user.profile.put({ name: 'Ada' }, options),
  'profile.patch': ({ user }, options) => user.profile.patch({ name: 'Ada' }, options),
  'profile.get': ({ user }, options) => user.profile.get(options),
  'actions.record': ({ user }, options) => user.actions.record({ action: 'opened' }, options),
  'actions.list': ({ user }, options) => user.actions.list(options),
  'ledger.admit': ({ user }, options) => user.ledger.admit(options),
  'ledger.quota': ({ user }, options) => user.ledger.quota(options),
  'ledger.observe': ({ user }, options) => user.ledger.observe({ phase: 'active' }, options),
  'ledger.record': ({ user }, options) => user.ledger.record('acme:seen', options),
  'ledger.setDailyCap': ({ user }, options) => user.ledger.setDailyCap(3, { actor: 'ann', ...(options as object) }),
  'ledger.block': ({ user }, options) => user.ledger.block({ actor: 'ann', reason: 'why', ...(options as object) }),
  'ledger.unblock': ({ user }, options) => user.ledger.unblock({ actor: 'ann', ...(options as object) }),
  'ledger.addNote': ({ user }, options) => user.ledger.addNote('text', { actor: 'ann', ...(options as object) }),
  'ledger.notes': ({ user }, options) => user.ledger.notes(options),
  'ledger.setTimeZone': ({ user }, options) => user.ledger.setTimeZone('UTC', options),
  'ledger.bond': ({ user }, options) => user.ledger.bond(options),
  'ledger.events': ({ user }, options) => user.ledger.events(options),
  'ledger.verify': ({ user }, options) => user.ledger.verify(options),
  'answers.lookup': ({ user }, options) => user.answers.lookup('question', options),
  'answers.remember': ({ user }, options) => user.answers.remember('question', async () => 'answer', options),
  'answers.forget': ({ user }, options) => user.answers.forget(options),
  turn: async ({ user }, options) => {
    const turn = await user.turn(question, options)
    if (turn.allowed) await turn.cancel()
  },
  export: async ({ user }, options) => Array.fromAsync(user.export(options)),
  erase: ({ user }, options) => user.erase({ actor: 'ann', reason: 'requested', ...(options as object) }),
  users: async ({ purser }, options) => await purser.users(options),
  'purser.verify': ({ purser }, options) => purser.verify(options),
  'purser.overview': ({ purser }, options) => purser.overview(options),
  'purser.checkpoint': ({ purser }, options) => purser.checkpoint(options),
  'purser.runtime.sweep': ({ purser }, options) => purser.runtime.sweep(options),
  'purser.answers.flush': ({ purser }, options) => purser.answers.flush(options),
  'purser.answers.import': ({ purser }, options) => purser.answers.import('ada', '{}', options),
  'purser.answers.clear': ({ purser }, options) => purser.answers.clear(options),
}

async function openDemoPurser(): Promise<Purser> {
  return openPurser({
    store: 'memory:',
    providers: { demo: { kind: 'demo' } },
    runtime: { defaults: { provider: 'demo', model: 'demo' } },
  })
}

for (const [name, call] of Object.entries(calls)) {
  test(`${name} rejects unknown options and invalid signals with a hint`, async () => {
    await using purser = await openDemoPurser()
    const user = purser.user('ada')
    for (const [options, code] of [
      [{ signl: undefined }, 'option_unknown'],
      [{ signal: 'soon' }, 'argument_invalid'],
      [{ signal: null }, 'argument_invalid'],
    ] as const) {
      await assert.rejects(call({ purser, user }, options as never), (error) => {
        assert.ok(PurserError.is(error, code), `${String(error)} instead of ${code}`)
        assert.ok(error.hint)
        return true
      })
    }
    assert.equal((await user.ledger.bond()).exists, false, 'nothing is done')
  })

  test(`${name} rejects with the reason of an aborted signal and does nothing`, async () => {
    await using purser = await openDemoPurser()
    const user = purser.user('ada')
    const reason = new Error('The client has left.')
    const options = { signal: AbortSignal.abort(reason) } as never
    await assert.rejects(call({ purser, user }, options), (error) => error === reason)
    assert.equal((await user.ledger.bond()).exists, false)
  })

  test(`${name} accepts options that are undefined`, async () => {
    await using purser = await openDemoPurser()
    await call({ purser, user: purser.user('ada') }, { signal: undefined } as never)
  })
}

test('a turn with an invalid cache mode or timeout is rejected and not counted', async () => {
  await using purser = await openDemoPurser()
  const { turn, ledger } = purser.user('ada')
  for (const options of [{ cache: 'always' }, { cache: null }, { firstChunkTimeoutMs: '1' }, { idleTimeoutMs: -1 }]) {
    await assert.rejects(turn(question, options as never), { code: 'argument_invalid' })
  }
  assert.equal((await ledger.quota()).count, 0)
})

test('an invalid argument is rejected with a hint', async () => {
  await using purser = await openDemoPurser()
  const { ledger, profile, actions, context, runtime } = purser.user('ada')
  const by = { actor: 'ann', reason: 'why' }
  const invalid: readonly (() => Promise<unknown>)[] = [
    () => ledger.admit({ cost: -1 }),
    () => ledger.correct({}, by),
    () => ledger.block({ ...by, until: '2020-01-01T00:00:00Z' }),
    () => ledger.notes({ before: '' }),
    () => ledger.events({ types: 'risk_change' as never }),
    () => ledger.bond(7 as never),
    () => profile.put([] as never),
    () => actions.record({ action: 'a', at: 'soon' }),
    () => context.resolve({ budgetMs: -1 }),
    () => context.resolve({ mode: 'other' as never }),
    () => context.resolve({ sections: 'profile' as never }),
    async () => purser.users({ blocked: 'yes' as never }),
    () => purser.backup(''),
    () => purser.backup('copy.db'),
    () => purser.answers.import('ada', undefined as never),
    () => runtime.authorizeMcp(Symbol('mail') as never),
    () => runtime.completeMcp('mail', undefined as never),
    () => runtime.completeMcp('mail', null as never),
    () => runtime.completeMcp(5 as never, { state: 's', code: 'c' }),
    () => runtime.deauthorizeMcp(5 as never),
  ]
  for (const [index, call] of invalid.entries()) {
    await assert.rejects(call(), (error) => {
      assert.ok(PurserError.is(error, 'argument_invalid'), `${index}: ${String(error)}`)
      assert.ok(error.hint, `${index}: ${error.message}`)
      return true
    })
  }
})

test('an invalid cap is reported with its field', async () => {
  await using purser = await openDemoPurser()
  const set = purser.user('ada').ledger.setDailyCap('5' as never, { actor: 'ann' })
  await assert.rejects(set, (error) => PurserError.is(error, 'cap_invalid') && error.details?.param === 'cap')
})

test('a repeated call under an idempotency key is done once, returns the first result and reports the replay', async () => {
  await using purser = await openDemoPurser()
  const { ledger, actions } = purser.user('ada')
  const { ticket = '' } = (await ledger.admit()) as { ticket?: string }
  let replays = 0
  const once = { idempotencyKey: 'k', onReplay: () => void replays++ }
  const by = { actor: 'ann', reason: 'why', ...once }
  const cases: Readonly<Record<string, readonly [same: () => Promise<unknown>, other: () => Promise<unknown>]>> = {
    cap: [() => ledger.setDailyCap(3, by), () => ledger.setDailyCap(4, by)],
    block: [() => ledger.block(by), () => ledger.block({ ...by, reason: 'another' })],
    unblock: [() => ledger.unblock(by), () => ledger.unblock({ ...by, actor: 'bob' })],
    correct: [() => ledger.correct({ phase: 'a' }, by), () => ledger.correct({ riskLevel: 'a' }, by)],
    note: [() => ledger.addNote('text', by), () => ledger.addNote('other', by)],
    zone: [() => ledger.setTimeZone('UTC', by), () => ledger.setTimeZone(null, by)],
    settle: [() => ledger.settle(ticket, {}, once), () => ledger.settle(ticket, { inputTokens: 1 }, once)],
    actions: [() => actions.record([{ action: 'a' }], once), () => actions.record([{ action: 'b' }], once)],
  }
  for (const [name, [same, other]] of Object.entries(cases)) {
    replays = 0
    const first = await same()
    assert.equal(replays, 0, name)
    assert.deepEqual((await same()) ?? undefined, first ?? undefined, name)
    assert.equal(replays, 1, name)
    await assert.rejects(other(), { code: 'idempotency_conflict' }, name)
  }
  assert.equal((await ledger.notes()).length, 1)
  assert.equal((await actions.list()).length, 1)
  await assert.rejects(ledger.admit({ onReplay: 1 as never }), { code: 'argument_invalid' })
})

test('a lookup for a value that is not JSON is rejected', async () => {
  await using purser = await openDemoPurser()
  const { answers } = purser.user('ada')
  for (const request of [undefined, () => 1, Symbol('question')]) {
    await assert.rejects(answers.lookup(request), { code: 'argument_invalid' })
  }
})

test('close rejects an invalid timeout, and further calls to close do nothing', async () => {
  const purser = await openDemoPurser()
  await assert.rejects(purser.close({ timeoutMs: -1 }), { code: 'argument_invalid' })
  await assert.rejects(purser.close({ timeout: 5 } as never), { code: 'option_unknown' })
  await purser.close({ timeoutMs: null })
  await purser.close()
})

for (const [name, call] of Object.entries(calls)) {
  if (name === 'context.invalidate' || /sweep|flush/.test(name)) continue
  test(`${name} rejects with closed once Purser is closed`, async () => {
    const purser = await openDemoPurser()
    const user = purser.user('ada')
    await user.profile.put({ name: 'Ada' })
    await purser.close()
    await assert.rejects(call({ purser, user }, {} as never), { code: 'closed' })
  })
}

test('a lease can be destructured, and its release function still works', async () => {
  await using purser = await openDemoPurser()
  const { model, release } = await purser.user('ada').runtime.acquire()
  assert.equal(model.specificationVersion, 'v4')
  release()
  assert.equal(purser.runtime.active()[0]?.inUse, 0)
})

test('a live tail for an invalid user id is rejected instead of waiting forever', async () => {
  await using purser = await openPurser({ store: 'memory:' })
  for (const user of ['', '..', 7]) {
    assert.throws(
      () => purser.events({ user: user as string }),
      (error: unknown) => PurserError.is(error, 'user_id_invalid'),
    )
  }
})

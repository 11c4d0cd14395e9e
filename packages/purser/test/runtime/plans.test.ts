import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { PurserOptions } from '../../src/options.ts'
import { openPurser } from '../../src/purser/open-purser.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { fails } from '../support/runtime-harness.ts'

const by = { actor: 'ana' }
const OPTIONS: PurserOptions = {
  store: 'memory:',
  providers: {
    small: { kind: 'demo', models: ['s'] },
    large: { kind: 'demo', models: ['l', 'xl'], defaultModel: 'l' },
  },
  presets: { calm: { parameters: { temperature: 0 } }, largest: { provider: 'large', model: 'xl' } },
  plans: {
    free: {},
    pro: { runtime: { provider: 'large', parameters: { temperature: 1, topP: 0.5 } } },
    team: { extends: 'pro', limits: [], runtime: { model: 'xl', preset: 'calm' } },
    plain: { extends: 'team', runtime: { preset: null } },
  },
  runtime: { defaults: { provider: 'small', region: 'eu' } },
}

describe('settings of a plan', () => {
  it('stand between the defaults and the preset, with their origin', async () => {
    await using purser = await openPurser(OPTIONS)
    const { runtime, ledger } = purser.user('ann')
    assert.equal((await runtime.settings()).origin.provider, 'default')
    await ledger.setPlan('pro', by)
    const pro = await runtime.settings()
    assert.deepEqual([pro.provider, pro.model, pro.region, pro.version], ['large', 'l', 'eu', 0])
    assert.deepEqual([pro.origin.provider, pro.origin.model, pro.origin.region], ['plan', 'plan', 'default'])
    await runtime.configure({ preset: 'largest' })
    const withPreset = await runtime.settings()
    assert.deepEqual([withPreset.model, withPreset.origin.model], ['xl', 'preset'])
    assert.deepEqual([withPreset.parameters, withPreset.origin.parameters], [{ temperature: 1, topP: 0.5 }, 'plan'])
    await runtime.configure({ model: 'l', parameters: { topP: 0.9 } })
    const own = await runtime.settings({ override: { parameters: { seed: 7 } } })
    assert.deepEqual([own.model, own.origin.model, own.origin.parameters], ['l', 'user', 'turn'])
    assert.deepEqual(own.parameters, { temperature: 1, topP: 0.9, seed: 7 })
  })

  it('are inherited, and a preset of the plan applies unless the user has one', async () => {
    await using purser = await openPurser(OPTIONS)
    const { runtime, ledger } = purser.user('ann')
    await ledger.setPlan('team', by)
    const team = await runtime.settings()
    assert.deepEqual([team.provider, team.model, team.preset], ['large', 'xl', 'calm'])
    assert.deepEqual([team.parameters, team.origin.parameters], [{ temperature: 0, topP: 0.5 }, 'preset'])
    await runtime.configure({ preset: 'largest' })
    assert.equal((await runtime.settings()).parameters.temperature, 1)
    await runtime.configure({ preset: null })
    assert.equal((await runtime.settings()).preset, 'calm')
    await ledger.setPlan('plain', by)
    const plain = await runtime.settings()
    assert.deepEqual([plain.preset, plain.parameters], [null, { temperature: 1, topP: 0.5 }])
  })

  it('of the default plan apply to users without one', async () => {
    await using purser = await openPurser({ ...OPTIONS, ledger: { plan: 'pro' } })
    const { runtime, ledger } = purser.user('ann')
    assert.equal((await runtime.settings()).provider, 'large')
    await using lease = await runtime.acquire()
    assert.equal(lease.settings.provider, 'large')
    await ledger.setPlan('free', by)
    assert.equal((await runtime.settings()).provider, 'small')
    assert.equal(lease.settings.provider, 'large', 'a lease keeps its settings')
  })

  it('change with the plan at once, for live runtimes too; a pinned session keeps its settings', async () => {
    await using purser = await openPurser(OPTIONS)
    const { runtime, ledger } = purser.user('ann')
    const providerOf = async (session?: string): Promise<string | null> => {
      await using lease = await runtime.acquire({ session })
      return lease.settings.provider
    }
    assert.equal(await providerOf(), 'small')
    await ledger.setPlan('pro', by)
    await runtime.startSession('pinned', { policy: 'pin' })
    await runtime.startSession('following', { policy: 'follow' })
    assert.deepEqual([await providerOf(), await providerOf('pinned')], ['large', 'large'])
    await ledger.setPlan(null, by)
    assert.deepEqual(
      [await providerOf(), await providerOf('pinned'), await providerOf('following')],
      ['small', 'large', 'small'],
    )
  })

  it('select the provider that a model of the user belongs to', async () => {
    await using purser = await openPurser(OPTIONS)
    const { runtime, ledger } = purser.user('ann')
    await assert.rejects(runtime.configure({ model: 'xl' }), fails('model_not_allowed'))
    await ledger.setPlan('pro', by)
    await runtime.configure({ model: 'xl' })
    assert.equal((await runtime.settings()).model, 'xl')
    await ledger.setPlan('free', by)
    // The model was chosen for the provider of the plan before.
    assert.deepEqual([(await runtime.settings()).provider, (await runtime.settings()).model], ['small', 's'])
    await using lease = await runtime.acquire()
    assert.equal(lease.settings.model, 's')
  })

  it('change in other processes and survive a restart', async () => {
    const store = await openMemoryStore({ effects: handClock() })
    const options = { ...OPTIONS, store, secretKey: randomBytes(32).toString('base64') }
    const other = await openPurser(options)
    const { runtime } = other.user('ann')
    const provider = async (): Promise<string | null> => {
      await using lease = await runtime.acquire()
      return lease.settings.provider
    }
    const one = await openPurser(options)
    assert.equal(await provider(), 'small')
    await one.user('ann').ledger.setPlan('pro', by)
    assert.equal(await provider(), 'large')
    await using again = await openPurser(options)
    assert.equal((await again.user('ann').runtime.settings()).origin.provider, 'plan')
    await Promise.all([one.close(), other.close()])
  })

  it('are checked at start, under the path of the option', async () => {
    const openWith = (runtime: Record<string, unknown>): Promise<unknown> =>
      openPurser({ ...OPTIONS, plans: { pro: { runtime } } })
    await assert.rejects(openWith({ modle: 'xl' }), /plans\.pro\.runtime.*modle/)
    await assert.rejects(openWith({ provider: 'huge' }), fails('provider_unknown'))
    await assert.rejects(openWith({ preset: 'quick' }), fails('preset_unknown'))
    await assert.rejects(openWith({ parameters: 7 }), fails('option_invalid'))
  })
})

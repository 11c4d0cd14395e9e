import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PurserError } from '../../src/errors.ts'
import type { SettingsPatch } from '../../src/runtime/api.ts'
import { createCatalog } from '../../src/runtime/settings/create-catalog.ts'
import { NEVER_CONFIGURED, type UserSettings } from '../../src/runtime/settings/layers.ts'
import { resolveSettings } from '../../src/runtime/settings/resolve-settings.ts'
import { patchUserSettings } from '../../src/runtime/settings/user-settings.ts'
import { rounds, seed } from '../support/fuzz-options.ts'

/* Every model, deployment and address below carries the name of the provider it belongs to. */

const NAMES = ['p', 'q', 'r']
const provider = fc.constantFrom(...NAMES)
const bound = (name: string): fc.Arbitrary<SettingsPatch> =>
  fc.record(
    {
      model: fc.constantFrom(`${name}-1`, `${name}-2`),
      deployment: fc.constantFrom(`${name}-deployment`),
      baseURL: fc.constantFrom(`https://${name}.example/`),
    },
    { requiredKeys: [] },
  )

/** A patch that a sensible caller could make: what it names belongs together. */
const whole: fc.Arbitrary<SettingsPatch> = provider.chain((name) =>
  fc
    .tuple(bound(name), fc.constantFrom('eu', 'us', null, undefined))
    .map(([patch, region]) => ({ provider: name, ...patch, region })),
)

/** What one caller does after another. The second kind names no provider, so it is made for the one that stands. */
const step = fc.oneof(
  whole.map((patch) => () => patch),
  fc.tuple(fc.constantFrom('1', '2'), fc.boolean()).map(
    ([number, address]) =>
      (standing: string): SettingsPatch => ({
        model: `${standing}-${number}`,
        ...(address ? { baseURL: `https://${standing}.example/` } : {}),
      }),
  ),
  fc.constantFrom(...['fast', 'slow', null].map((preset) => (): SettingsPatch => ({ preset }))),
  fc.constantFrom(
    ...(['provider', 'model', 'baseURL', 'deployment'] as const).map(
      (field) => (): SettingsPatch => ({ [field]: null }),
    ),
  ),
)

const catalogue = (defaults: SettingsPatch): ReturnType<typeof createCatalog> =>
  createCatalog({
    providers: Object.fromEntries(NAMES.map((name) => [name, { kind: 'demo' as const, defaultModel: `${name}-1` }])),
    presets: { fast: { provider: 'q', model: 'q-2', baseURL: 'https://q.example/' }, slow: { provider: 'r' } },
    mcpServers: {},
    defaults,
  })

test('RC-D03 R6 R9: whatever is configured, preset and overridden in whatever order, the pair is never torn', () => {
  const property = fc.property(
    whole,
    fc.array(step, { maxLength: 12 }),
    whole,
    fc.array(step, { maxLength: 4 }),
    (defaults, steps, override, later) => {
      let known = catalogue(defaults)
      let own: UserSettings = NEVER_CONFIGURED
      const take = (next: (standing: string) => SettingsPatch): void => {
        const before = resolveSettings(known, own).settings
        const patch = next(before.provider ?? '')
        const { userSettings: changed, resolved, changedFields: fields } = patchUserSettings(known, own, patch)
        assert.equal(changed.version, own.version + (fields.length > 0 ? 1 : 0))
        assert.equal(resolved.settings.version, changed.version)
        own = changed
        inspect(resolved.settings)
      }
      for (const next of steps) take(next)
      const stored = JSON.stringify(own)
      for (const turn of [
        override,
        { preset: 'fast' },
        { preset: 'slow', region: null },
        { provider: override.provider },
      ]) {
        inspect(resolveSettings(known, own, { override: turn }).settings)
      }
      assert.equal(resolveSettings(known, own, { override: { preset: 'fast' } }).settings.model, 'q-2')
      assert.equal(JSON.stringify(own), stored)
      // The operator changes the defaults: what was chosen for another provider does not move along.
      known = catalogue(override)
      inspect(resolveSettings(known, own).settings)
      for (const next of later) take(next)
    },
  )
  fc.assert(property, { seed, numRuns: rounds(20_000, 500) })
})

function inspect({
  provider: name,
  model,
  deployment,
  baseURL,
  origin,
  ...settings
}: ReturnType<typeof resolveSettings>['settings']): void {
  assert.ok(name !== null && model?.startsWith(`${name}-`), `torn: ${name} and ${model}`)
  assert.ok(deployment === null || deployment === `${name}-deployment`, `torn: ${name} and ${deployment}`)
  assert.ok(baseURL === null || baseURL === `https://${name}.example/`, `torn: ${name} and ${baseURL}`)
  assert.ok(Object.isFrozen(settings.parameters) && Object.isFrozen(origin) && Object.isFrozen(settings.mcpServers))
}

test('an origin names the narrowest layer that speaks of the field', () => {
  const known = createCatalog({
    providers: { p: { kind: 'demo', models: ['p-1', 'p-2'] } },
    presets: { tag: { model: 'p-2', region: 'preset', parameters: { topP: 1 } } },
    mcpServers: {},
    defaults: { provider: 'p', model: 'p-1', region: 'default', deployment: 'default', preset: 'tag' },
  })
  const { userSettings: own } = patchUserSettings(known, NEVER_CONFIGURED, {
    deployment: 'user',
    parameters: { seed: 1 },
  })
  const { settings } = resolveSettings(known, own, { override: { parameters: { seed: 2 } } })
  assert.deepEqual(settings.parameters, { topP: 1, seed: 2 })
  const { provider: p, model, region, deployment, parameters, baseURL, preset } = settings.origin
  assert.deepEqual(
    [p, model, region, deployment, parameters, baseURL, preset],
    ['default', 'preset', 'preset', 'user', 'turn', 'default', 'default'],
  )
})

test('an unexpected failure while resolving does not hide behind a fault', () => {
  const known = catalogue({ provider: 'p' })
  assert.throws(
    () => patchUserSettings(known, NEVER_CONFIGURED, { provider: null, model: null, preset: 'nowhere' }),
    (error) => PurserError.is(error, 'preset_unknown'),
  )
})

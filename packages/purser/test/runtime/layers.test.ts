import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PurserError } from '../../src/errors.ts'
import type { SettingsPatch } from '../../src/options/settings-patch.ts'
import type { Catalog } from '../../src/runtime/settings/catalog.ts'
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

/** A patch whose provider, model, deployment and base URL belong together. */
const completePatch: fc.Arbitrary<SettingsPatch> = provider.chain((name) =>
  fc
    .tuple(bound(name), fc.constantFrom('eu', 'us', null, undefined))
    .map(([patch, region]) => ({ provider: name, ...patch, region })),
)

/** One call of configure. The second kind sets no provider: it is made for the effective one. */
const step = fc.oneof(
  completePatch.map((patch) => () => patch),
  fc.tuple(fc.constantFrom('1', '2'), fc.boolean()).map(
    ([number, hasURL]) =>
      (current: string): SettingsPatch => ({
        model: `${current}-${number}`,
        ...(hasURL ? { baseURL: `https://${current}.example/` } : {}),
      }),
  ),
  fc.constantFrom(...['fast', 'slow', null].map((preset) => (): SettingsPatch => ({ preset }))),
  fc.constantFrom(
    ...(['provider', 'model', 'baseURL', 'deployment'] as const).map(
      (field) => (): SettingsPatch => ({ [field]: null }),
    ),
  ),
)

const catalogWith = (defaults: SettingsPatch): Catalog =>
  createCatalog({
    providers: Object.fromEntries(NAMES.map((name) => [name, { kind: 'demo' as const, defaultModel: `${name}-1` }])),
    presets: { fast: { provider: 'q', model: 'q-2', baseURL: 'https://q.example/' }, slow: { provider: 'r' } },
    mcpServers: {},
    defaults,
  })

test('provider and model stay a pair for any order of configure, presets and overrides (RC-D03)', () => {
  const property = fc.property(
    completePatch,
    fc.array(step, { maxLength: 12 }),
    completePatch,
    fc.array(step, { maxLength: 4 }),
    (defaults, steps, override, later) => {
      let catalog = catalogWith(defaults)
      let own: UserSettings = NEVER_CONFIGURED
      const configure = (next: (current: string) => SettingsPatch): void => {
        const before = resolveSettings(catalog, own).settings
        const patch = next(before.provider ?? '')
        const { userSettings, resolved, changedFields } = patchUserSettings(catalog, own, patch)
        assert.equal(userSettings.version, own.version + (changedFields.length > 0 ? 1 : 0))
        assert.equal(resolved.settings.version, userSettings.version)
        own = userSettings
        inspect(resolved.settings)
      }
      for (const next of steps) configure(next)
      const stored = JSON.stringify(own)
      for (const turn of [
        override,
        { preset: 'fast' },
        { preset: 'slow', region: null },
        { provider: override.provider },
      ]) {
        inspect(resolveSettings(catalog, own, { override: turn }).settings)
      }
      assert.equal(resolveSettings(catalog, own, { override: { preset: 'fast' } }).settings.model, 'q-2')
      assert.equal(JSON.stringify(own), stored)
      // The operator changes the defaults: fields chosen for another provider are ignored.
      catalog = catalogWith(override)
      inspect(resolveSettings(catalog, own).settings)
      for (const next of later) configure(next)
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
  assert.ok(name !== null && model?.startsWith(`${name}-`), `${model} does not belong to ${name}`)
  assert.ok(deployment === null || deployment === `${name}-deployment`, `${deployment} does not belong to ${name}`)
  assert.ok(baseURL === null || baseURL === `https://${name}.example/`, `${baseURL} does not belong to ${name}`)
  assert.ok(Object.isFrozen(settings.parameters) && Object.isFrozen(origin) && Object.isFrozen(settings.mcpServers))
}

test('the origin of a field is the narrowest layer that sets it', () => {
  const catalog = createCatalog({
    providers: { p: { kind: 'demo', models: ['p-1', 'p-2'] } },
    presets: { tag: { model: 'p-2', region: 'preset', parameters: { topP: 1 } } },
    mcpServers: {},
    defaults: { provider: 'p', model: 'p-1', region: 'default', deployment: 'default', preset: 'tag' },
  })
  const { userSettings: own } = patchUserSettings(catalog, NEVER_CONFIGURED, {
    deployment: 'user',
    parameters: { seed: 1 },
  })
  const { settings } = resolveSettings(catalog, own, { override: { parameters: { seed: 2 } } })
  assert.deepEqual(settings.parameters, { topP: 1, seed: 2 })
  const { provider: p, model, region, deployment, parameters, baseURL, preset } = settings.origin
  assert.deepEqual(
    [p, model, region, deployment, parameters, baseURL, preset],
    ['default', 'preset', 'preset', 'user', 'turn', 'default', 'default'],
  )
})

test('configuring a preset that is not in the catalog throws preset_unknown', () => {
  const catalog = catalogWith({ provider: 'p' })
  assert.throws(
    () => patchUserSettings(catalog, NEVER_CONFIGURED, { provider: null, model: null, preset: 'nowhere' }),
    (error) => PurserError.is(error, 'preset_unknown'),
  )
})

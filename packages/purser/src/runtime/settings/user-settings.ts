import { mergePatch } from '../../core/merge-patch.ts'
import { PurserError } from '../../errors.ts'
import type { SettingsPatch } from '../api.ts'
import type { Catalog } from './catalog.ts'
import { NEVER_CONFIGURED, type Resolved, resolveSettings, type UserSettings } from './layers.ts'

/** The record a user's own settings are kept in. */
export const SETTINGS_RECORD: { readonly kind: 'settings'; readonly name: '' } = { kind: 'settings', name: '' }

const OWN_MAX_BYTES = 8_192

/** Fields that mean something only together with one provider. */
const BOUND = ['model', 'deployment', 'baseURL'] as const

/** Reads the record; one of an earlier life, or none, reads as never configured. */
export function readUserSettings(record: string | undefined, incarnation: number): UserSettings {
  if (record === undefined) return NEVER_CONFIGURED
  const stored = JSON.parse(record) as UserSettings & { incarnation: number }
  if (stored.incarnation !== incarnation) return NEVER_CONFIGURED
  return { version: stored.version, patch: stored.patch, chosenFor: stored.chosenFor }
}

export function writeUserSettings(own: UserSettings, incarnation: number): string {
  return JSON.stringify({ v: 1, incarnation, ...own })
}

/**
 * What a checked patch makes of a user's own settings, with the settings that follow from it. Throws when nothing
 * could run on those. A patch that changes nothing gives back the same version.
 */
export function configureUser(
  catalogue: Catalog,
  own: UserSettings,
  patch: SettingsPatch,
): { readonly own: UserSettings; readonly resolved: Resolved; readonly changed: readonly string[] } {
  const kept = withoutLeftovers(catalogue, own, patch)
  const merged: SettingsPatch = mergePatch(kept, patch)
  const changed = fieldsThatDiffer(own.patch, merged)
  if (changed.length === 0) return { own, resolved: resolveSettings(catalogue, own), changed }
  if (Buffer.byteLength(JSON.stringify(merged)) > OWN_MAX_BYTES) {
    throw new PurserError('settings_invalid', `The settings of one user are larger than ${OWN_MAX_BYTES} bytes.`)
  }
  const next = { version: own.version + 1, patch: merged, chosenFor: chosenFor(catalogue, own, { patch, merged }) }
  const resolved = resolveSettings(catalogue, next)
  if (resolved.fault !== undefined) throw resolved.fault
  return { own: next, resolved, changed }
}

/** Model, deployment and base URL leave together with the provider they were chosen for. */
function withoutLeftovers(catalogue: Catalog, own: UserSettings, patch: SettingsPatch): SettingsPatch {
  const namesAnother = patch.provider !== undefined && (patch.provider ?? undefined) !== own.patch.provider
  const nowBelongsElsewhere =
    own.chosenFor !== null && touchesBound(patch) && own.chosenFor !== providerBelow(catalogue, own.patch)
  if (!namesAnother && !nowBelongsElsewhere) return own.patch
  const { model: _model, deployment: _deployment, baseURL: _baseURL, ...kept } = own.patch
  return kept
}

function chosenFor(
  catalogue: Catalog,
  own: UserSettings,
  { patch, merged }: { readonly patch: SettingsPatch; readonly merged: SettingsPatch },
): string | null {
  if (merged.provider !== undefined || !touchesBound(merged)) return null
  return touchesBound(patch) || patch.provider !== undefined ? providerBelow(catalogue, merged) : own.chosenFor
}

function touchesBound(patch: SettingsPatch): boolean {
  return BOUND.some((field) => patch[field] !== undefined)
}

/** The provider that the layers below the user's own give. */
function providerBelow(catalogue: Catalog, patch: SettingsPatch): string | null {
  const own: UserSettings = { version: 0, patch: { preset: patch.preset }, chosenFor: null }
  return resolveSettings(catalogue, own).settings.provider
}

function fieldsThatDiffer(before: SettingsPatch, after: SettingsPatch): string[] {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof SettingsPatch>
  return [...fields].filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field])).sort()
}

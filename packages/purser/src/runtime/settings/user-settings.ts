import { mergePatch } from '../../core/merge-patch.ts'
import { PurserError } from '../../errors.ts'
import type { SettingsPatch } from '../../options/settings-patch.ts'
import type { Catalog } from './catalog.ts'
import { NEVER_CONFIGURED, type UserSettings } from './layers.ts'
import { type ResolvedSettings, resolveSettings } from './resolve-settings.ts'

/** The record that holds a user's own settings. */
export const SETTINGS_RECORD: { readonly kind: 'settings'; readonly name: '' } = { kind: 'settings', name: '' }

const SETTINGS_MAX_BYTES = 8_192

/** Fields that are meaningful only with the provider they were set for. */
const PROVIDER_FIELDS = ['model', 'deployment', 'baseURL'] as const

/** Parses the record; a record of an earlier incarnation, or none, reads as never configured. */
export function readUserSettings(record: string | undefined, incarnation: number): UserSettings {
  if (record === undefined) return NEVER_CONFIGURED
  const stored = JSON.parse(record) as UserSettings & { incarnation: number }
  if (stored.incarnation !== incarnation) return NEVER_CONFIGURED
  return { version: stored.version, patch: stored.patch, chosenFor: stored.chosenFor }
}

export function writeUserSettings(settings: UserSettings, incarnation: number): string {
  return JSON.stringify({ v: 1, incarnation, ...settings })
}

export interface PatchedSettings {
  readonly userSettings: UserSettings
  readonly resolved: ResolvedSettings
  /** The user's own fields that differ from before, sorted; empty when the patch changes nothing. */
  readonly changedFields: readonly string[]
}

/**
 * Applies a validated patch to a user's own settings. Throws when nothing could run on the result. A patch that changes
 * nothing keeps the version.
 */
export function patchUserSettings(catalog: Catalog, before: UserSettings, patch: SettingsPatch): PatchedSettings {
  const merged: SettingsPatch = mergePatch(withoutStaleFields(catalog, before, patch), patch)
  const changedFields = getChangedFields(before.patch, merged)
  if (changedFields.length === 0) {
    return { userSettings: before, resolved: resolveSettings(catalog, before), changedFields }
  }
  if (Buffer.byteLength(JSON.stringify(merged)) > SETTINGS_MAX_BYTES) {
    throw new PurserError('settings_invalid', `The settings of one user must not exceed ${SETTINGS_MAX_BYTES} bytes.`)
  }
  const chosenFor = getChosenFor(catalog, before, { patch, merged })
  const userSettings = { version: before.version + 1, patch: merged, chosenFor }
  const resolved = resolveSettings(catalog, userSettings)
  if (resolved.error !== undefined) throw resolved.error
  return { userSettings, resolved, changedFields }
}

/** Drops model, deployment and base URL when the provider they were set for is no longer used. */
function withoutStaleFields(catalog: Catalog, before: UserSettings, patch: SettingsPatch): SettingsPatch {
  const isOtherProvider = patch.provider !== undefined && (patch.provider ?? undefined) !== before.patch.provider
  const isStale =
    before.chosenFor !== null &&
    setsProviderFields(patch) &&
    before.chosenFor !== getLowerProvider(catalog, before.patch)
  if (!isOtherProvider && !isStale) return before.patch
  const { model: _model, deployment: _deployment, baseURL: _baseURL, ...others } = before.patch
  return others
}

function getChosenFor(
  catalog: Catalog,
  before: UserSettings,
  { patch, merged }: { readonly patch: SettingsPatch; readonly merged: SettingsPatch },
): string | null {
  if (merged.provider !== undefined || !setsProviderFields(merged)) return null
  const isChosenNow = setsProviderFields(patch) || patch.provider !== undefined
  return isChosenNow ? getLowerProvider(catalog, merged) : before.chosenFor
}

function setsProviderFields(patch: SettingsPatch): boolean {
  return PROVIDER_FIELDS.some((field) => patch[field] !== undefined)
}

/** The provider of the layers below the user's own settings. */
function getLowerProvider(catalog: Catalog, { preset }: SettingsPatch): string | null {
  return resolveSettings(catalog, { version: 0, patch: { preset }, chosenFor: null }).settings.provider
}

function getChangedFields(before: SettingsPatch, after: SettingsPatch): string[] {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof SettingsPatch>
  return [...fields].filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field])).sort()
}

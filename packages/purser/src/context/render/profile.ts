import { PROFILE_TEMPLATES, type ProfileField } from '../../templates/profile-templates.ts'
import type { JsonValue } from '../copy-data.ts'
import type { TemplateContext } from '../modes.ts'
import { cutLines } from './fit-items.ts'
import { formatName } from './sanitize.ts'

export type Fields = { readonly [name: string]: JsonValue }

/** Names of fields that have their line in the template of some mode. */
const TEMPLATE_NAMES = new Set(
  Object.values(PROFILE_TEMPLATES).flatMap((template) => template.fields.flatMap(({ names }) => names)),
)

/**
 * Renders a profile by the template of the mode: the fields of the template, also those without a value, then the
 * application's own in their order. Lines that do not fit are cut from the end.
 */
export function renderProfile(
  profile: Fields,
  { mode, ...limits }: Omit<TemplateContext, 'now' | 'timeZone'>,
): { text: string; cut: number } {
  const { head, separator, tail, fields, hasExplanations } = PROFILE_TEMPLATES[mode]
  const own = Object.entries(profile).flatMap(([name, value]) => {
    const text = TEMPLATE_NAMES.has(name) ? undefined : fieldText(value)
    return text === undefined ? [] : [`${formatName(name)}: ${text}`]
  })
  const lines = [...fields.map((field) => lineOf(profile, field, hasExplanations)), ...own]
  return cutLines(lines, { head: `${head}\n`, separator, tail }, limits)
}

function lineOf(profile: Fields, { names, label, missing, explanation }: ProfileField, isExplained: boolean): string {
  const name = names.find((candidate) => fieldText(profile[candidate]) !== undefined)
  const value = name === undefined ? missing : fieldText(profile[name])
  return isExplained ? `${label}: ${value} [${explanation}]` : `${label}: ${value}`
}

/** Text of a field; undefined for null and empty text. */
export function fieldText(value: JsonValue | undefined): string | undefined {
  if (value === null || value === undefined || value === '') return undefined
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

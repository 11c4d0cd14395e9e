import type { JsonValue } from '../copy-data.ts'
import { cutLines } from './fit-items.ts'
import { type Fields, fieldText } from './profile.ts'
import { formatName } from './sanitize.ts'
import type { TextLimits } from './text-budget.ts'

/** Renders a section without a renderer of its own: text as it is, one `name: value` a line, or one list item a line. */
export function renderDefault(section: string, data: JsonValue, limits: TextLimits): { text: string; cut: number } {
  return cutLines(linesOf(data), { head: `${section}:\n`, separator: '\n', tail: '' }, limits)
}

function linesOf(data: JsonValue): string[] {
  if (Array.isArray(data)) return data.flatMap((item: JsonValue) => itemOf(item) ?? [])
  if (typeof data === 'object' && data !== null) return fieldsOf(data as Fields)
  return [String(data)]
}

function fieldsOf(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const text = fieldText(value)
    return text === undefined ? [] : [`${formatName(name)}: ${text}`]
  })
}

function itemOf(item: JsonValue): string | undefined {
  if (typeof item === 'object' && item !== null && !Array.isArray(item))
    return `- ${fieldsOf(item as Fields).join(', ')}`
  const text = fieldText(item)
  return text === undefined ? undefined : `- ${text}`
}

import type { JsonValue } from '../copy-data.ts'
import { type Fields, fieldText } from './profile.ts'

/** One line of a template: texts and names of fields, alternating, beginning with a text. */
type Line = readonly string[]

const PLACEHOLDER = /\{([A-Za-z_][\w-]*)\}/

/**
 * Parses a text with placeholders: `{name}` stands for the field of that name, in plain text data for `{text}`. A line
 * without a value for one of its placeholders is omitted. For a list the template is filled once for each item.
 *
 * Throws a `TypeError` for a brace that belongs to no placeholder, and for a template without one.
 */
export function parseTextTemplate(template: string): (data: JsonValue) => string {
  const lines = template.split('\n').map((line): Line => line.split(PLACEHOLDER))
  const texts = lines.flatMap((line) => line.filter((_, index) => index % 2 === 0))
  if (texts.some((text) => /[{}]/.test(text))) throw new TypeError('a brace belongs to no placeholder such as {name}')
  if (lines.every((line) => line.length === 1)) throw new TypeError('it has no placeholder such as {name}')
  return (data) => {
    const items = Array.isArray(data) ? (data as readonly JsonValue[]) : [data]
    return items.flatMap((item) => fill(lines, item)).join('\n')
  }
}

function fill(lines: readonly Line[], data: JsonValue): string[] {
  const fields: Fields = isFields(data) ? data : { text: data }
  return lines.flatMap((line) => {
    const parts = line.map((part, index) => (index % 2 === 0 ? part : fieldOf(fields, part)))
    return parts.includes(undefined) ? [] : [parts.join('')]
  })
}

function isFields(data: JsonValue): data is Fields {
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}

function fieldOf(fields: Fields, name: string): string | undefined {
  return Object.hasOwn(fields, name) ? fieldText(fields[name]) : undefined
}

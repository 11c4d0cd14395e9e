import { CUT_LINE_MAX_BYTES, PROMPT_WORDING } from '../../templates/prompt-wording.ts'
import type { RenderContext } from '../api.ts'
import type { JsonValue } from '../copy-data.ts'
import { fitLines } from './fit-items.ts'
import { type Fields, fieldText } from './profile.ts'
import { formatName } from './sanitize.ts'

/** Renders a section without a renderer of its own: text as it is, one `name: value` a line, or one list item a line. */
export function renderDefault(
  section: string,
  data: JsonValue,
  { maxBytes, maxItems }: RenderContext,
): { text: string; cut: number } {
  const lines = linesOf(data)
  const head = `${section}:\n`
  const availableBytes = maxBytes - Buffer.byteLength(head) - CUT_LINE_MAX_BYTES
  const shown = fitLines(lines, { maxItems, maxBytes: availableBytes, separator: '\n' })
  const cut = lines.length - shown.length
  if (cut > 0) shown.push(PROMPT_WORDING.cutItems(cut))
  return { text: head + shown.join('\n'), cut }
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

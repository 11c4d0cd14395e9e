import { WORDS } from '../../templates/prompt-wording.ts'
import type { RenderContext } from '../api.ts'
import type { Plain } from '../copy-data.ts'
import { fieldText, fitting } from './profile.ts'

/** Any section without a renderer of its own: text as it is, `name: value` a line, or one item of a list a line. */
export function renderAny(
  name: string,
  data: Plain,
  { maxBytes, maxItems }: RenderContext,
): { text: string; cut: number } {
  const lines = linesOf(data)
  const head = `${name}:\n`
  const room = maxBytes - Buffer.byteLength(head) - WORDS.cutBytes
  const kept = fitting(lines, { maxItems, room, separator: '\n' })
  const cut = lines.length - kept.length
  const told = cut === 0 ? kept : [...kept, WORDS.cutItems(String(cut))]
  return { text: head + told.join('\n'), cut }
}

function linesOf(data: Plain): string[] {
  if (Array.isArray(data)) return data.flatMap((item: Plain) => itemOf(item) ?? [])
  if (typeof data === 'object' && data !== null) return fieldsOf(data as { readonly [name: string]: Plain })
  return [String(data)]
}

function fieldsOf(fields: { readonly [name: string]: Plain }): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const text = fieldText(value)
    return text === undefined ? [] : [`${name}: ${text}`]
  })
}

function itemOf(item: Plain): string | undefined {
  if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
    return `- ${fieldsOf(item as { readonly [name: string]: Plain }).join(', ')}`
  }
  const text = fieldText(item)
  return text === undefined ? undefined : `- ${text}`
}

import { type ContentPart, isObject } from 'purser/internal'
import type { Fields } from '../request-body.ts'
import { invalidRequest, unsupportedParameter } from '../unsupported-parameter.ts'

/** Converts the content of an item to that of a chat message. What chat completions cannot say is `unsupported_parameter`. */
export function convertContent(content: unknown, param: string): string | ContentPart[] {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw invalidRequest(`'${param}' must be text or a list of parts.`, param)
  const parts = content.map((part: unknown, index) => convertPart(part, `${param}[${index}]`))
  const [only] = parts
  const isText = parts.length === 1 && only?.type === 'text' && only.prompt_cache_breakpoint === undefined
  return isText ? (only.text ?? '') : parts
}

function convertPart(part: unknown, param: string): ContentPart {
  if (!isObject(part)) throw invalidRequest(`'${param}' must be an object.`, param)
  const convert = typeof part.type === 'string' && Object.hasOwn(PARTS, part.type) ? PARTS[part.type] : undefined
  if (convert === undefined) throw unsupportedParameter(`content of the type '${part.type}'`, param)
  const { prompt_cache_breakpoint: breakpoint } = part
  return isObject(breakpoint) ? { ...convert(part, param), prompt_cache_breakpoint: breakpoint } : convert(part, param)
}

const PARTS: Readonly<Record<string, (part: Fields, param: string) => ContentPart>> = {
  input_text: convertText,
  output_text: convertText,
  text: convertText,
  refusal: (part, param) => ({ type: 'refusal', refusal: textOf(part, 'refusal', param) }),
  input_image({ image_url, detail }, param) {
    if (typeof image_url !== 'string') throw unsupportedParameter('images by a file id', `${param}.file_id`)
    const hasDetail = typeof detail === 'string'
    return { type: 'image_url', image_url: hasDetail ? { url: image_url, detail } : { url: image_url } }
  },
  input_file(part, param) {
    if (typeof part.file_url === 'string') throw unsupportedParameter('files by an address', `${param}.file_url`)
    const { file_data, file_id, filename } = part
    const fields = Object.entries({ file_data, file_id, filename }).filter(([, value]) => typeof value === 'string')
    return { type: 'file', file: Object.fromEntries(fields) }
  },
  input_audio: ({ input_audio }) => ({
    type: 'input_audio',
    input_audio: input_audio as ContentPart['input_audio'],
  }),
}

function convertText(part: Fields, param: string): ContentPart {
  return { type: 'text', text: textOf(part, 'text', param) }
}

/** The text in a field of an item or a part; throws `request_invalid` for anything else. */
export function textOf(item: Fields, field: string, param: string): string {
  const value = item[field]
  if (typeof value === 'string') return value
  throw invalidRequest(`'${param}.${field}' must be text.`, `${param}.${field}`)
}

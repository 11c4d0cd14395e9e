import type { LanguageModelV4ReasoningPart, SharedV4ProviderMetadata } from '@ai-sdk/provider'
import { isObject } from '../../core/validate.ts'
import type { ReasoningDetail } from '../../openai/reasoning-details.ts'

/** The packages whose models sign what they think, and their names for what they have encrypted. */
const ENCRYPTED: Readonly<Record<string, string>> = {
  anthropic: 'redactedData',
  amazonBedrock: 'redactedContent',
  bedrock: 'redactedContent',
}

/** What a package says about reasoning that it expects back; undefined if that is nothing. */
export function toReasoningDetail(
  text: string,
  metadata: SharedV4ProviderMetadata | undefined,
): ReasoningDetail | undefined {
  for (const name of Object.keys(ENCRYPTED)) {
    const fields = metadata?.[name]
    if (!isObject(fields)) continue
    const { signature, redactedData, redactedContent } = fields
    if (typeof signature === 'string' && signature !== '') return { type: 'reasoning.text', text, signature }
    const data = redactedContent ?? redactedData
    if (typeof data === 'string') return { type: 'reasoning.encrypted', data }
  }
  return undefined
}

/** The same as a part of the prompt, for the package that knows it; the others leave it out. */
export function toReasoningPart(detail: ReasoningDetail): LanguageModelV4ReasoningPart {
  const isText = detail.type === 'reasoning.text'
  const options = Object.entries(ENCRYPTED).map(([name, encrypted]) => [
    name,
    isText ? { signature: detail.signature } : { [encrypted]: detail.data },
  ])
  return { type: 'reasoning', text: isText ? detail.text : '', providerOptions: Object.fromEntries(options) }
}

/** Collects the reasoning of a stream by its ids. */
export class ReasoningCollector {
  readonly #open = new Map<string, { text: string; metadata: SharedV4ProviderMetadata }>()

  push(id: string, text: string, metadata: SharedV4ProviderMetadata | undefined): void {
    const open = this.#open.get(id) ?? { text: '', metadata: {} }
    open.text += text
    for (const [name, fields] of Object.entries(metadata ?? {})) {
      open.metadata[name] = { ...open.metadata[name], ...fields }
    }
    this.#open.set(id, open)
  }

  /** The detail of reasoning that has ended, if it has one. */
  end(id: string): ReasoningDetail | undefined {
    const open = this.#open.get(id)
    this.#open.delete(id)
    return open && toReasoningDetail(open.text, open.metadata)
  }
}

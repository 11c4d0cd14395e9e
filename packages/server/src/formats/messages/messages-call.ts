import type { IncomingHttpHeaders } from 'node:http'
import { type EndpointCall, isObject, tokenCountOf, type Usage } from 'purser/internal'
import { getHeader } from '../../http/headers.ts'
import { toAnthropicError } from '../anthropic-error.ts'
import { addParameters, type Fields, modelOf, replaceUser } from '../request-body.ts'
import { convertRequest } from './convert-request.ts'
import { injectContext } from './inject-context.ts'

const DEFAULT_VERSION = '2023-06-01'

const PARAMETER_NAMES: Readonly<Record<string, string>> = {
  maxOutputTokens: 'max_tokens',
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  stopSequences: 'stop_sequences',
}

const LAST_EVENTS: readonly unknown[] = ['message_stop', 'error']
/** Of an event that is not named. */
const LAST_TYPE = /^\s*\{\s*"type"\s*:\s*"(message_stop|error)"/

/** A model that thinks refuses these. */
const SAMPLING = ['temperature', 'topP', 'topK'] as const

/** A request for a message, for a provider of Anthropic's format, or as a chat request for any other. */
export function createMessagesCall(body: Fields, headers: IncomingHttpHeaders): EndpointCall {
  return { ...createCall(body, headers), endpoint: 'messages', toChat: () => convertRequest(body) }
}

/** A request for the number of tokens of a message. */
export function createCountCall(body: Fields, headers: IncomingHttpHeaders): EndpointCall {
  return { ...createCall(body, headers), endpoint: 'messages/count_tokens' }
}

function createCall(body: Fields, headers: IncomingHttpHeaders): Omit<EndpointCall, 'endpoint'> {
  const model = modelOf(body)
  const upstreamHeaders = {
    'content-type': 'application/json',
    'anthropic-version': DEFAULT_VERSION,
    ...headersOf(headers),
  }
  return {
    model,
    body,
    hasPrompt: true,
    prepare({ model: upstreamModel, parameters, contextText, pseudonym: { field, id } }) {
      const anonymous = replaceUser(body, { field: 'none', id })
      const metadata = field === 'none' ? {} : { metadata: { ...asFields(anonymous.metadata), user_id: id } }
      const withParameters = addParameters(anonymous, parametersFor(body, parameters), PARAMETER_NAMES)
      const request = { ...injectContext(withParameters, contextText), ...metadata, model: upstreamModel }
      return { headers: upstreamHeaders, body: request }
    },
    inside: 'message',
    isRewritten: (text) => model !== undefined && text.includes('"model"'),
    rewrite(json) {
      const isInside = json.has('model', { isInside: true })
      return isInside || json.has('model') ? json.with({ model }, { isInside }) : json.text
    },
    readUsage: toUsage,
    toolCalls: { mark: 'tool_use"', tools: body.tools, members: ['content', 'content_block'], list: listToolCalls },
    isLast: ({ event, data }) => LAST_EVENTS.includes(event) || (event === 'message' && LAST_TYPE.test(data)),
    textMembers: ['"text":', '"thinking":', '"partial_json":'],
    formatError: (error) => `event: error\ndata: ${JSON.stringify(toAnthropicError(error, 500))}\n\n`,
  }
}

/** What the operator decides, with the key that it belongs to. */
const OWN_HEADERS: readonly string[] = ['anthropic-workspace-id']

/** The client's headers for the provider: an open list, because new capabilities come with new headers. */
function headersOf(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name in headers) {
    const value = name.startsWith('anthropic-') && !OWN_HEADERS.includes(name) ? getHeader(headers, name) : undefined
    if (value !== undefined) found[name] = value
  }
  return found
}

function asFields(value: unknown): Fields {
  return isObject(value) ? value : {}
}

function parametersFor({ thinking }: Fields, parameters: Fields): Fields {
  if (!isObject(thinking) || thinking.type === 'disabled') return parameters
  return Object.fromEntries(
    Object.entries(parameters).filter(([name]) => !(SAMPLING as readonly string[]).includes(name)),
  )
}

/** The calls that begin with an event, or are in a whole message. */
function listToolCalls({ content, content_block }: Fields): readonly (string | undefined)[] {
  const blocks: readonly unknown[] = Array.isArray(content) ? content : [content_block]
  return blocks
    .filter((block) => isObject(block) && String(block.type).endsWith('tool_use'))
    .map((block) => textOf((block as Fields).name))
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Anthropic counts cached input apart from the rest. */
function toUsage(usage: unknown): Usage | undefined {
  if (!isObject(usage)) return undefined
  const cached = tokenCountOf(usage.cache_read_input_tokens) ?? 0
  const written = tokenCountOf(usage.cache_creation_input_tokens) ?? 0
  const input = (tokenCountOf(usage.input_tokens) ?? 0) + cached + written
  const output = tokenCountOf(usage.output_tokens) ?? 0
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
  }
}

import { PurserError } from '../errors.ts'
import type { ChatRequest } from './chat.ts'

type Fields = Record<string, unknown>
type Check = readonly [expected: string, passes: (value: unknown) => boolean]

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const orNull = ([expected, passes]: Check): Check => [expected, (value) => value === null || passes(value)]

const text: Check = ['text', (value) => typeof value === 'string']
const name: Check = ['text of at least one character', (value) => typeof value === 'string' && value !== '']
const flag: Check = ['true or false', (value) => typeof value === 'boolean']
const number: Check = ['a number', (value) => typeof value === 'number' && Number.isFinite(value)]
const count: Check = ['a whole number of 1 or more', (value) => Number.isSafeInteger(value) && (value as number) >= 1]
const object: Check = ['an object', isFields]
const list: Check = ['a list', Array.isArray]

/** What Purser reads or relies on. Everything else is the provider's to judge. */
const FIELDS: Readonly<Record<string, Check>> = {
  model: orNull(name),
  stream: orNull(flag),
  stream_options: orNull(object),
  tools: orNull(list),
  user: orNull(text),
  safety_identifier: orNull(text),
  metadata: orNull(object),
  temperature: orNull(number),
  top_p: orNull(number),
  frequency_penalty: orNull(number),
  presence_penalty: orNull(number),
  seed: orNull(number),
  n: orNull(count),
  max_tokens: orNull(count),
  max_completion_tokens: orNull(count),
  response_format: orNull(object),
}

/** Checks a chat request that came from outside. Throws `request_invalid` with `details.param`, as OpenAI names it. */
export function parseChatRequest(value: unknown): ChatRequest {
  if (!isFields(value)) throw invalid('The request must be a JSON object.', undefined)
  for (const name of Object.keys(value)) {
    const check = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined
    if (check !== undefined && value[name] !== undefined && !check[1](value[name])) {
      throw invalid(`'${name}' must be ${check[0]}.`, name)
    }
  }
  const { messages } = value
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid(
      "'messages' must be a list of messages.",
      'messages',
      "For instance [{ role: 'user', content: 'Hello' }].",
    )
  messages.forEach(checkMessage)
  return value as ChatRequest
}

function checkMessage(message: unknown, place: number): void {
  const param = `messages[${place}]`
  if (!isFields(message)) throw invalid(`'${param}' must be an object.`, param)
  if (typeof message.role !== 'string' || message.role === '') {
    throw invalid(`'${param}.role' must be text.`, `${param}.role`)
  }
  const content = message.content ?? null
  if (content === null || typeof content === 'string') return
  const isPart = (part: unknown) => isFields(part) && typeof part.type === 'string'
  if (Array.isArray(content) && content.every(isPart)) return
  throw invalid(`'${param}.content' must be text, a list of parts or null.`, `${param}.content`)
}

function invalid(message: string, param: string | undefined, hint?: string): PurserError {
  return new PurserError('request_invalid', message, { hint, details: param === undefined ? {} : { param } })
}

import { isRawNumber } from '../core/exact-json.ts'
import { isObject, throwInvalid, validateFieldCount } from '../core/validate.ts'
import type { ChatRequest } from './chat.ts'

interface FieldCheck {
  /** Completes "must be …". */
  readonly expected: string
  isValid(value: unknown): boolean
}

const text: FieldCheck = { expected: 'text', isValid: (value) => typeof value === 'string' }
const nonEmptyText: FieldCheck = {
  expected: 'text of at least one character',
  isValid: (value) => typeof value === 'string' && value !== '',
}
const boolean: FieldCheck = { expected: 'true or false', isValid: (value) => typeof value === 'boolean' }
const number: FieldCheck = {
  expected: 'a number',
  isValid: (value) => Number.isFinite(value) || isRawNumber(value),
}
const positiveInteger: FieldCheck = {
  expected: 'an integer of 1 or more',
  isValid: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
}
const object: FieldCheck = { expected: 'an object', isValid: (value) => isObject(value) && !isRawNumber(value) }
const list: FieldCheck = { expected: 'a list', isValid: Array.isArray }

/** The fields that Purser reads or relies on; all of them may be null. The provider validates the others. */
const FIELDS: Readonly<Record<string, FieldCheck>> = {
  model: nonEmptyText,
  stream: boolean,
  stream_options: object,
  tools: list,
  user: text,
  safety_identifier: text,
  metadata: object,
  temperature: number,
  top_p: number,
  frequency_penalty: number,
  presence_penalty: number,
  seed: number,
  n: positiveInteger,
  max_tokens: positiveInteger,
  max_completion_tokens: positiveInteger,
  response_format: object,
}

/** Of a request, and of its `metadata`. Everything that reads or copies a request costs by its fields. */
const FIELDS_MAX = 256

/** Validates a chat request. Throws `request_invalid` with `details.param`, the invalid field as OpenAI names it. */
export function parseChatRequest(value: unknown): ChatRequest {
  if (!isObject(value)) throwRequestInvalid('The request must be a JSON object.')
  validateFieldCount(value, FIELDS_MAX, { name: 'request', code: 'request_invalid' })
  if (isObject(value.metadata)) {
    validateFieldCount(value.metadata, FIELDS_MAX, { name: 'metadata', code: 'request_invalid' })
  }
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined || field === null || !Object.hasOwn(FIELDS, name)) continue
    const check = FIELDS[name]
    if (check !== undefined && !check.isValid(field)) throwRequestInvalid(`'${name}' must be ${check.expected}.`, name)
  }
  const { messages } = value
  if (!Array.isArray(messages) || messages.length === 0) {
    const hint = "Example: [{ role: 'user', content: 'Hello' }]."
    throwRequestInvalid("'messages' must be a non-empty list of messages.", 'messages', hint)
  }
  messages.forEach(validateMessage)
  return value as unknown as ChatRequest
}

function validateMessage(message: unknown, index: number): void {
  const param = `messages[${index}]`
  if (!isObject(message)) throwRequestInvalid(`'${param}' must be an object.`, param)
  if (typeof message.role !== 'string' || message.role === '') {
    throwRequestInvalid(`'${param}.role' must be text.`, `${param}.role`)
  }
  const content = message.content ?? null
  if (content === null || typeof content === 'string') return
  const isPart = (part: unknown): boolean => isObject(part) && typeof part.type === 'string'
  if (Array.isArray(content) && content.every(isPart)) return
  throwRequestInvalid(`'${param}.content' must be text, a list of parts or null.`, `${param}.content`)
}

function throwRequestInvalid(message: string, param?: string, hint?: string): never {
  throwInvalid(message, { code: 'request_invalid', hint, ...(param === undefined ? {} : { name: param }) })
}

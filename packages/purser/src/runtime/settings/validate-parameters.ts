import { isJsonObject } from '../../core/merge-patch.ts'
import { PurserError, suggestion } from '../../errors.ts'

type Check = readonly [expected: string, passes: (value: unknown) => boolean]

const number: Check = ['a number', (value) => typeof value === 'number' && Number.isFinite(value)]
const count: Check = ['a whole number of 1 or more', (value) => Number.isSafeInteger(value) && (value as number) >= 1]
const texts: Check = [
  'a list of texts',
  (value) => Array.isArray(value) && value.every((text) => typeof text === 'string'),
]

const KNOWN: Readonly<Record<string, Check>> = {
  maxOutputTokens: count,
  temperature: number,
  topP: number,
  topK: number,
  presencePenalty: number,
  frequencyPenalty: number,
  stopSequences: texts,
  seed: ['a whole number', (value) => Number.isSafeInteger(value)],
  reasoningEffort: ['text', (value) => typeof value === 'string'],
  providerOptions: ['an object', isJsonObject],
}

/** How OpenAI spells what has an AI SDK name: taken as it is, it would be said twice. */
const OTHER_SPELLINGS: Readonly<Record<string, string>> = {
  max_tokens: 'maxOutputTokens',
  max_completion_tokens: 'maxOutputTokens',
  maxTokens: 'maxOutputTokens',
  top_p: 'topP',
  top_k: 'topK',
  presence_penalty: 'presencePenalty',
  frequency_penalty: 'frequencyPenalty',
  stop: 'stopSequences',
  reasoning_effort: 'reasoningEffort',
}

/** What a request is made of, and what tells the upstream whom it is for: never a parameter. */
const RESERVED = ['model', 'messages', 'stream', 'stream_options', 'user', 'safety_identifier', 'metadata']

/** Parameters under AI SDK names. Names nobody knows here may be the provider's own, and pass. */
export function validateParameters(value: unknown): void {
  if (!isJsonObject(value)) throw invalid("The setting 'parameters' is not an object.")
  for (const [name, parameter] of Object.entries(value)) {
    if (RESERVED.includes(name)) throw invalid(`'${name}' cannot be a parameter.`)
    const proper = Object.hasOwn(OTHER_SPELLINGS, name) ? OTHER_SPELLINGS[name] : undefined
    if (proper !== undefined) throw invalid(`There is no parameter '${name}'.`, suggestion(proper, [proper]))
    const check = Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined
    if (check !== undefined && parameter !== null && parameter !== undefined && !check[1](parameter)) {
      throw invalid(`The parameter '${name}' is not ${check[0]}.`)
    }
  }
  requireJson(value, 'parameters', 0)
}

const DEPTH_MAX = 8

function requireJson(value: unknown, path: string, depth: number): void {
  if (depth > DEPTH_MAX) throw invalid(`'${path}' is nested more than ${DEPTH_MAX} deep.`)
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) requireJson(member, `${path}[${index}]`, depth + 1)
  } else if (isJsonObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (name === '__proto__') throw invalid(`'${path}' has a member '__proto__'.`)
      requireJson(member, `${path}.${name}`, depth + 1)
    }
  } else if (!isJsonScalar(value)) throw invalid(`'${path}' is not a JSON value.`)
}

function isJsonScalar(value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'boolean') return true
  return typeof value === 'number' ? Number.isFinite(value) : typeof value === 'string' && value.isWellFormed()
}

function invalid(message: string, hint?: string): PurserError {
  return new PurserError('settings_invalid', message, { hint, details: { field: 'parameters' } })
}
